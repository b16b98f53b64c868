"""Cheap experiments are made for what they tell of the outcome at the target fidelity."""

import math
from dataclasses import replace

import numpy as np
import pytest

from agents.bayesian import AT_TARGET, PER_COST
from agents.belief import Belief
from agents.catalogue import build_agent
from agents.cost_options import CostOptions, FidelityOptions
from agents.errors import AgentOptionError
from agents.fidelity import fidelity_of, told
from agents.history import History
from agents.learning import believe
from agents.prospects import Question, improvement
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Categorical, Continuous, Discrete, LinearConstraint, Space
from benchmarks.decisions.fidelity import PROBLEMS, cost_to_target

SPACE = Space((Continuous("x", 0, 1), Discrete("minutes", (1.0, 10.0))))
YIELD = Objective("yield", Goal.MAXIMIZE, "%")
STATED = {"parameter": "minutes", "target": 10}
COSTS = {"experiment": 0.1, "measuring": {"minutes": 1.0}}


def truth(x, minutes):
    return 10 * math.sin(5 * x) + (0.0 if minutes == 10 else 1.5 + x)


def observed(point, number=0):
    return Observation(f"e{number}", point, {"yield": Measured(truth(**point), 0.0)})


def built(space=SPACE, objectives=(YIELD,), **options):
    given = {"fidelity": STATED, "costs": COSTS, "initial": 4, **options}
    return build_agent("bayesian", given, space, objectives, 2)


def run(agent, count):
    asked = []
    for number in range(count):
        asked += agent.ask(1)
        agent.tell([observed(asked[-1].parameters, number)])
    return asked


def belief_of(points) -> Belief:
    history = History(SPACE)
    history.tell([observed(point, number) for number, point in enumerate(points)])
    belief = believe(history, YIELD, warp=False)
    assert belief is not None
    return belief


def test_the_target_is_reached_at_less_cost_than_by_dear_experiments_alone():
    branin, seeds = PROBLEMS["branin"], range(5)

    dear = [cost_to_target(branin, seed, cheap=False)[0] for seed in seeds]
    both = [cost_to_target(branin, seed, cheap=True)[0] for seed in seeds]

    assert np.median(both) < 0.85 * np.median(dear)


def test_both_fidelities_are_used_and_the_best_is_found_at_the_target():
    suggestions = run(built(), 16)[4:]

    values = {s.parameters["minutes"] for s in suggestions}
    best = max(truth(**s.parameters) for s in suggestions if s.parameters["minutes"] == 10)
    assert {s.model for s in suggestions} == {AT_TARGET + PER_COST}
    assert values == {1.0, 10.0}
    assert best > 9.9


def test_told_at_once_the_same_is_suggested_as_told_one_by_one():
    slowly, at_once = built(), built()
    asked = run(slowly, 9)
    at_once.tell([observed(s.parameters, number) for number, s in enumerate(asked)])

    assert at_once.ask(2) == slowly.ask(2)


def test_a_cheap_experiment_says_what_is_expected_at_the_target():
    agent = built()
    cheap = [s for s in run(agent, 14)[4:] if s.parameters["minutes"] == 1]

    assert "It is made for what it tells of minutes 10, where yield is expected" in cheap[0].note
    assert cheap[0].note in agent.explain(cheap[0])


def test_at_the_target_and_without_noise_it_is_the_expected_improvement():
    points = [{"x": x / 4, "minutes": 10.0} for x in range(5)]
    belief = belief_of(points)
    belief = replace(belief, surrogate=replace(belief.surrogate, noise=1e-9))
    fidelity = fidelity_of(FidelityOptions(**STATED), CostOptions.model_validate(COSTS), SPACE)
    asked = Question(np.empty((0, 2)), 16, 1)
    places = SPACE.encode([{"x": x, "minutes": 10.0} for x in (0.1, 0.4, 0.9)])

    ours = told(belief, fidelity, asked).values(places)

    assert ours == pytest.approx(improvement(belief, (), asked).values(places), rel=1e-3)


def test_a_cheap_experiment_moves_the_mean_at_the_target_less_than_a_dear_one_in_its_place():
    points = [{"x": x / 4, "minutes": m} for x in range(5) for m in (1.0, 10.0)]
    belief = belief_of(points)
    fidelity = fidelity_of(FidelityOptions(**STATED), CostOptions.model_validate(COSTS), SPACE)
    acquisition = told(belief, fidelity, Question(np.empty((0, 2)), 16, 1))
    xs = np.linspace(0.05, 0.95, 7)

    mean, cheap = acquisition.ahead(SPACE.encode([{"x": x, "minutes": 1.0} for x in xs]))
    same, dear = acquisition.ahead(SPACE.encode([{"x": x, "minutes": 10.0} for x in xs]))

    assert mean == pytest.approx(same)
    assert np.all(cheap <= dear * (1 + 1e-9))


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        (SPACE, {"fidelity": {"parameter": "hours", "target": 1}}, "no parameter; parameters: x"),
        (SPACE, {"fidelity": {"parameter": "minutes", "target": 5}}, "fidelity.target"),
        (SPACE, {"costs": None}, "costs.measuring.minutes"),
        (SPACE, {"outcome_constraints": [{"outcome": "heat", "at_most": 1}]}, "one objective"),
        (
            Space((Continuous("x", 0, 1), Categorical("minutes", ("1", "10")))),
            {"costs": {"experiment": 1}},
            "has options and no numbers",
        ),
        (
            Space(SPACE.parameters, (LinearConstraint({"x": 1.0, "minutes": 1.0}, "<=", 9.0),)),
            {},
            "no constraint that names minutes",
        ),
        (Space((Discrete("minutes", (1.0, 10.0)),)), {}, "the only parameter"),
    ],
)
def test_a_fidelity_that_makes_no_sense_is_refused(space, options, said):
    with pytest.raises(AgentOptionError, match=said):
        built(space, **options)
