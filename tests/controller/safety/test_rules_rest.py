"""Rules that rest: nothing is found, charged or refused otherwise than if all were looked at."""

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.safety.envelope.specs import (
    Approval,
    Arrival,
    Budget,
    Dwell,
    Follows,
    Ownership,
    Per,
    Permit,
    Rate,
    Requires,
    Sequence,
)
from controller.safety.language.values import Truth
from controller.safety.scene.truths import Truths
from tests.support.rules import MIX, Bench, said

RULES = (
    Requires(name="mix", requires=said(MIX), when=said("furnace.temperature > 200 degC")),
    Requires(
        name="exhaust",
        requires=said("exhaust.flow > 2"),
        when=said("gas.h2 > 0.1"),
        clears_after_s=10.0,
        clears_when=said("exhaust.flow > 2.5"),
    ),
    Requires(name="closed", requires=said("shutter.command == Closed or hutch.searched")),
    Permit(name="searched", requires=said("hutch.searched")),
    Permit(name="there", role="operator", for_s=60.0),
    Rate(name="ramp", of="furnace.readback", per_s=0.5, over_s=30.0, target="furnace.setpoint"),
    Rate(name="sum", of="gas.total", per_s=2.0, over_s=30.0),
    Arrival(
        name="arrives",
        setpoint="h2.setpoint",
        readback="h2.readback",
        tolerance=1.0,
        within_s=10.0,
    ),
    Follows(name="follows", setpoint="o2.setpoint", readback="o2.readback", tolerance=2.0),
    Ownership(name="ours", signals=("h2.setpoint", "o2.setpoint", "shutter.command")),
    Sequence(
        name="purge",
        before=said("gas.h2 > 1 mL/min"),
        after=said("gas.o2 > 1 mL/min"),
        needs=said("gas.he >= 50 mL/min"),
        for_s=5.0,
    ),
    Budget(name="gas", at_most=300.0, unit="mL", integral=said("gas.h2")),
    Budget(name="dose", at_most=60.0, unit="kGy", increase="dose.accumulated", per=Per.SAMPLE),
    Budget(name="hour", at_most=5.0, unit="", writes=("shutter.command",), per=Per.HOUR),
    Budget(name="time", at_most=300.0, unit="s", wall_time=True),
    Dwell(name="stretch", when=said("furnace.temperature > 300"), at_most_s=8.0),
    Dwell(name="in all", when=said("gas.o2 > 5"), at_most_s=20.0, in_all=True),
    Approval(name="hot", when=said("furnace.temperature > 500"), role="officer", persons=1),
)
VALUES: dict[str, tuple[Any, ...]] = {
    "furnace.setpoint": (40.0, 190.0, 210.0, 250.0, 600.0),
    "furnace.readback": (40.0, 41.0, 199.0, 201.0, 250.0, 310.0, 600.0, float("nan")),
    "h2.setpoint": (0.0, 0.05, 0.15, 0.5, 1.1, 10.0),
    "h2.readback": (0.0, 0.05, 0.15, 0.5, 1.1, 10.0),
    "o2.setpoint": (0.0, 0.5, 0.9, 1.1, 10.0),
    "o2.readback": (0.0, 0.5, 0.9, 1.1, 10.0, None),
    "he.setpoint": (20.0, 49.0, 51.0, 100.0),
    "he.readback": (20.0, 49.0, 51.0, 100.0),
    "exhaust.flow": (1.0, 1.9, 2.1, 2.2, 2.6, 5.0),
    "dose.accumulated": (0.0, 20.0, 50.0),
    "shutter.command": ("Open", "Closed"),
    "hutch.searched": (True, False, 1.0),
}
WRITTEN = tuple(name for name in VALUES if name.endswith((".setpoint", ".command")))


class _Always(set[Any]):
    """Rules none of which ever rests."""

    def discard(self, _one: Any) -> None:
        """Keep it."""


class _Forgetful(dict[Any, Any]):
    """Remembers nothing that was worked out."""

    def __setitem__(self, _name: Any, _value: Any) -> None:
        """Forget it."""


class _Exact(Truths):
    """Judges each statement whenever it is asked for, for just what is known."""

    def of(self, statement: Any, known: Any, *, plain: bool, judge: Callable[[], Truth]) -> Truth:
        """Judge it."""
        return judge()


def _never_resting() -> Bench:
    bench = Bench(*RULES)
    bench.rules._awake = _Always(bench.rules._watchers)
    bench.picture.memo, bench.picture.truths = _Forgetful(), _Exact()
    return bench


def _value(signals: tuple[str, ...]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from(signals).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))
    )


STEPS = st.one_of(
    st.tuples(st.just("heard"), _value(tuple(VALUES))),
    st.tuples(st.just("asked"), _value(WRITTEN)),
    st.tuples(st.just("done"), _value(WRITTEN)),
    st.tuples(st.just("doubtful"), _value(WRITTEN)),
    st.tuples(st.just("judged"), _value(WRITTEN)),
    st.tuples(st.just("passes"), st.sampled_from([0.05, 1.0, 3.0])),
    st.tuples(st.just("silent"), st.sampled_from([2.0, 6.0])),
    st.tuples(st.just("lost"), st.sampled_from(sorted(VALUES))),
    st.tuples(st.just("adopted"), st.sampled_from([None, {"h2.setpoint": 10.0}])),
    st.tuples(st.just("lent"), st.sampled_from([(), ("h2.setpoint",)])),
    st.tuples(st.just("approved"), st.sampled_from([frozenset(), frozenset({"somebody"})])),
    st.tuples(st.just("present"), st.sampled_from([5.0, 100.0])),
    st.tuples(st.just("sample"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("remembered"), st.sampled_from([0.0, 10.0])),
)


TAKES: dict[str, Callable[[Bench, Any], object]] = {
    "heard": lambda b, how: b.picture.heard(*how, b.now),
    "asked": lambda b, how: b.asks(*how),
    "done": lambda b, how: b.rules.ended(*how, b.now, done=True),
    "doubtful": lambda b, how: b.rules.ended(*how, b.now, done=False),
    "judged": lambda b, how: b.refuses(*how),
    "passes": lambda b, how: b.passes(how),
    "silent": lambda b, how: setattr(b, "now", b.now.later(how)),
    "lost": lambda b, how: b.picture.lost(how),
    "adopted": lambda b, how: b.rules.adopt(now=how),
    "lent": lambda b, how: b.rules.lend(how),
    "approved": lambda b, how: b.approvals.approved.update(officer=how),
    "present": lambda b, how: b.rules.presence("operator", b.now.later(how)),
    "sample": lambda b, how: b.rules.begin_sample(how),
    "remembered": lambda b, how: b.rules.recall(b.rules.remember(), how),
}


@settings(max_examples=250, deadline=None)
@given(steps=st.lists(st.tuples(STEPS, st.booleans()), max_size=40))
@example(steps=[(("heard", ("furnace.readback", 600.0)), True), (("passes", 3.0), True)])
def test_rules_that_rest_find_charge_and_refuse_what_they_would_if_looked_at(steps):
    resting, full = Bench(*RULES), _never_resting()
    for (what, how), looks in steps:
        assert TAKES[what](resting, how) == TAKES[what](full, how), (what, how)
        assert resting.rules.remember() == full.rules.remember(), (what, how)
        if looks:
            assert resting.rules.look(resting.now) == full.rules.look(full.now), (what, how)
    assert resting.rules.readings(resting.now) == full.rules.readings(full.now)


def test_on_a_bench_where_nothing_changes_what_counts_no_time_rests():
    bench = Bench(*RULES)
    bench.passes(30.0)

    awake = {watcher.spec.name for watcher in bench.rules._awake}

    assert awake <= {"there", "ramp", "sum", "time"}
