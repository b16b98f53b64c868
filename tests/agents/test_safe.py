import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.catalogue import build_agent, read_options
from agents.errors import AgentOptionError
from agents.fence import Inside, fence_of, safe
from agents.knowledge import Knowledge
from agents.prospects import Bound, Question, improvement
from agents.protocols import Goal, Measured, Objective, Observation, Quality, Verdict
from agents.safe import EXPANDING, IMPROVING, REPEATED, REPEATS, VERIFIED
from agents.space import Categorical, Continuous, Discrete, Space
from agents.warden import Record

PLANE = Space((Continuous("x", 0, 10), Continuous("y", -1, 1)))
MIXED = Space((Continuous("x", 0, 10), Categorical("k", ("a", "b")), Discrete("d", (0.0, 1.0))))
POOL = Space(
    (Continuous("x", 0, 10), Continuous("y", -1, 1)),
    pool=tuple({"x": i / 2, "y": j / 5} for i in range(21) for j in range(-5, 6)),
)
COST = Objective("cost", Goal.MINIMIZE, "eur")
COLD = {"outcome_constraints": [{"outcome": "heat", "at_most": 1.0}]}
START = ({"x": 1.0, "y": 0.0}, {"x": 1.5, "y": 0.2}, {"x": 1.2, "y": -0.3})


def truth(x, y=0.0, k="a", d=0.0):
    """Cheaper further out, and hot beyond a curved border."""
    away = x + 2 * y**2 + (1.0 if k == "b" else 0.0) + d
    return {"cost": 10 - x + y, "heat": 0.3 * away - 0.7 + 0.2 * math.sin(away)}


def observed(point, number=0, **others):
    values = {name: Measured(value, 0.0) for name, value in truth(**point).items()}
    return Observation(f"e{number}", point, values, **others)


def built(space=PLANE, seed=3, start=START, **options):
    given = COLD | {"start": [dict(p) for p in start], "restarts": 2} | options
    return build_agent("safe", given, space, (COST,), seed)


def run(agent, count):
    suggestions = []
    for number in range(count):
        asked = agent.ask(1)
        if not asked:
            break
        agent.tell([observed(asked[0].parameters, number)])
        suggestions += asked
    return suggestions


def test_verified_points_come_first_and_then_others_with_their_margins():
    suggestions = run(built(), 12)

    assert [s.parameters for s in suggestions[:3]] == [dict(point) for point in START]
    assert {s.model for s in suggestions[:3]} == {VERIFIED}
    chosen = [s for s in suggestions if s.model in (IMPROVING, EXPANDING)]
    assert len(chosen) >= 6
    for suggestion in chosen:
        assert suggestion.grounds.margins["heat"] > suggestion.fit["heat.reach"] > 1.64
        assert "5.0%" in suggestion.note
    assert chosen[-1].fit["safe.experiments"] > 0


def test_it_finds_the_border_of_what_is_safe_without_crossing_it_more_often_than_allowed():
    agent = built()

    suggestions = run(agent, 25)

    heats = [truth(**s.parameters)["heat"] for s in suggestions]
    assert sum(heat > 1.0 for heat in heats) <= 2
    costs = [
        truth(**s.parameters)["cost"] for s in suggestions if truth(**s.parameters)["heat"] <= 1
    ]
    assert min(costs) < min(truth(**point)["cost"] for point in START) - 2
    assert agent.record.experiments >= 15


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 9),
    noise=st.floats(0, 0.3),
    which=st.sampled_from(["plane", "mixed", "pool"]),
)
def test_nothing_is_suggested_that_its_own_model_doesnt_call_safe(seed, count, noise, which):
    space = {"plane": PLANE, "mixed": MIXED, "pool": POOL}[which]
    chance = np.random.default_rng(seed)
    agent = built(space, seed, start=())
    for number, point in enumerate(space.sample(count, seed)):
        values = truth(**point)
        values["heat"] += noise * chance.standard_normal()
        told = {name: Measured(value, 0.0) for name, value in values.items()}
        agent.tell([Observation(str(number), point, told)])

    suggestions = agent.ask(2)

    fences = agent._warden.fences()
    kept = [o.parameters for o in agent._history.observations if o.values["heat"].mean <= 1.0]
    for suggestion in suggestions:
        assert space.check(suggestion.parameters) == ()
        if suggestion.model == REPEATED:
            assert suggestion.parameters in kept
        else:
            assert safe(fences, space.encode([suggestion.parameters]))[0]


@pytest.mark.parametrize("space", [PLANE, MIXED, POOL], ids=["plane", "mixed", "pool"])
def test_told_at_once_it_goes_on_as_if_told_one_by_one(space):
    points = [p for p in space.sample(30, 8) if truth(**p)["heat"] < 1.0][:5]
    steady, resumed = built(space, start=points[:2]), built(space, start=points[:2])

    done = run(steady, 9)
    resumed.tell([observed(s.parameters, number) for number, s in enumerate(done)])

    assert resumed.ask(2) == steady.ask(2)
    assert resumed.record == steady.record


def test_where_no_untried_point_is_safe_a_verified_one_is_repeated_and_then_nobody_goes_on(caplog):
    tight = {"outcome_constraints": [{"outcome": "heat", "at_most": 1.0}], "start": [{"x": 1.0}]}
    space = Space((Discrete("x", (1.0, 5.0, 9.0)),))
    agent = build_agent("safe", tight, space, (COST,), 1)

    models = []
    for number in range(20):
        asked = agent.ask(1)
        if not asked:
            break
        models.append(asked[0].model)
        values = {"cost": Measured(1.0, 0.1), "heat": Measured(0.99 + 0.001 * (-1) ** number, 0.0)}
        agent.tell([Observation(str(number), asked[0].parameters, values)])

    assert models == [VERIFIED] + [REPEATED] * REPEATS
    assert "no untried point is safe" in agent.standstill
    assert "no untried point is safe" in caplog.text


@pytest.mark.parametrize(
    "told",
    [
        [],
        [Observation("e", START[0], feasible=False)],
        [observed(START[0], quality=Quality(Verdict.REJECTED))],
        [Observation("e", START[0], {"cost": Measured(1.0, 0.0), "heat": Measured(2.0, 0.0)})],
        [Observation("e", START[0], {"heat": Measured(math.nan, math.nan)})],
    ],
)
def test_without_a_verified_point_nothing_is_suggested_and_it_says_what_to_do(told):
    agent = built(start=())
    agent.tell(told)

    assert agent.ask(1) == []
    assert "`start`" in agent.standstill


def test_a_start_that_breaks_a_constraint_is_not_gone_on_from():
    agent = built(start=({"x": 9.0, "y": 0.5},))
    [first] = agent.ask(1)
    agent.tell([observed(first.parameters)])

    assert truth(**first.parameters)["heat"] > 1.0
    assert agent.ask(1) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outcome_constraints": []}, ["outcome_constraints", "at least 1"]),
        ({}, ["outcome_constraints", "required"]),
        (COLD | {"bound": 0.9}, ["bound", "0.9"]),
        (
            {
                "outcome_constraints": [
                    {"outcome": "heat", "at_most": 1.0},
                    {"outcome": "heat", "at_least": 2.0},
                ]
            },
            ["heat", "at least 2", "at most 1"],
        ),
        (COLD | {"start": [{"x": 99.0, "y": 0.0}]}, ["start.0", "99", "0 to 10"]),
        (COLD | {"start": [{"x": 9.0}]}, ["start.0", "'y'", "missing"]),
    ],
)
def test_options_that_cant_be_kept_are_refused_with_what_is_wrong(options, words):
    with pytest.raises(AgentOptionError) as caught:
        build_agent("safe", options, PLANE, (COST,), 1)

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_it_is_no_member_of_a_portfolio_whose_others_arent_safe():
    with pytest.raises(AgentOptionError, match="'safe' can't be one"):
        read_options("portfolio", {"agents": ["sobol", {"name": "safe", "options": COLD}]})


def fenced():
    heat = Objective("heat", Goal.TARGET)
    knowledge = Knowledge(PLANE, [COST, heat], warp=False)
    knowledge.tell([observed(p, n) for n, p in enumerate(PLANE.sample(12, 1))])
    beliefs = knowledge.beliefs()
    bound = Bound(beliefs["heat"], 1.0)
    asked = Question(np.empty((0, 2)), 16, 1)
    return Inside(improvement(beliefs["cost"], (bound,), asked), (fence_of(bound, 1.7),))


def test_the_gradient_within_fences_is_the_slope_of_the_values():
    inside = fenced()
    places = np.random.default_rng(1).random((200, 2))
    places = places[np.isfinite(inside.values(places))][:6]
    step = 1e-6

    values, slopes = inside.slopes(places)

    assert len(places) == 6
    assert values == pytest.approx(inside.values(places))
    for column in range(2):
        shift = step * np.eye(2)[column]
        slope = (inside.values(places + shift) - inside.values(places - shift)) / (2 * step)
        assert slopes[:, column] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_beyond_a_fence_nothing_is_to_be_had():
    inside = fenced()
    hot = PLANE.encode([{"x": 10.0, "y": 1.0}])

    assert inside.values(hot)[0] == -np.inf


def test_the_record_says_how_often_bounds_were_broken_and_how_sure_that_is():
    low, high = Record(100, 5).interval

    assert low == pytest.approx(0.0164, abs=1e-3)
    assert high == pytest.approx(0.1128, abs=1e-3)
    assert "5 of 100" in str(Record(100, 5))
    assert Record().interval == (0.0, 1.0)
