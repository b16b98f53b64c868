"""What must hold of the rules whatever is written, heard and asked, in whichever order."""

import math
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.safety.envelope.specs import (
    Arrival,
    Budget,
    Dwell,
    Ownership,
    Per,
    Rate,
    Requires,
    Sequence,
)
from controller.safety.scene.moment import Moment
from tests.support.rules import AT_REST, MIX, Bench, said

POINTS = 101
"""How finely the reference walks along a path."""

State = dict[str, float]
GASES = ("h2", "o2", "he")


def _diluted(state: State) -> bool:
    total = state["h2"] + state["o2"] + state["he"]
    low = total > 0.0 and (state["h2"] / total < 0.03 or state["o2"] / total < 0.03)
    return state["furnace"] <= 200.0 or (low and total >= 20.0)


REFERENCES: dict[str, tuple[Requires, Callable[[State], bool]]] = {
    "mix": (
        Requires(name="mix", requires=said(MIX), when=said("furnace.temperature > 200 degC")),
        _diluted,
    ),
    "exhaust": (
        Requires(name="exhaust", requires=said("exhaust.flow > 2"), when=said("gas.h2 > 0.1")),
        lambda state: state["h2"] <= 0.1 or state["exhaust"] > 2.0,
    ),
    "gap": (
        Requires(name="gap", requires=said("gas.he < 40 mL/min or gas.he > 60 mL/min")),
        lambda state: state["he"] < 40.0 or state["he"] > 60.0,
    ),
    "sum": (
        Requires(name="sum", requires=said("gas.h2 + gas.o2 <= 18 mL/min")),
        lambda state: state["h2"] + state["o2"] <= 18.0,
    ),
}
SETPOINTS = {
    "h2": ("h2.setpoint", 0.0, 20.0),
    "o2": ("o2.setpoint", 0.0, 20.0),
    "he": ("he.setpoint", 0.0, 200.0),
    "furnace": ("furnace.setpoint", 20.0, 850.0),
}


def _flow(top: float) -> st.SearchStrategy[float]:
    return st.floats(0.0, top) | st.sampled_from([0.0, 0.1, 3.0, 0.5 * top, top])


@settings(max_examples=400, deadline=None)
@given(
    state=st.fixed_dictionaries(
        {"h2": _flow(20.0), "o2": _flow(20.0), "he": _flow(200.0), "exhaust": _flow(8.0)}
    ),
    furnace=st.floats(20.0, 850.0),
    axis=st.sampled_from(sorted(SETPOINTS)),
    share=st.floats(0.0, 1.0),
)
def test_no_write_is_accepted_after_which_a_point_on_its_way_breaks_a_rule(
    state, furnace, axis, share
):
    bench = Bench(*(spec for spec, _ in REFERENCES.values()))
    state = {**state, "furnace": furnace}
    for name, (setpoint, _, _) in SETPOINTS.items():
        bench.picture.heard(setpoint, state[name], bench.now)
        bench.picture.heard(f"{name}.readback", state[name], bench.now)
    bench.hears(exhaust__flow=state["exhaust"])
    signal, low, high = SETPOINTS[axis]
    value = min(max(low + share * (high - low), low), high)
    if bench.rules.envelope.is_safe(signal, value):
        return

    refused = bench.refuses(signal, value)

    if not refused:
        for point in range(POINTS):
            there = state[axis] + (value - state[axis]) * point / (POINTS - 1)
            for name, (_, kept) in REFERENCES.items():
                named = {s.partition(".")[0] for s in bench.rules._by_name[name].signals}
                if axis in named:
                    assert kept({**state, axis: there}), (name, axis, there)


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(["asked", "done", "lost", "heard"]), _flow(20.0)), max_size=12
    )
)
def test_all_that_was_given_and_read_lies_within_what_is_known(changes):
    bench = Bench()
    given_now: list[float] = [0.0]
    for what, value in changes:
        if what == "asked":
            bench.asks("h2.setpoint", value)
            given_now.append(value)
        elif what == "done":
            bench.rules.ended("h2.setpoint", value, bench.now, done=True)
        elif what == "lost":
            bench.rules.ended("h2.setpoint", given_now[-1], bench.now, done=False)
        else:
            bench.hears(h2__readback=value)

        known = bench.picture.known(bench.now)("gas.h2")

        assert known.low <= given_now[-1] <= known.high
        assert known.low <= bench.picture.value("h2.readback") <= known.high


class Spending(RuleBasedStateMachine):
    """Budgets and dwell through writes, time, restarts and odd values: only ever more."""

    SPECS = (
        Budget(name="volume", at_most=1e4, unit="uL", amounts="pump.volume"),
        Budget(name="moves", at_most=1e4, unit="", writes=("he.setpoint", "pump.volume")),
        Budget(name="gas", at_most=1e9, unit="mL", integral=said("gas.h2")),
        Budget(name="dose", at_most=1e4, unit="kGy", increase="dose.accumulated"),
        Budget(name="hour", at_most=1e4, unit="", writes=("he.setpoint",), per=Per.HOUR),
        Budget(name="time", at_most=1e9, unit="s", wall_time=True),
        Dwell(name="dwell", when=said("gas.h2 > 1"), at_most_s=1e9, in_all=True),
    )

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(*self.SPECS)
        self.least: dict[str, float] = {}
        self.volume = self.moves = 0.0
        self.pumped: float | None = None

    @rule(value=st.floats(-1000.0, 1000.0), done=st.booleans())
    def pumps(self, value: float, done: bool) -> None:
        refused = self.bench.refuses("pump.volume", value)
        assert not refused or self.volume + abs(value) >= 1e4 or self.moves + 1.0 >= 1e4
        if not refused:
            self.bench.writes("pump.volume", value, done=done)
            self.volume += abs(value)
            if value != 0.0 or self.pumped != 0.0:
                self.moves += 1.0
            self.pumped = value

    @rule(value=st.floats(0.0, 200.0), done=st.booleans())
    def flows(self, value: float, done: bool) -> None:
        self.bench.writes("he.setpoint", value, done=done)
        self.moves += 1.0

    @rule(value=st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.text(max_size=2))
    def hears_odd_things(self, value: Any) -> None:
        self.bench.hears(h2__readback=value, dose__accumulated=value)

    @rule(value=st.floats(0.0, 20.0), dose=st.floats(0.0, 100.0))
    def hears(self, value: float, dose: float) -> None:
        self.bench.hears(h2__readback=value, dose__accumulated=dose)

    @rule(seconds=st.floats(-1e4, 30.0))
    def time_passes_or_jumps(self, seconds: float) -> None:
        self.bench.now = self.bench.now.later(seconds)
        self.bench.rules.look(self.bench.now)

    @rule(gap_s=st.floats(-1e6, 1e6))
    def restarts(self, gap_s: float) -> None:
        remembered = self.bench.rules.remember()
        self.bench, self.pumped = Bench(*self.SPECS, rest=False), None
        self.bench.rules.recall(remembered, gap_s)
        self.bench.hears(**{name.replace(".", "__"): value for name, value in AT_REST.items()})

    @invariant()
    def nothing_is_ever_given_back(self) -> None:
        for reading in self.bench.rules.readings(self.bench.now):
            assert reading.used is not None
            assert math.isfinite(reading.used)
            assert reading.used >= self.least.get(reading.name, 0.0) * (1.0 - 1e-12)
            self.least[reading.name] = reading.used

    @invariant()
    def what_was_asked_for_is_what_is_charged(self) -> None:
        used = {r.name: r.used for r in self.bench.rules.readings(self.bench.now)}
        assert math.isclose(used["volume"] * 1e4, self.volume, rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(used["moves"] * 1e4, self.moves, rel_tol=1e-9, abs_tol=1e-9)


Spending.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSpending = Spending.TestCase


class Purging(RuleBasedStateMachine):
    """Hydrogen after oxygen, with a reference that knows the true flows at each second."""

    FOR_S = 20.0
    SPECS = (
        Sequence(
            name="purge",
            before=said("gas.h2 > 1 mL/min"),
            after=said("gas.o2 > 1 mL/min"),
            needs=said("gas.he >= 50 mL/min"),
            for_s=FOR_S,
        ),
        Ownership(name="ours", signals=("h2.setpoint", "o2.setpoint")),
    )

    @initialize()
    def begins(self) -> None:
        self.bench = Bench(*self.SPECS)
        self.flows = {"h2": 0.0, "o2": 0.0, "he": 100.0}
        self.swept_s = 0.0
        """For how long there was surely helium and no oxygen, as the reference counts."""

    @rule(gas=st.sampled_from(GASES), value=st.sampled_from([0.0, 0.5, 5.0, 20.0]))
    def writes(self, gas: str, value: float) -> None:
        value = 10.0 * value if gas == "he" else value
        if self.bench.refuses(f"{gas}.setpoint", value):
            return
        if gas == "h2" and value > 1.0 and self.flows["h2"] <= 1.0:
            assert self.flows["o2"] <= 1.0
            assert self.swept_s >= self.FOR_S
        self.bench.writes(f"{gas}.setpoint", value)
        self.flows[gas] = value
        self._sees()

    @rule(seconds=st.integers(1, 30))
    def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.bench.passes(1.0)
            self._sees()
            if self.flows["he"] >= 50.0 and self.flows["o2"] <= 1.0:
                self.swept_s += 1.0

    @precondition(lambda self: self.flows["o2"] <= 1.0)
    @rule()
    def sensor_of_oxygen_is_lost_for_a_moment(self) -> None:
        self.bench.picture.lost("o2.readback")
        self.bench.found()
        self.swept_s = 0.0
        self._sees()

    @invariant()
    def writes_of_ours_are_ours(self) -> None:
        assert "ours" not in self.bench.found()

    def _sees(self) -> None:
        if self.flows["he"] < 50.0 and self.swept_s < self.FOR_S:
            self.swept_s = 0.0
        if self.flows["o2"] > 1.0:
            self.swept_s = 0.0
        self.bench.hears(**{f"{gas}__readback": flow for gas, flow in self.flows.items()})
        self.bench.found()


Purging.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPurging = Purging.TestCase


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(
        st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=3), max_size=6
    ),
    moments=st.lists(st.tuples(st.floats(), st.floats()), max_size=6),
)
def test_odd_values_at_odd_moments_never_raise_and_never_pass_the_limits(values, moments):
    bench = Bench(*(spec for spec, _ in REFERENCES.values()), *Spending.SPECS)
    for value, (campaign_s, real_s) in zip(values, moments, strict=False):
        if math.isinf(campaign_s) or math.isinf(real_s):
            continue
        bench.now = Moment(campaign_s, real_s)
        bench.hears(h2__readback=value, dose__accumulated=value)
        refused = bench.refuses("h2.setpoint", value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number and 0.0 <= value <= 20.0):
            assert refused.startswith("limits: ")
        elif not refused:
            bench.writes("h2.setpoint", value)
        bench.found()


class Accepting(RuleBasedStateMachine):
    """Rules of all kinds on a bench that obeys: what they accept never breaks one of them."""

    SPECS = (
        *(spec for spec, _ in REFERENCES.values()),
        Sequence(
            name="purge",
            before=said("gas.h2 > 1 mL/min"),
            after=said("gas.o2 > 1 mL/min"),
            needs=said("gas.he >= 50 mL/min"),
            for_s=20.0,
        ),
        Rate(
            name="ramp",
            of="furnace.readback",
            per_s=0.5,
            over_s=60.0,
            target="furnace.setpoint",
            ramp_rate="furnace.ramp_rate",
            ramp_at_most=20.0,
        ),
        Rate(name="steps", of="he.readback", per_s=1e3, over_s=9.0, target="he.setpoint", step=60),
        Arrival(
            name="arrives",
            setpoint="furnace.setpoint",
            readback="furnace.readback",
            tolerance=1.0,
            within_s=30.0,
            per_s=10.0 / 60.0,
        ),
        Ownership(name="ours", signals=("h2.setpoint", "furnace.setpoint", "furnace.ramp_rate")),
        Dwell(name="hot", when=said("furnace.temperature > 700 degC"), at_most_s=1e6),
    )

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(*self.SPECS)
        self.at = {name: AT_REST[f"{name}.setpoint"] for name in SETPOINTS}
        self.wanted = dict(self.at)
        self.ramp = 10.0

    @rule(axis=st.sampled_from(sorted(SETPOINTS)), share=st.floats(0.0, 1.0), done=st.booleans())
    def writes(self, axis: str, share: float, done: bool) -> None:
        signal, low, high = SETPOINTS[axis]
        value = min(low + share * (high - low), high)
        if not self.bench.refuses(signal, value):
            self.bench.asks(signal, value)
            assert self.bench.found() == {}
            self.bench.rules.ended(signal, value, self.bench.now, done=done)
            self.bench.picture.heard(signal, value, self.bench.now)
            self.wanted[axis] = value

    @rule(rate=st.floats(0.0, 30.0))
    def ramps(self, rate: float) -> None:
        if not self.bench.refuses("furnace.ramp_rate", rate):
            assert 0.0 < rate <= 20.001
            if rate >= 10.0:
                self.bench.writes("furnace.ramp_rate", rate)
                self.ramp = rate

    @rule(seconds=st.integers(1, 40))
    def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.bench.now = self.bench.now.later(1.0)
            for name, wanted in self.wanted.items():
                way = wanted - self.at[name]
                fastest = self.ramp / 60.0 if name == "furnace" else 5.0
                self.at[name] += max(-fastest, min(fastest, way))
            self.bench.hears(**{n.replace(".", "__"): v for n, v in self._says().items()})
            assert self.bench.found() == {}

    def _says(self) -> dict[str, Any]:
        said_now = {name: self.bench.picture.value(name) for name in AT_REST}
        return said_now | {f"{name}.readback": value for name, value in self.at.items()}


Accepting.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestAccepting = Accepting.TestCase
