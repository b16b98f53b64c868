"""Whatever the measurements are, the agent goes on: with a model, or with a marked fallback."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.catalogue import build_agent
from agents.digest import canonical, plain
from agents.learning import believable
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Continuous, Space

PLANE = Space((Continuous("x", 0, 10), Continuous("y", -1, 1)))
GOALS = {
    "greater": Objective("z", Goal.MAXIMIZE),
    "less": Objective("z", Goal.MINIMIZE),
    "target": Objective("z", Goal.TARGET, target=2.0),
}
OPTIONS = {"initial": 1, "samples": 16, "restarts": 2}


def told(values, goal="greater", points=None, **options):
    objectives = (GOALS[goal],)
    agent = build_agent("bayesian", {**OPTIONS, **options}, PLANE, objectives, 1)
    places = points or PLANE.sample(len(values), 3)
    agent.tell(
        [
            Observation(str(number), place, {"z": Measured(value, 0.0)})
            for number, (place, value) in enumerate(zip(places, values, strict=True))
        ]
    )
    return agent


def sound(suggestion):
    canonical(plain(suggestion))  # refuses NaN and infinities
    return PLANE.check(suggestion.parameters) == ()


@pytest.mark.parametrize("goal", GOALS)
@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(
        st.one_of(
            st.sampled_from([0.0, 1.0, -1e6, 1e6, 1e12, 1e-12, math.nan, math.inf, -math.inf]),
            st.floats(-1e3, 1e3),
        ),
        min_size=1,
        max_size=14,
    )
)
def test_any_outcomes_whatever_lead_to_a_suggestion(goal, values):
    agent = told(values, goal)

    for suggestion in agent.ask(2):
        assert sound(suggestion)
        assert suggestion.note


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_constant_outcome_is_survived(count):
    [suggestion] = told([3.3] * count).ask(1)

    assert sound(suggestion)


def test_the_same_point_over_and_over_is_survived_and_left():
    point = {"x": 3.0, "y": 0.1}

    agent = told([1.0, 1.1, 0.9, 1.05, 0.97, 1.02], points=[point] * 6)

    [suggestion] = agent.ask(1)
    assert sound(suggestion)
    assert suggestion.parameters != point


@pytest.mark.parametrize("sign", [-1, 1])
def test_one_outcome_a_million_sigma_away_leaves_the_others_told_apart(sign):
    points = PLANE.sample(24, 5)
    values = [-((p["x"] - 4) ** 2) / 10 + p["y"] for p in points]
    values[7] = sign * 1e6

    agent = told(values, points=points)
    low, high = agent.predict([{"x": 9.5, "y": -0.9}, {"x": 4.0, "y": 0.9}])

    assert low["z"].mean < high["z"].mean
    assert sound(agent.ask(1)[0])


def test_ordinary_outcomes_are_all_believed():
    values = np.random.default_rng(0).standard_normal(50)

    low, high = believable(values)

    assert low < values.min() and values.max() < high
    assert believable(values[:4]) == (-np.inf, np.inf)
    assert believable(np.array([1.0, 1.0, 1.0, 1.0, 9.0])) == (-np.inf, np.inf)


def test_two_thousand_observations_are_survived():
    generator = np.random.default_rng(0)
    points = [{"x": float(10 * x), "y": float(2 * y - 1)} for x, y in generator.random((2000, 2))]
    values = [math.sin(p["x"]) + p["y"] for p in points]

    [suggestion] = told(values, points=points, initial=10).ask(1)

    assert sound(suggestion)
    assert suggestion.model in {"gp-matern52/log-nei", "sobol"}


def test_a_constraint_that_nothing_keeps_is_survived():
    limits = [{"outcome": "z", "at_most": -1e9}]

    [suggestion] = told([1.0, 2.0, 3.0, 2.5, 1.5], outcome_constraints=limits).ask(1)

    assert sound(suggestion)
