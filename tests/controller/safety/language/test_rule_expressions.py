import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import ExpressionError
from controller.safety.language.binding import bind
from controller.safety.language.parse import DEEPEST
from controller.safety.language.tokens import LONGEST
from controller.safety.language.values import Interval, Term, Truth, Value
from tests.support.rule_expressions import (
    TERMS,
    Tally,
    compare,
    judged,
    known_of,
    number,
    points_of,
    spoiled,
    statement,
)
from tests.support.rule_reference import worth

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
COMBINATION = (
    "furnace.temperature <= 200 or "
    "(gas.h2.flow / gas.total < 0.03 or gas.o2.flow / gas.total < 0.03) and gas.total >= 20 mL/min"
)
FLAGS = {"a": Term(None), "b": Term(None)}
SAID = {T: True, F: False, U: None}
NUMBERS = {name: Term("") for name in "xyz"}


def truth(text: str, terms=TERMS, **known: Value | None) -> Truth:
    """Return what *text* says; a double underscore in a name stands for its dot."""
    values = {name.replace("__", "."): value for name, value in known.items()}
    return bind(text, terms).truth(values.get)


def at(value: float) -> Interval:
    return Interval(value, value)


@pytest.mark.parametrize(
    ("first", "second", "both", "either"),
    [
        (T, T, T, T),
        (T, F, F, T),
        (T, U, U, T),
        (F, T, F, T),
        (F, F, F, F),
        (F, U, F, U),
        (U, T, U, T),
        (U, F, F, U),
        (U, U, U, U),
    ],
    ids=lambda value: value.value,
)
def test_and_and_or_follow_their_truth_tables(first, second, both, either):
    known = {"a": SAID[first], "b": SAID[second]}

    assert truth("a and b", FLAGS, **known) is both
    assert truth("a or b", FLAGS, **known) is either


@pytest.mark.parametrize(("said", "contrary"), [(T, F), (F, T), (U, U)], ids=["T", "F", "U"])
def test_not_gives_the_contrary_and_leaves_unknown_unknown(said, contrary):
    assert truth("not a", FLAGS, a=SAID[said]) is contrary
    assert truth("a == false", FLAGS, a=SAID[said]) is contrary


@pytest.mark.parametrize(
    "text",
    [
        "not (a and b)|not a or not b",
        "not (a or b)|not a and not b",
        "not not a|a",
        "a != true|not a",
        "a == b|a and b or not a and not b",
    ],
    ids=str,
)
def test_two_ways_to_say_the_same_agree_in_all_nine_cases(text):
    first, second = text.split("|")

    for a, b in itertools.product(SAID.values(), repeat=2):
        assert truth(first, FLAGS, a=a, b=b) is truth(second, FLAGS, a=a, b=b)


@pytest.mark.parametrize(
    ("sign", "below", "touching", "inside", "same", "above"),
    [
        ("<", T, U, U, F, F),
        ("<=", T, T, U, T, F),
        (">", F, F, U, F, T),
        (">=", F, U, U, T, T),
        ("==", F, U, U, T, F),
        ("!=", T, U, U, F, T),
    ],
    ids=["lt", "le", "gt", "ge", "eq", "ne"],
)
def test_a_comparison_is_known_only_if_it_is_so_for_all_values(
    sign, below, touching, inside, same, above
):
    cases = {(1, 4): below, (1, 5): touching, (1, 9): inside, (5, 5): same, (6, 9): above}

    for (low, high), expected in cases.items():
        assert truth(f"x {sign} 5", NUMBERS, x=Interval(low, high)) is expected


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("x + y * z < 5", "x + (y * z) < 5"),
        ("x - y - z < 5", "(x - y) - z < 5"),
        ("x / y / z < 5", "(x / y) / z < 5"),
        ("x / y * z < 5", "(x / y) * z < 5"),
        ("-x * y < 5", "(-x) * y < 5"),
        ("x < 1 or y < 1 and z < 1", "x < 1 or (y < 1 and z < 1)"),
        ("not x < 1 and y < 1", "(not (x < 1)) and y < 1"),
        ("not x < 1 or y < 1", "(not (x < 1)) or y < 1"),
        ("0 < x <= 5", "0 < x and x <= 5"),
        ("5 > x >= y > 0", "5 > x and x >= y and y > 0"),
        ("x == y == 1", "x == y and y == 1"),
        ("x × y ÷ 2 − 1 ≤ 5", "x * y / 2 - 1 <= 5"),
    ],
    ids=lambda text: text.replace(" ", ""),
)
def test_signs_bind_as_in_arithmetic(text, same_as):
    values = (-2.0, 0.5, 1.0, 3.0, 7.0)

    for x, y, z in itertools.product(values, repeat=3):
        known = {"x": at(x), "y": at(y), "z": at(z)}
        assert truth(text, NUMBERS, **known) is truth(same_as, NUMBERS, **known)


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("x + y", "", 11, 22),
        ("x - y", "", -19, -8),
        ("x * y", "", 10, 40),
        ("y / x", "", 5, 20),
        ("gas.h2.flow / gas.total", "", 0.02, 0.04),
        ("gas.h2.flow * since", "mL", 4, 8),
        ("exhaust.flow - gas.total", "L/min", 1.9, 1.9),
        ("furnace.temperature - furnace.setpoint", "K", -10, 20),
        ("furnace.setpoint + 5", "degC", 305, 305),
        ("valve.opening * gas.total", "mL/min", 50, 50),
        ("2 * valve.opening", "%", 100, 100),
        ("pump.flow / pump.flow", "", 1, 1),
    ],
)
def test_numbers_have_all_values_that_they_may_and_a_unit(text, unit, low, high):
    known = {
        "x": Interval(1, 2),
        "y": Interval(10, 20),
        "gas.h2.flow": Interval(2, 4),
        "gas.total": at(100),
        "exhaust.flow": at(2),
        "since": at(120),
        "furnace.temperature": Interval(290, 320),
        "furnace.setpoint": at(300),
        "valve.opening": at(50),
        "pump.flow": at(3),
    }

    bound = bind(text, {**TERMS, **NUMBERS})
    interval = bound.interval(known.get)

    assert bound.unit == unit
    assert (interval.low, interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    "known",
    [None, Interval(float("nan"), 1), Interval(0, float("inf")), Interval(2, 1), "5", True],
    ids=["nothing", "nan", "inf", "upside-down", "word", "flag"],
)
def test_what_is_no_finite_number_is_unknown_and_so_is_all_made_of_it(known):
    for text in ("x < 5", "x * 0 < 5", "5 / x < 5", "x - x == 0", "not x < 5", "x != x"):
        assert truth(text, NUMBERS, x=known) is U
    assert bind("x + 1", NUMBERS).interval({"x": known}.get) is None
    assert bind("x < 1", NUMBERS).margin({"x": known}.get) is None


@pytest.mark.parametrize("divisor", [at(0.0), at(-0.0), Interval(-1, 1), Interval(0, 1)], ids=str)
def test_a_divisor_that_may_be_zero_makes_it_unknown(divisor):
    assert truth("x / y < 1e9", NUMBERS, x=at(1), y=divisor) is U
    assert truth("x / y < 1e9 or x > 0", NUMBERS, x=at(1), y=divisor) is T


def test_what_leaves_the_range_of_numbers_never_comes_back_as_known():
    known = {"x": at(1e200), "y": at(1e200), "z": at(1.0)}

    assert truth("z / (x * y) < 1", NUMBERS, **known) is U
    assert truth("x * y - x * y < 1", NUMBERS, **known) is U
    assert truth("x * y > 1", NUMBERS, **known) is U
    assert bind("x * y", NUMBERS).interval(known.get) is None


def test_a_word_that_was_not_declared_is_unknown():
    assert truth("shutter.status == Open", shutter__status="Ajar") is U
    assert truth("shutter.status != Open", shutter__status="Ajar") is U


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exhaust.flow > 2 L/min", T),
        ("exhaust.flow > 2000 mL/min", T),
        ("exhaust.flow > 2", T),
        ("gas.total < exhaust.flow", T),
        ("2900 mL/min < exhaust.flow < 3100 mL/min", T),
        ("valve.opening < 3 %", T),
        ("valve.opening < 3", T),
        ("gas.h2.flow / gas.total < 3 %", T),
        ("gas.h2.flow / gas.total < 0.03", T),
        ("gas.h2.flow / exhaust.flow < 0.001", T),
        ("furnace.temperature < 600 K", T),
        ("furnace.temperature > 573.2 K", F),
        ("cryo.sample < -100 degC", T),
        ("furnace.temperature - furnace.setpoint < 5 K", T),
        ("furnace.temperature < furnace.setpoint + 5", T),
        ("furnace.temperature < furnace.setpoint + 5 K", T),
        ("furnace.temperature < furnace.setpoint - 5 delta_degC", F),
        ("furnace.ramp_rate <= 20 degC/min", T),
        ("furnace.ramp_rate * 2 min < 20 K", T),
        ("ring.current > 0.05 A", T),
        ("pump.flow < 5 sccm", T),
    ],
)
def test_units_are_converted_where_they_fit(text, expected):
    known = {
        "exhaust.flow": at(3),
        "gas.total": at(100),
        "gas.h2.flow": at(2),
        "valve.opening": at(2),
        "furnace.temperature": at(300),
        "furnace.setpoint": at(300),
        "cryo.sample": at(100),
        "furnace.ramp_rate": at(5),
        "ring.current": at(100),
        "pump.flow": at(4),
    }

    assert bind(text, TERMS).truth(known.get) is expected


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("", 0, "there is nothing"),
        ("gas.total <", 0, "a number, a name"),
        ("(gas.total < 3", 0, "character 1 isn't closed"),
        ("gas.total < 3)", 14, "an operator"),
        ("gas.total = 3", 11, "write =="),
        ("0 < gas.total > 3", 15, "one way"),
        ("1 != gas.total != 2", 16, "one way"),
        ("gas.totl < 3", 1, "near it: gas.total"),
        ("gas.total < 3 foo", 13, "unit 'foo' isn't known"),
        ("gas.total < 3 K", 13, "K doesn't fit mL/min"),
        ("gas.total + ring.current < 3", 13, "mA doesn't fit mL/min"),
        ("gas.total < 3 sccm", 13, "doesn't fit"),
        ("gas.total < 1e400", 13, "too large"),
        ("gas.total < 1e200 * 1e200", 13, "too large"),
        ("gas.total / 0 < 3", 13, "divides by zero"),
        ("1 < 2", 1, "names a signal|name a signal"),
        ("true", 1, "always so, or never"),
        ("gas.total", 0, ""),
        ("gas.total and door.closed", 1, "a number in mL/min"),
        ("shutter.status", 1, "Open or Closed"),
        ("shutter.status == Opn", 19, "near it: Open"),
        ("shutter.status == 3", 19, "Open or Closed"),
        ("shutter.status > Open", 1, "only == and !="),
        ("shutter.status == +Open", 19, "Open or Closed"),
        ("shutter.status == door.closed", 19, "true or false"),
        ("door.closed == 1", 16, "true or false"),
        ("(gas.total < 3) == true", 2, "can't be compared"),
        ("gas.total < 'Open'", 13, "a number is needed"),
        ("2 * furnace.temperature < 5", 5, "a zero that isn't its own"),
        ("-furnace.temperature < 5", 1, "no negative"),
        ("furnace.temperature + furnace.setpoint < 5", 1, "can't be added"),
        ("furnace.temperature - furnace.setpoint < 5 degC", 42, "difference"),
        ("furnace.temperature < furnace.setpoint - 5 K", 42, "not clear"),
        ("5 gas.total < 3", 3, "an operator"),
        ("__import__('os')", 11, "an operator"),
        ("gas.total.__class__ < 3", 1, "no such signal"),
        ("gas.total < 3; 1", 14, "can't be read"),
        ("gas.total ** 2 < 3", 12, "a number, a name"),
        ("x" * (LONGEST + 1), 1, f"at most {LONGEST}"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cant_be_read_is_told_with_its_place(text, place, told):
    if text == "gas.total":
        assert bind(text, TERMS).unit == "mL/min"
        return

    with pytest.raises(ExpressionError, match=told) as caught:
        bind(text, TERMS)

    assert (f"(character {place})" if place else "at its end") in str(caught.value)


@pytest.mark.parametrize("opening", ["(", "not ", "- "], ids=["bracket", "not", "minus"])
def test_nesting_has_an_end(opening):
    closing = ")" if opening == "(" else ""
    inside = "door.closed" if opening == "not " else "gas.total"
    rest = "" if opening == "not " else " < 3"

    bind(opening * DEEPEST + inside + closing * DEEPEST + rest, TERMS)

    for deep in (DEEPEST + 1, 450):
        with pytest.raises(ExpressionError, match="deep"):
            bind(opening * deep + inside + closing * deep + rest, TERMS)


def test_long_sums_and_long_chains_of_and_are_no_nesting():
    names = {"x": at(1)}

    assert bind("+".join(["x"] * 900), NUMBERS).interval(names.get) == at(900)
    assert bind(" and ".join(["x<2"] * 180), NUMBERS).truth(names.get) is T
    assert bind("*".join(["x"] * 900), NUMBERS).interval(names.get) == at(1)


def test_the_rule_of_the_gases_names_what_it_speaks_of():
    terms = {**TERMS, "gas.o2.flow": Term("mL/min")}

    rule = bind(COMBINATION, terms)

    assert rule.names == {"furnace.temperature", "gas.h2.flow", "gas.total", "gas.o2.flow"}
    assert rule.unit is None
    assert rule.text == COMBINATION


def test_of_several_margins_the_one_that_decides_is_given():
    known = {"x": at(2), "y": at(7), "z": None}

    def margin(text: str) -> float | None:
        return bind(text, NUMBERS).margin(known.get)

    assert margin("x < 5") == 3
    assert margin("x > 5") == -3
    assert margin("not x < 5") == -3
    assert margin("1 < x < 5") == 1
    assert margin("x < 5 and y < 8") == 1
    assert margin("x < 5 or y < 5") == 3
    assert margin("x > 5 and z < 5") == -3
    assert margin("x < 5 or z < 5") == 3
    assert margin("x < 5 and z < 5") is None
    assert margin("x == 2") == 0
    assert margin("x != 2") == 0
    assert margin("x == 5") == -3
    assert margin("x != 5") == 3


def test_a_margin_is_taken_at_the_worst_in_the_unit_compared():
    known = {"exhaust.flow": Interval(2.5, 3.0)}

    margin = bind("exhaust.flow > 2000 mL/min", TERMS).measured(known.get)

    assert (margin.value, margin.unit) == (0.5, "L/min")


def test_words_have_no_margin_and_leave_that_of_numbers():
    known = {"door.closed": True, "gas.total": at(30)}

    assert bind("door.closed", TERMS).margin(known.get) is None
    assert bind("door.closed and gas.total >= 20", TERMS).margin(known.get) == 10


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6), st.data())
def test_intervals_hold_what_floats_give_at_every_point_within(x, wide, y, broad, data):
    known = {"x": Interval(x, x + wide), "y": Interval(y, y + broad)}
    one = data.draw(st.floats(known["x"].low, known["x"].high))
    other = data.draw(st.floats(known["y"].low, known["y"].high))
    points = {"x + y": one + other, "x - y": one - other, "x * y": one * other}
    if other != 0:
        points["x / y"] = one / other

    for text, value in points.items():
        interval = bind(text, NUMBERS).interval(known.get)
        assert interval is None or interval.low <= value <= interval.high


@settings(max_examples=300)
@given(st.integers(0, 2**40))
def test_a_statement_that_is_so_is_so_at_every_point_that_may_be(seed: int):
    rng = Random(seed)
    text = statement(rng)
    try:
        bound = bind(text, TERMS)
    except ExpressionError:
        return
    known = known_of(rng)

    values = [worth(text, TERMS, point) for point in points_of(rng, known, 6)]

    assert judged(bound, known, values) == []


@pytest.mark.parametrize("seed", range(4))
def test_random_and_spoiled_expressions_agree_with_the_reference(seed):
    rng, tally = Random(seed), Tally()

    for index in range(250):
        text = statement(rng) if index % 5 else number(rng, rng.choice(("flow", "ratio")), 3)
        compare(spoiled(rng, text) if index % 2 else text, rng, tally)

    assert tally.wrong == []
    assert tally.stricter == []
    assert tally.accepted > 80
    assert tally.refused > 80
