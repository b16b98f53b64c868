"""Truths that are remembered: they are those that judging anew would find."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.safety.language.binding import bind
from controller.safety.language.values import Interval, Known, Term, Truth, Value
from controller.safety.scene.truths import Truths

TERMS = {
    "a": Term("mL/min"),
    "b": Term("mL/min"),
    "shutter": Term(words=("Open", "Closed")),
    "searched": Term(),
}
TEXTS = (
    "a < 10 mL/min",
    "a - b <= 3 mL/min",
    "a / b > 0.5 and b > 1 mL/min",
    "a * a < 90 mL^2/min^2 or shutter == Closed",
    "not (a == b) and a >= -2 mL/min",
    "2 * a + b < 20 mL/min or not searched",
)
NUMBERS = st.floats(-12.0, 12.0)
INTERVALS = st.tuples(NUMBERS, st.floats(0.0, 3.0)).map(lambda x: Interval(x[0], x[0] + x[1]))
CHANGES = st.one_of(
    st.tuples(st.sampled_from(("a", "b")), st.none() | INTERVALS),
    st.tuples(st.just("shutter"), st.sampled_from((None, "Open", "Closed"))),
    st.tuples(st.just("searched"), st.sampled_from((None, True, False))),
)


class Told:
    """What is known of each name; counts how often a statement was judged for just that."""

    def __init__(self, truths: Truths, **known: Value | None) -> None:
        self.truths = truths
        self.now: dict[str, Value | None] = dict.fromkeys(TERMS) | known
        self.judged = 0

    def becomes(self, name: str, value: Value | None) -> None:
        self.now[name] = value
        self.truths.doubt(name)

    def truth(self, statement) -> Truth:
        def judge() -> Truth:
            self.judged += 1
            return statement.truth(self.known)

        self.truths.review(self.known)
        return self.truths.of(statement, self.known, plain=True, judge=judge)

    @property
    def known(self) -> Known:
        return self.now.__getitem__


def wide() -> Truths:
    return Truths({"a": 2.0, "b": 2.0})


@settings(deadline=None)
@given(st.sampled_from(TEXTS), st.lists(CHANGES, max_size=30), st.sampled_from((wide, Truths)))
def test_whatever_changes_a_statement_is_as_it_would_be_judged_now(text, changes, make):
    statement, told = bind(text, TERMS), Told(make())

    for name, value in changes:
        told.becomes(name, value)

        assert told.truth(statement) is statement.truth(told.known)


@settings(deadline=None)
@given(st.sampled_from(TEXTS), st.lists(CHANGES, max_size=8), CHANGES)
def test_what_is_sure_is_so_for_whatever_leaves_it_sure(text, changes, supposed):
    statement, told = bind(text, TERMS), Told(wide())
    for change in changes:
        told.becomes(*change)
    told.truth(statement)
    name, value = supposed

    decided = told.truths.decided(statement)

    if decided is not None and told.truths.stays(name, value):
        assert decided is statement.truth((told.now | {name: value}).__getitem__)


def test_within_its_box_nothing_is_judged_again_or_forgotten():
    told, forgotten = Told(wide(), a=Interval(5.0, 5.0)), list[int]()
    statement = bind("a < 10 mL/min", TERMS)
    told.truths.on_forgotten(forgotten.append)
    assert told.truth(statement) is Truth.TRUE

    told.becomes("a", Interval(4.0, 7.0))

    assert told.truth(statement) is Truth.TRUE
    assert told.judged == 0
    assert forgotten == []


@pytest.mark.parametrize("value", [Interval(7.5, 7.5), Interval(5.0, 12.0), None])
def test_what_leaves_its_box_is_forgotten_and_whoever_rests_on_it_hears_of_it(value):
    told, forgotten = Told(wide(), a=Interval(5.0, 5.0)), list[int]()
    statement = bind("a < 10 mL/min", TERMS)
    told.truths.on_forgotten(forgotten.append)
    told.truth(statement)

    told.becomes("a", value)
    told.truths.review(told.known)

    assert forgotten == [id(statement)]
    assert told.truth(statement) is statement.truth(told.known)


def test_near_its_limit_a_statement_is_judged_for_just_what_is_known_at_each_change():
    told, forgotten = Told(wide(), a=Interval(9.0, 9.0)), list[int]()
    statement = bind("a < 10 mL/min", TERMS)
    told.truths.on_forgotten(forgotten.append)
    assert told.truth(statement) is Truth.TRUE
    assert not told.truths.sure(frozenset({id(statement)}))

    told.becomes("a", Interval(10.5, 10.5))

    assert told.truth(statement) is Truth.FALSE
    assert told.judged == 2
    assert forgotten == [id(statement)]
