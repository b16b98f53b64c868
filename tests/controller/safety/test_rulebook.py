import math
from dataclasses import replace

import numpy as np
import pytest

from controller.errors import JournalBroken, SafetyError
from controller.safety.envelope.specs import (
    AnyRule,
    Approval,
    Arrival,
    Budget,
    Dwell,
    Follows,
    Ownership,
    Permit,
    Rate,
    Reaction,
    Requires,
    Sequence,
)
from tests.support.rules import Bench, said

H2 = said("gas.h2 > 15 mL/min")
KINDS: dict[str, AnyRule] = {
    "requires": Requires(name="r", requires=said("gas.h2 < 15 mL/min")),
    "permit": Permit(name="r", requires=said("gas.h2 < 15 mL/min")),
    "rate": Rate(name="r", of="h2.readback", per_s=1.0, over_s=10.0, target="h2.setpoint", step=9),
    "arrival": Arrival(
        name="r", setpoint="h2.setpoint", readback="h2.readback", tolerance=1.0, within_s=9.0
    ),
    "follows": Follows(name="r", setpoint="h2.setpoint", readback="h2.readback", tolerance=1.0),
    "ownership": Ownership(name="r", signals=("h2.setpoint",)),
    "sequence": Sequence(name="r", before=H2, after=said("gas.o2 > 1"), needs=H2, for_s=1.0),
    "budget": Budget(name="r", at_most=100.0, unit="mL", amounts="h2.setpoint"),
    "dwell": Dwell(name="r", when=H2, at_most_s=10.0),
    "approval": Approval(name="r", persons=1, when=H2),
}
NO_NUMBERS = [
    math.nan,
    math.inf,
    -math.inf,
    -math.nan,
    np.float64("nan"),
    np.float32("inf"),
    10**400,
    -(10**400),
    True,
    False,
    np.True_,
    "5",
    "",
    b"5",
    None,
    1j,
    [5.0],
    (5.0,),
    {},
    np.array([5.0, 6.0]),
    np.array(5.0),
    object,
]
NUMBERS = [0, 5, 5.0, -0.0, 5e-324, -5e-324, 2.2e-308, np.float32(5), np.int8(5), np.uint64(5)]
TOO_LARGE = [1.7976931348623157e308, -1e308, 1e300, 2**70, 20.000000000000004, -5e-300]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: f"{type(v).__name__} {str(v)[:8]}")
def test_whatever_the_rule_what_is_no_number_is_refused_by_the_limits(kind, value):
    bench = Bench(KINDS[kind])

    assert bench.refuses("h2.setpoint", value).startswith("limits: ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", TOO_LARGE, ids=repr)
def test_whatever_the_rule_what_is_outside_is_refused_by_the_limits(kind, value):
    bench = Bench(KINDS[kind])

    if value == -5e-300:
        value = -math.nextafter(0.0, 1.0) * 2
    assert bench.refuses("h2.setpoint", value).startswith("limits: ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_whatever_the_rule_a_number_inside_is_judged(kind, value):
    bench = Bench(KINDS[kind])

    refused = bench.refuses("h2.setpoint", value)

    if math.copysign(1.0, value) < 0.0 and value != 0.0:
        assert refused.startswith("limits: ")
    else:
        assert refused == ""
        bench.writes("h2.setpoint", value)
        bench.found()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: f"{type(v).__name__} {str(v)[:8]}")
def test_whatever_the_rule_readbacks_that_say_nothing_never_raise(kind, value):
    bench = Bench(KINDS[kind])
    bench.writes("h2.setpoint", 5.0)

    bench.hears(h2__readback=value, h2__setpoint=value, o2__readback=value)
    found = bench.found()
    bench.rules.readings(bench.now)
    bench.refuses("h2.setpoint", 6.0)

    if kind in {"requires", "permit", "rate", "ownership", "sequence", "approval"}:
        assert "r" in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_safe_write_passes_every_rule(kind):
    bench = Bench(KINDS[kind], rest=False)
    bench.found()

    assert bench.refuses("h2.setpoint", 0.0) == ""
    assert bench.refuses("h2.setpoint", np.float32(0.0)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_says_its_kind(kind):
    bench = Bench(KINDS[kind])

    assert bench.reading("r").kind == kind


def test_what_no_rule_names_is_judged_by_limits_alone():
    bench = Bench(KINDS["requires"])
    bench.picture.lost("h2.readback")

    assert bench.refuses("furnace.setpoint", 300.0) == ""
    assert bench.refuses("nothing.here", 1.0).startswith("limits: envelope 'on paper' neither")


def test_the_first_rule_of_the_file_that_is_against_it_is_named():
    first = Requires(name="first", requires=said("gas.h2 < 5 mL/min"))
    second = Requires(name="second", requires=said("gas.h2 < 4 mL/min"))

    assert Bench(first, second).refuses("h2.setpoint", 6.0).startswith("first: ")
    assert Bench(second, first).refuses("h2.setpoint", 6.0).startswith("second: ")


def test_a_mandatory_rule_is_never_bypassed():
    spec = Requires(name="hot", requires=said("gas.h2 < 5"), mandatory=True)
    bench = Bench(spec)

    with pytest.raises(SafetyError, match="'hot' is mandatory: it can't be bypassed by anybody"):
        bench.rules.bypass("hot", bench.now.later(60.0))


def test_a_rule_that_there_is_not_cannot_be_bypassed():
    bench = Bench(KINDS["requires"])

    with pytest.raises(SafetyError, match="'x' can't be bypassed: there are r"):
        bench.rules.bypass("x", bench.now.later(60.0))


def test_a_bypassed_budget_goes_on_counting():
    bench = Bench(KINDS["budget"])
    bench.rules.bypass("r", bench.now.later(60.0))
    for _ in range(6):
        bench.writes("h2.setpoint", 20.0)
    assert bench.found() == {}

    bench.now = bench.now.later(61.0)

    assert bench.found()["r"].startswith("trip: 120 mL of 100 mL")


def test_findings_say_which_signals_they_are_about():
    bench = Bench(KINDS["requires"])
    bench.hears(h2__readback=18.0)

    (finding,) = bench.rules.look(bench.now)

    assert finding.signals == ("h2.readback", "h2.setpoint")
    assert finding.reaction is Reaction.TRIP


def test_all_that_is_broken_is_found_at_once():
    specs = [Requires(name=f"r{i}", requires=said(f"gas.h2 < {10 + i}")) for i in range(9)]
    bench = Bench(*specs)

    bench.hears(h2__readback=14.5)

    assert set(bench.found()) == {f"r{i}" for i in range(5)}


@pytest.mark.parametrize(
    "data",
    [{}, {"version": 2, "rules": {}}, {"version": 1}, {"version": 1, "rules": {"budget:r": 3}}],
    ids=str,
)
def test_what_no_rulebook_remembered_is_refused(data):
    bench = Bench(KINDS["budget"])

    with pytest.raises(JournalBroken):
        bench.rules.recall(data, 1.0)


@pytest.mark.parametrize("gap_s", [math.nan, math.inf])
def test_a_gap_that_is_no_time_is_an_error(gap_s):
    with pytest.raises(ValueError, match="a gap of"):
        Bench(KINDS["budget"]).rules.recall({"version": 1, "rules": {}}, gap_s)


def test_the_same_story_told_twice_gives_the_same_words():
    def told() -> list:
        bench = Bench(*(replace(spec, name=kind) for kind, spec in KINDS.items()))
        words = []
        for value in (5.0, 9.0, 16.0, 2.0):
            words.append(bench.refuses("h2.setpoint", value))
            bench.writes("h2.setpoint", value)
            bench.passes(7.0)
            words.append(bench.found())
        return [*words, bench.rules.readings(bench.now), bench.rules.remember()]

    assert told() == told()
