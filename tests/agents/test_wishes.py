"""What may be wished for besides one objective: limits, trade-offs, thresholds, little cost."""

from itertools import pairwise

import numpy as np
import pytest

from agents.catalogue import build_agent
from agents.cost_options import CostOptions
from agents.costs import Cost
from agents.errors import AgentOptionError
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Categorical, Continuous, LinearConstraint, Space

SQUARE = Space((Continuous("a", 0, 1), Continuous("b", 0, 1)))
OVEN = Space((Continuous("heat", 20, 820), Continuous("x", 0, 1), Categorical("kind", ("p", "q"))))
LITTLE = {"samples": 16, "restarts": 3}


def campaign(space, objectives, outcomes, experiments, **options):
    """Run *experiments* of *outcomes* (point to values); return agent, points and suggestions."""
    agent = build_agent("bayesian", {**LITTLE, **options}, space, objectives, 2)
    points, suggestions = [], []
    for number in range(experiments):
        [suggestion] = agent.ask(1)
        point = suggestion.parameters
        values = {name: Measured(value, 0.0) for name, value in outcomes(point).items()}
        agent.tell([Observation(str(number), point, values)])
        points.append(point)
        suggestions.append(suggestion)
    return agent, points, suggestions


def sums(point):
    """A sum to be made small where a circle forbids the corner (its best: 1 - 0.5 sqrt(2))."""
    a, b = point["a"], point["b"]
    return {
        "sum": a + b,
        "out": 0.5 - np.hypot(a - 0.5, b - 0.5),
        "room": np.hypot(a - 0.5, b - 0.5),
    }


@pytest.mark.parametrize(
    "limit", [{"outcome": "out", "at_least": 0.0}, {"outcome": "room", "at_most": 0.5}]
)
def test_the_best_within_a_learned_limit_is_found(limit):
    objectives = (Objective("sum", Goal.MINIMIZE),)

    agent, points, suggestions = campaign(SQUARE, objectives, sums, 18, outcome_constraints=[limit])

    kept = [p["a"] + p["b"] for p in points if sums(p)["room"] <= 0.5]
    assert min(kept) == pytest.approx(1 - 0.5 * np.sqrt(2), abs=5e-3)
    assert limit["outcome"] in suggestions[-1].predictions
    assert limit["outcome"] in agent.explain(suggestions[-1])


def trade(point):
    a, b = point["a"], point["b"]
    return {"near": (a - 0.2) ** 2 + b**2, "far": (a - 0.8) ** 2 + b**2, "third": b}


def spread_of(points, low=0.2, high=0.8):
    front = [p["a"] for p in points if p["b"] < 0.05 and low <= p["a"] <= high]
    return len(front), np.ptp(front) if front else 0.0


def test_two_objectives_are_traded_off_along_their_front():
    objectives = (Objective("near", Goal.MINIMIZE), Objective("far", Goal.MINIMIZE))

    _, points, suggestions = campaign(SQUARE, objectives, trade, 20)

    count, width = spread_of(points)
    assert suggestions[-1].model == "gp-matern52/log-ehvi"
    assert count >= 6
    assert width > 0.35


def test_what_lies_beyond_a_threshold_is_not_sought():
    objectives = (Objective("near", Goal.MINIMIZE), Objective("far", Goal.MINIMIZE))

    _, points, _ = campaign(SQUARE, objectives, trade, 20, thresholds={"near": 0.02, "far": 1.0})

    sought = [p["a"] for p in points[4:]]
    assert np.quantile(sought, 0.8) < 0.45


def test_a_target_and_a_minimum_are_traded_off():
    objectives = (Objective("near", Goal.TARGET, target=0.09), Objective("far", Goal.MINIMIZE))

    _, points, _ = campaign(SQUARE, objectives, trade, 20)

    scores = [(-abs(trade(p)["near"] - 0.09), -trade(p)["far"]) for p in points]
    assert max(score for score, _ in scores) > -0.005
    assert max(score for _, score in scores) > -0.01


def test_three_objectives_are_pursued_by_samples():
    names = ("near", "far", "third")
    objectives = tuple(Objective(name, Goal.MINIMIZE) for name in names)

    agent, _, suggestions = campaign(SQUARE, objectives, trade, 7)
    again = agent.ask(1)

    assert suggestions[-1].model == "gp-matern52/log-nehvi"
    assert set(suggestions[-1].predictions) == set(names)
    assert again == agent.ask(1)


def test_in_a_mixture_learned_and_known_limits_are_kept_together():
    space = Space(
        tuple(Continuous(name, 0, 1) for name in "abc"),
        (LinearConstraint({"a": 1, "b": 1, "c": 1}, "==", 1),),
    )
    limit = {"outcome": "limited", "at_most": 0.5}

    def outcomes(point):
        return {"z": point["a"] - (point["b"] - 0.3) ** 2, "limited": point["a"]}

    _, points, _ = campaign(
        space, (Objective("z", Goal.MAXIMIZE),), outcomes, 14, outcome_constraints=[limit]
    )

    assert all(space.check(point) == () for point in points)
    kept = [outcomes(point)["z"] for point in points if point["a"] <= 0.5]
    assert max(kept) == pytest.approx(0.5, abs=0.01)


def baked(point):
    hill = -(((point["heat"] - 500) / 300) ** 2) - 4 * (point["x"] - 0.4) ** 2
    return {"z": hill + (0.3 if point["kind"] == "q" else 0.0)}


def spent_on(points):
    ways = pairwise(points)
    return sum(4 * abs(b["heat"] - a["heat"]) + 600 * (a["kind"] != b["kind"]) for a, b in ways)


def test_costs_of_moving_are_saved_and_the_goal_still_reached():
    objectives = (Objective("z", Goal.MAXIMIZE),)
    costs = {"experiment": 60, "moving": {"heat": 4}, "changing": {"kind": 600}}

    _, careless, _ = campaign(OVEN, objectives, baked, 22)
    _, careful, suggestions = campaign(OVEN, objectives, baked, 22, costs=costs)

    assert spent_on(careful[6:]) < 0.8 * spent_on(careless[6:])
    assert max(baked(point)["z"] for point in careful) > 0.28
    assert suggestions[-1].model == "gp-matern52/log-nei-per-cost"
    assert "for what it costs" in suggestions[-1].note


def test_a_cost_is_the_sum_of_what_was_stated_and_its_slope_is_right():
    stated = CostOptions.model_validate(
        {
            "experiment": 10,
            "moving": {"heat": {"up": 1, "down": 3}},
            "changing": {"kind": 50},
            "measuring": {"x": 7},
        }
    )
    now = {"heat": 420.0, "x": 0.5, "kind": "p"}
    cost = Cost(OVEN, stated, now)
    points = [
        now,
        {"heat": 520.0, "x": 0.5, "kind": "p"},
        {"heat": 320.0, "x": 1.0, "kind": "q"},
    ]
    units = OVEN.encode(points)
    step = 1e-6 * np.eye(4)[:2]

    assert np.exp(-cost.values(units)) == pytest.approx([13.5, 113.5, 367.0])
    for place in units[1:]:
        measured = [
            (cost.values((place + s)[None]) - cost.values((place - s)[None]))[0] / 2e-6
            for s in step
        ]
        slope = cost.slopes(place[None])[1][0, :2]
        assert slope == pytest.approx(measured, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thresholds": {"speed": 1}}, ["speed", "objectives: z"]),
        ({"outcome_constraints": [{"outcome": "w"}]}, ["'w'", "at_most", "at_least"]),
        ({"costs": {"experiment": 0}}, ["costs.experiment", "greater than 0"]),
        ({"costs": {"experiment": 1, "moving": {"cold": 1}}}, ["'cold'", "heat, x, kind"]),
        ({"costs": {"experiment": 1, "moving": {"kind": 1}}}, ["'kind'", "changing"]),
    ],
)
def test_wishes_that_make_no_sense_are_refused_with_what_is_accepted(options, words):
    with pytest.raises(AgentOptionError) as caught:
        build_agent("bayesian", options, OVEN, (Objective("z", Goal.MAXIMIZE),), 1)

    assert all(word in str(caught.value) for word in words), str(caught.value)
