"""Any surrogate can stand behind the decisions, and which one does is chosen by evidence, shown."""

import math

import numpy as np
import pytest

from agents.catalogue import build_agent, read_options
from agents.errors import AgentOptionError
from agents.protocols import Goal, Measured, Objective, Observation, Suggestion
from agents.space import Categorical, Continuous, Space
from agents.steady import Steady
from models.surrogates.choice import LEARNERS
from models.surrogates.training import Training

PLANE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
POOL = Space(
    (Continuous("x", 0, 1), Continuous("y", 0, 1)),
    pool=tuple({"x": i / 9, "y": j / 9} for i in range(10) for j in range(10)),
)
MIXED = Space((Continuous("x", 0, 1), Categorical("k", ("a", "b", "c"))))
OUT = Objective("out", Goal.MAXIMIZE)
NAMES = ["mixed", "forest", "deep-kernel", "ensemble", "dropout", "quantile"]


def bowl(x, y=0.5, k="a"):
    return -((x - 0.3) ** 2) - (y - 0.7) ** 2 - {"a": 0.2, "b": 0.0, "c": 0.4}[k]


def ridge(x, y):
    return math.sin(9 * (x + y))


def observed(point, number, truth=bowl):
    return Observation(f"e{number}", point, {"out": Measured(truth(**point), 0.0)})


def told(space, count, truth=bowl, **options):
    agent = build_agent("bayesian", options, space, (OUT,), 1)
    points = space.sample(count, 9)
    agent.tell([observed(point, number, truth) for number, point in enumerate(points)])
    return agent


@pytest.mark.parametrize(
    ("name", "space"),
    [
        *((name, PLANE) for name in NAMES),
        ("forest", POOL),
        ("ensemble", POOL),
        ("forest", MIXED),
        ("mixed", MIXED),
    ],
)
def test_every_surrogate_decides_in_its_name_over_spaces_lists_and_options(name, space):
    agent = told(space, 12, surrogate=name)
    away = Suggestion(space.sample(1, 77)[0], "person", "", 0, 0)

    first, second = agent.ask(2, [away])

    assert first.model.partition("/")[0] == LEARNERS[name](_few(), 0).name
    assert space.check(first.parameters) == ()
    assert first.parameters != second.parameters
    assert set(first.grounds.sensitivity) == set(space.names)
    assert first.predictions["out"].epistemic > 0


def _few():
    random = np.random.default_rng(1)
    return Training(random.random((9, 2)), random.normal(size=9), np.zeros(9), np.arange(2))


@pytest.mark.parametrize("name", ["forest", "ensemble", "choose"])
def test_told_at_once_the_same_is_suggested_as_told_one_by_one(name):
    slowly = build_agent("bayesian", {"surrogate": name, "initial": 5}, PLANE, (OUT,), 4)
    observations = []
    for number in range(11):
        [asked] = slowly.ask(1)
        observations.append(observed(asked.parameters, number))
        slowly.tell(observations[-1:])
    at_once = build_agent("bayesian", {"surrogate": name, "initial": 5}, PLANE, (OUT,), 4)
    at_once.tell(observations)

    assert at_once.ask(1) == slowly.ask(1)


def test_where_a_direction_is_no_parameter_the_chosen_one_foretells_twice_as_well():
    places = PLANE.sample(150, 33)
    usual = told(PLANE, 40, ridge)
    chosen = told(PLANE, 40, ridge, surrogate="choose", among=["gp", "deep-kernel"])

    lost = [
        math.sqrt(
            np.mean(
                [
                    (expected["out"].mean - ridge(**place)) ** 2
                    for expected, place in zip(agent.predict(places), places, strict=True)
                ]
            )
        )
        for agent in (usual, chosen)
    ]

    assert lost[1] < 0.5 * lost[0]


def test_the_choice_is_shown_with_its_scores():
    agent = told(PLANE, 41, ridge, surrogate="choose", among=["gp", "deep-kernel"])

    [asked] = agent.ask(1)

    assert "The model is deep-kernel: clearly the best by held-out NLL" in agent.explain(asked)
    assert asked.fit["out.nll.deep-kernel"] < asked.fit["out.nll.gp"]
    assert asked.model == "deep kernel/log-ei"


def test_where_none_is_clearly_better_the_first_stays():
    agent = told(PLANE, 21, surrogate="choose", among=["gp", "quantile"])

    [asked] = agent.ask(1)

    assert "The model is gp: none is clearly better" in asked.note
    assert asked.model == "gp-matern52/log-nei"


def test_experiments_that_failed_are_kept_away_from():
    agent = told(PLANE, 12, surrogate="ensemble")
    [before] = agent.ask(1)
    agent.tell([Observation("failed", before.parameters, {}, feasible=False)])

    [after] = agent.ask(1)

    apart = [before.parameters[name] - after.parameters[name] for name in ("x", "y")]
    assert math.hypot(*apart) > 0.02


@pytest.mark.parametrize("name", ["mixed", "deep-kernel", "ensemble"])
def test_slopes_are_those_of_the_values_also_beside_supposed_experiments(name):
    surrogate = Steady.of(LEARNERS[name](_few(), 0))
    supposed = surrogate.imagining(np.array([[0.4, 0.6]]), np.array([0.5]))
    places, step = np.random.default_rng(2).random((4, 2)), 1e-5

    for each in (surrogate, supposed):
        slopes = each.slopes(places)
        for column in range(2):
            away = step * np.eye(2)[column]
            up, down = each.slopes(places + away), each.slopes(places - away)
            by_mean = (up.mean - down.mean)[:, 0] / (2 * step)
            by_sigma = (up.sigma - down.sigma) / (2 * step)
            assert slopes.by_mean[:, 0, column] == pytest.approx(by_mean, abs=1e-4)
            assert slopes.by_sigma[:, column] == pytest.approx(by_sigma, abs=1e-4, rel=1e-3)


def test_a_supposed_experiment_is_believed_where_it_was_made():
    surrogate = Steady.of(LEARNERS["mixed"](_few(), 0))
    place = np.array([[0.9, 0.1]])

    mean, sigma = surrogate.moments(place)
    supposed, less = surrogate.imagining(place, mean + 1).moments(place)

    assert mean < supposed <= mean + 1
    assert less < sigma


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"surrogate": "oracle"}, "'gp', 'mixed', 'forest'"),
        ({"among": ["gp", "forest"]}, "`among` belongs to `surrogate: choose`"),
        ({"surrogate": "choose", "among": ["gp"]}, "two surrogates or more"),
        (
            {"surrogate": "forest", "fidelity": {"parameter": "x", "target": 1}},
            "takes neither transfer nor fidelity",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, said):
    with pytest.raises(AgentOptionError, match=said):
        read_options("bayesian", options)


def test_several_objectives_are_refused():
    both = (OUT, Objective("other", Goal.MINIMIZE))

    with pytest.raises(AgentOptionError, match="serves one objective, got 2"):
        build_agent("bayesian", {"surrogate": "forest"}, PLANE, both, 1)
