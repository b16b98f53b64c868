"""The gate and the copper twin through random histories; long ones: benchmarks.safety_model."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.safety.gate.course import NOBODY
from controller.safety.record.audit import Audit
from controller.safety.states.causes import Trip
from controller.safety.states.machine import Facts, Input, Standing, State
from tests.support.audit_replay import replayed
from tests.support.gate_histories import History, copper_envelope, lived

SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("seed", range(5))
def test_the_twin_never_leaves_the_envelope_whatever_happens(tmp_path, seed):
    happened, wrong = lived(tmp_path, seed, acts=20)

    assert wrong == [], happened


def test_without_its_rules_the_same_histories_leave_the_envelope(tmp_path):
    bare = replace(copper_envelope(), rules=())

    wrong = lived(tmp_path, 2, 30, bare)[1]

    assert any("of both gases" in what for what in wrong)


@pytest.fixture
def histories(tmp_path_factory):
    class Histories(RuleBasedStateMachine):
        """Hypothesis chooses what happens, and makes what goes wrong as short as it can."""

        def __init__(self) -> None:
            super().__init__()
            self.history = History(tmp_path_factory.mktemp("history"), 1, copper_envelope())

        @rule(index=st.integers(0, 10**6), seed=SEEDS)
        def something_happens(self, index: int, seed: int) -> None:
            self.history.chance(seed)
            self.history.does(self.history.acts[index % len(self.history.acts)])

        @invariant()
        def the_truth_is_within_the_envelope(self) -> None:
            assert self.history.wrongs() == []

        def teardown(self) -> None:
            assert self.history.ends() == []

    return Histories


def test_hypothesis_finds_no_way_out_of_the_envelope(histories):
    case = histories.TestCase()
    case.settings = settings(
        max_examples=5,
        stateful_step_count=10,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    case.runTest()


def test_a_record_with_a_step_that_no_gate_takes_is_found_out(tmp_path):
    file = tmp_path / "planted.sqlite"
    clock = VirtualClock()
    chain = Chain.open(file, "writes")
    audit = Audit(chain, clock)

    audit.step(Input.TRIP, Facts(), Standing(State.SAFING, "a rule"), Trip(), NOBODY)
    audit.intent("furnace.setpoint", 300.0)
    audit.step(Input.RESET, Facts(role=True), Standing(), Trip(), NOBODY)
    chain.close()
    clock.loop.close()

    found = replayed(file, copper_envelope())
    assert [what.partition(":")[0] for what in found] == ["record 1", "record 2", "record 3"]
    assert "while safing" in found[1]
