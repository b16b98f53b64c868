from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.safety.states.machine import Duty, Facts, Input, Standing, State, restarted, step
from tests.support.safety_invariants import INVARIANTS, STEPS, steps_wrong, wrongs
from tests.support.safety_model import Model, World, explore
from tests.support.safety_mutants import (
    OTHER_PARTS,
    found_in,
    survivors,
    without_a_duty,
    without_a_guard,
)

ALL = Facts(*[True] * 7)


def test_every_step_that_can_be_reached_keeps_every_invariant():
    found = explore(Model(), wrongs)

    assert found.wrong == []
    assert steps_wrong(found) == []
    assert found.states == set(State)
    assert found.worlds > 3000
    assert found.transitions > 100_000


def test_without_any_one_of_its_guards_something_would_be_found():
    mutants = list(without_a_guard())

    assert len(mutants) == 32
    assert survivors(mutants) == []


def test_without_any_one_of_its_duties_something_would_be_found():
    mutants = list(without_a_duty())

    assert len(mutants) == 19
    assert survivors(mutants) == []


@pytest.mark.parametrize("name", OTHER_PARTS, ids=lambda name: name.replace(" ", "-"))
def test_what_stands_beside_the_table_is_found_when_it_is_wrong(name):
    assert found_in(OTHER_PARTS[name])


def test_each_invariant_says_what_it_promises():
    assert all(invariant.__doc__ for invariant in INVARIANTS)
    assert len(STEPS) == 38


@settings(max_examples=60)
@given(st.integers(0, 2**40))
def test_a_long_walk_at_random_keeps_every_invariant(seed: int):
    rng, model, world = Random(seed), Model(), World()

    for _ in range(40):
        act = rng.choice(list(model.acts(world)))
        transition = rng.choice(list(model.after(world, act)))
        assert list(wrongs(transition)) == []
        world = transition.after


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("marker", [True, False], ids=["marker", "none"])
def test_a_gate_that_starts_is_safing_latched_or_disarmed(state, marker):
    began, duties = restarted(Standing(state, "a rule", acknowledged=True), marker=marker)

    assert began.state in (State.SAFING, State.LATCHED, State.DISARMED)
    assert began.state is not State.DISARMED or not marker
    assert not began.acknowledged
    if began.state is State.SAFING:
        assert Duty.MAKE_SAFE in duties


def test_a_campaign_that_begins_while_something_holds_waits():
    held = Facts(**{**dict.fromkeys(Facts.__slots__, True), "nothing_holds": False})

    assert step(Standing(State.ARMED), Input.BEGIN, ALL).standing.state is State.RUNNING
    assert step(Standing(State.ARMED), Input.BEGIN, held).standing.state is State.HOLD


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_an_emergency_stop_makes_safe_from_every_state_and_needs_no_role(state):
    stopped = step(Standing(state), Input.STOP, Facts(), "emergency stop")

    assert stopped.taken
    assert stopped.standing.state is State.SAFING
    assert Duty.MAKE_SAFE in stopped.duties or state is State.SAFING
