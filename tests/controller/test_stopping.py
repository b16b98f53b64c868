"""Rules that end a campaign when going on isn't worth it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.grounds import Grounds
from agents.protocols import Goal, Measured, Objective, Observation, Suggestion
from controller.stopping import (
    StopTerms,
    expects_too_little,
    gained_nothing,
    misses_too_little,
)

YIELD = Objective("yield", Goal.MAXIMIZE)
LOSS = Objective("loss", Goal.MINIMIZE)


def suggestion(grounds: Grounds | None) -> Suggestion:
    return Suggestion(parameters={"x": 1.0}, agent="a", model="m", seed=1, known=0, grounds=grounds)


def promising(*gains: float | None) -> list[Suggestion]:
    return [suggestion(Grounds(expected_gain=gain, regret_bound=gain)) for gain in gains]


def observed(objective: Objective, *values: float, sigma: float = 0.0) -> list[Observation]:
    return [
        Observation(f"e-{n}", {"x": 1.0}, {objective.name: Measured(value, sigma)})
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("rule", "terms"),
    [
        (expects_too_little, StopTerms(expected_gain=0.1, in_a_row=2)),
        (misses_too_little, StopTerms(regret=0.1, in_a_row=2)),
    ],
)
def test_a_campaign_ends_when_its_agent_has_said_often_enough_that_little_is_left(rule, terms):
    assert rule(terms, promising(3.0, 0.05, 0.05))
    assert not rule(terms, promising(0.05, 3.0, 0.05))
    assert not rule(terms, promising(0.05))


def test_a_point_that_fills_space_says_nothing_and_breaks_no_row():
    terms = StopTerms(expected_gain=0.1, in_a_row=2)
    low, filling = promising(0.05), [suggestion(None)]

    assert expects_too_little(terms, [*low, *filling, *low])
    assert not expects_too_little(terms, [*filling, *filling])


def test_a_model_that_is_not_to_be_trusted_ends_nothing():
    terms = StopTerms(expected_gain=0.1, in_a_row=2)
    alarmed = suggestion(Grounds(expected_gain=0.0, alarm="its intervals cover 40 % of outcomes"))

    assert not expects_too_little(terms, [*promising(0.05), alarmed])


def test_an_agent_that_says_no_number_ends_nothing():
    assert not expects_too_little(StopTerms(expected_gain=1.0, in_a_row=1), promising(None))


def test_without_a_limit_nothing_ends():
    nothing = StopTerms()
    assert not expects_too_little(nothing, promising(0.0, 0.0, 0.0))
    assert not misses_too_little(nothing, promising(0.0, 0.0, 0.0))
    assert not gained_nothing(nothing, YIELD, observed(YIELD, *[1.0] * 100))


def test_a_campaign_ends_when_so_many_experiments_gained_nothing():
    terms = StopTerms(no_gain_in=3)

    assert gained_nothing(terms, YIELD, observed(YIELD, 1.0, 0.5, 0.9, 1.0))
    assert not gained_nothing(terms, YIELD, observed(YIELD, 1.0, 0.5, 0.9, 1.1))
    assert gained_nothing(terms, LOSS, observed(LOSS, 1.0, 2.0, 1.5, 1.0))


def test_what_scatters_gains_nothing_and_what_creeps_up_does():
    terms = StopTerms(no_gain_in=3)

    assert gained_nothing(terms, YIELD, observed(YIELD, 1.0, 1.1, 1.05, 1.12, sigma=0.2))
    creeping = observed(YIELD, 1.0, 1.1, 1.2, 1.3, 1.4, sigma=0.2)
    assert not gained_nothing(terms, YIELD, creeping)


def test_an_experiment_that_failed_is_no_experiment_without_a_gain():
    failed = [Observation(f"f-{n}", {"x": 1.0}, feasible=False) for n in range(5)]

    assert not gained_nothing(StopTerms(no_gain_in=3), YIELD, [*observed(YIELD, 1.0), *failed])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.integers(1, 10),
    st.floats(0.0, 10.0),
)
def test_a_rule_that_ends_a_campaign_would_have_with_less_patience_too(values, patience, sigma):
    observations = observed(YIELD, *values, sigma=sigma)
    ends = [
        gained_nothing(StopTerms(no_gain_in=n), YIELD, observations) for n in range(1, patience + 1)
    ]

    assert ends == sorted(ends, reverse=True)
