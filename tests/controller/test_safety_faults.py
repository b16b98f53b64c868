"""Faults under the copper station's own rules, in the real processes, and what the operator reads.

Every kind in every phase: ``python -m benchmarks.safety_faults``.
"""

import math
from collections.abc import Iterator

import pytest

from agents.protocols import Suggestion
from agents.space import Continuous, Space
from controller.bus.errors import BusError
from controller.bus.messages import Arm, Ask, Failed, PlanEnded, Suggested
from controller.remote.vetting import Nonsense, suggestions_in
from simulators.ioc.faults import Kind
from tests.support.crews import LEASE
from tests.support.safety_faults import on_panel
from tests.support.safety_rig import POINT, SafetyRig, safety_rig
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SafetyRig]:
    with safety_rig(tmp_path_factory.mktemp("safety") / "copper", lease=LEASE) as made:
        assert made.ready() == ""
        yield made


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.MOVED, "furnace.setpoint was set to 600 degC, and not by us"),
        (Kind.NAN, "furnace.readback is unknown"),
    ],
)
def test_what_must_not_be_trips_while_it_heats_in_hydrogen(rig, kind, said):
    met = rig.meet(kind.value, "heating", on_panel(kind))

    assert met.survived, met
    assert met.state == "latched"
    assert said in met.said


def test_an_ioc_that_reboots_in_a_ramp_leaves_the_bench_safe_and_latched(rig):
    met = rig.meet("reboot", "heating", on_panel(Kind.REBOOT))

    assert met.survived, met
    assert met.state == "latched"


def test_limits_that_are_not_those_in_force_are_not_armed(rig):
    answer = rig.crew.gate.call(Arm(digest="0" * 64), PATIENCE_S)

    assert isinstance(answer, Failed)
    assert rig.digest[:8] in answer.reason or "limits" in answer.reason


@pytest.mark.parametrize("value", [math.nan, -math.inf, "hot", None], ids=str)
def test_an_agent_that_proposes_nonsense_moves_nothing(rig, value):
    assert rig.ready() == ""
    before = rig.shown("furnace.setpoint")

    try:
        answer = rig.crew.engine.call(rig.asked({**POINT, "temperature": value}), PATIENCE_S)
    except (BusError, ValueError):  # it can't even be said
        answer = Failed(error="Unspeakable", reason="temperature")

    assert isinstance(answer, Failed | PlanEnded)
    assert "temperature" in answer.reason or "furnace.setpoint" in answer.reason
    assert rig.shown("furnace.setpoint") == before


def test_an_agent_that_proposes_a_million_points_proposes_none():
    space = Space((Continuous("temperature", 20.0, 600.0),))
    one = Suggestion({"temperature": 100.0}, "test", "test", 0, 0, id="p")
    many = Suggested.model_construct(suggestions=(one,) * 1_000_000)

    with pytest.raises(Nonsense, match="1000000 suggestions, and was asked for 1"):
        suggestions_in(many, Ask(count=1, known=0), space)
