"""The manners of an agent, on every kind of space: a new agent is one line in AGENTS.

A line is the agent's name in the catalogue and its options, which may depend on space and seed.
"""

import json
import math
import shutil
import tempfile
from pathlib import Path

import pytest

from agents.catalogue import OPTIONS, build_agent, can_be_recomputed
from agents.digest import canonical, plain
from agents.errors import AgentOptionError
from agents.history import History
from agents.protocols import Goal, Measured, Objective, Observation, Quality, Verdict
from agents.sobol import next_points
from agents.space import (
    Categorical,
    Continuous,
    Discrete,
    ForbiddenRegion,
    Integer,
    LinearConstraint,
    Space,
)
from controller.outside.own import outside_agents
from tests.support import foreign_agents
from tests.support.served_agents import made, serving

QUICK = {"initial": 3, "samples": 32, "restarts": 2}
SAFE = {"outcome_constraints": [{"outcome": "cost", "at_most": 50.0}]}
OWN = Path(foreign_agents.__file__)
SERVED = Path(tempfile.mkdtemp(prefix="heliostat-agents-")) / "served"


def listed(space, seed):
    """Points for a person to have listed."""
    count = len(space.pool or range(16))
    return {"points": [dict(point) for point in next_points(History(space), count, (), seed)]}


AGENTS = {
    "bayesian": ("bayesian", QUICK),
    "sobol": ("sobol", {}),
    "portfolio": ("portfolio", {"agents": [{"name": "bayesian", "options": QUICK}, "sobol"]}),
    "operator": ("operator", listed),
    "safe": ("safe", lambda space, seed: SAFE | {"start": listed(space, seed)["points"]}),
    "mapping": ("mapping", {"initial": 3, "restarts": 2}),
    "phase mapping": ("phase_mapping", {"pattern": "yield", "initial": 3}),
    "own agent": ("python", {"object": f"{OWN}:steady", "deterministic": True}),
    "own optimizer": ("python", {"object": f"{OWN}:optimizer"}),
    "ax client": ("python", {"object": f"{OWN}:client"}),
    "served agent": ("remote", {"address": f"ipc://{SERVED}"}),
}
OF_A_GRID = {"patches"}
"""Agents of one kind of space alone, which have suites of their own."""
OBJECTIVES = (Objective("yield", Goal.MAXIMIZE, "%"), Objective("cost", Goal.MINIMIZE))

HOT_AND_RICH = ForbiddenRegion(
    (LinearConstraint({"x": 1}, ">=", 0.4), LinearConstraint({"y": 1}, ">=", 0.4)), "burns"
)
SPACES = {
    "continuous": Space((Continuous("x", 0, 1), Continuous("y", -5, 900, "degC"))),
    "log": Space((Continuous("x", 1e-4, 10, log=True), Continuous("y", 0, 1))),
    "mixed": Space(
        (
            Continuous("x", 0, 1),
            Integer("n", 0, 9),
            Discrete("d", (0.0, 0.5, 2.0)),
            Categorical("k", ("a", "bb", "ccc")),
        )
    ),
    "mixture": Space(
        tuple(Continuous(name, 0, 80, "%") for name in "abc"),
        (LinearConstraint({"a": 1, "b": 1, "c": 1}, "==", 100),),
    ),
    "inequality with a log": Space(
        (Continuous("x", 1e-3, 1, log=True), Continuous("y", 0, 1), Integer("n", 0, 3)),
        (LinearConstraint({"x": 1, "y": 1, "n": 0.2}, "<=", 0.8),),
    ),
    "forbidden": Space((Continuous("x", 0, 1), Continuous("y", 0, 1)), forbidden=(HOT_AND_RICH,)),
    "pool": Space(
        (Continuous("x", 0, 1), Categorical("k", ("a", "bb"))),
        pool=tuple({"x": i / 19 + 1e-17, "k": k} for i in range(20) for k in ("a", "bb")),
    ),
    "spots": Space((Continuous("x", 0, 1), Integer("spot", 1, 14)), once=("spot",)),
    "spots of a grid": Space(
        (Discrete("d", (1.0, 2.0, 5.0)), Categorical("well", tuple("abcdefghijklmn"))),
        once=("well",),
    ),
}
ONCE = {"spots": "spot", "spots of a grid": "well"}
EVERY = pytest.mark.parametrize(
    ("agent", "space"), [(agent, space) for agent in AGENTS for space in SPACES]
)
EACH = pytest.mark.parametrize("agent", AGENTS)
RECOMPUTABLE = pytest.mark.parametrize(
    ("agent", "space"),
    [
        (agent, space)
        for agent, (name, options) in AGENTS.items()
        for space in SPACES
        if callable(options) or can_be_recomputed(name, options)
    ],
)


@pytest.fixture(scope="module", autouse=True)
def _served():
    """Serve the agent that another process would."""
    with serving(f"ipc://{SERVED}", made(foreign_agents.steady)):
        yield
    shutil.rmtree(SERVED.parent)


def options_of(agent, space="continuous", seed=3):
    _, options = AGENTS[agent]
    return options(SPACES[space], seed) if callable(options) else options


def built(agent, space, seed=3, objectives=OBJECTIVES):
    options = options_of(agent, space, seed)
    where = SPACES[space]
    return build_agent(AGENTS[agent][0], options, where, objectives, seed, outside_agents())


def outcome(point):
    """A smooth hill, by position; the same for the same point."""
    numbers = [len(value) if isinstance(value, str) else value for value in point.values()]
    hill = sum(math.sin(0.9 * value + place) for place, value in enumerate(numbers))
    return {"yield": Measured(hill, 0.01), "cost": Measured(3 - hill / 2, 0.0)}


def observed(point, number, **others):
    return Observation(f"e{number}", point, outcome(point), **others)


def run(agent, count, start=0):
    """Ask one, tell one, *count* times; return what was suggested."""
    suggestions = []
    for number in range(start, start + count):
        [suggestion] = agent.ask(1)
        agent.tell([observed(suggestion.parameters, number)])
        suggestions.append(suggestion)
    return suggestions


def test_every_agent_of_the_catalogue_is_in_this_suite():
    assert {name for name, _ in AGENTS.values()} | OF_A_GRID == set(OPTIONS)


@EVERY
def test_suggestions_are_of_the_space_and_carry_plain_finite_values(agent, space):
    suggestions = run(built(agent, space), 6)

    for suggestion in suggestions:
        assert SPACES[space].check(suggestion.parameters) == ()
        canonical(plain(suggestion))  # refuses NaN and infinities
        assert json.loads(json.dumps(plain(suggestion)))["parameters"] == suggestion.parameters
    keys = {SPACES[space].key(suggestion.parameters) for suggestion in suggestions}
    assert len(keys) == 6


@RECOMPUTABLE
def test_told_at_once_it_goes_on_as_if_told_one_by_one_with_questions_between(agent, space):
    steady = built(agent, space)
    run(steady, 6)
    steady.ask(2)
    pending = steady.ask(1)
    resumed = built(agent, space)
    other = built(agent, space)
    resumed.tell([observed(s.parameters, i) for i, s in enumerate(run(other, 6))])

    assert resumed.ask(1) == pending
    assert resumed.ask(2, pending) == steady.ask(2, pending)
    assert resumed.ask(1)[0].digest() == pending[0].digest()


@EVERY
def test_a_batch_repeats_neither_itself_nor_what_is_pending(agent, space):
    asked = built(agent, space)
    run(asked, 4)
    pending = asked.ask(2)

    batch = asked.ask(2, pending)

    keys = [SPACES[space].key(s.parameters) for s in (*pending, *batch)]
    assert len(set(keys)) == 4
    assert all(SPACES[space].check(s.parameters) == () for s in batch)


@EACH
def test_another_seed_gives_other_suggestions(agent):
    one, other = run(built(agent, "continuous", 1), 4), run(built(agent, "continuous", 2), 4)

    assert [s.parameters for s in one] != [s.parameters for s in other]


@EACH
@pytest.mark.parametrize("space", ["continuous", "pool"])
def test_failed_and_rejected_experiments_are_survived_and_not_repeated(agent, space):
    asked = built(agent, space)
    rejected = Quality(Verdict.REJECTED, ("novel",))
    bad = [
        lambda p, i: Observation(f"e{i}", p, feasible=False),
        lambda p, i: Observation(f"e{i}", p, {"yield": Measured(math.nan, math.nan)}, rejected),
        lambda p, i: Observation(f"e{i}", p, {"yield": Measured(math.nan, 0.1)}),
        observed,
    ]
    tried = []

    for number in range(12):
        [suggestion] = asked.ask(1)
        canonical(plain(suggestion))
        tried.append(SPACES[space].key(suggestion.parameters))
        asked.tell([bad[number % len(bad)](suggestion.parameters, number)])

    assert len(set(tried)) == 12


@EACH
def test_it_goes_on_when_nothing_ever_succeeds(agent):
    asked = built(agent, "continuous")

    for number in range(6):
        [suggestion] = asked.ask(1)
        asked.tell([Observation(f"e{number}", suggestion.parameters, feasible=False)])

    assert asked.ask(1)


@EACH
def test_a_pool_is_used_up_without_repeats_and_then_nothing_is_suggested(agent):
    asked = built(agent, "pool")
    size = len(SPACES["pool"].pool)

    first = asked.ask(size + 5)
    asked.tell([observed(s.parameters, i) for i, s in enumerate(first)])

    assert len({SPACES["pool"].key(s.parameters) for s in first}) == size
    assert asked.ask(3) == []


@EACH
@pytest.mark.parametrize("space", ONCE)
def test_what_may_be_used_once_is_never_used_again_and_ends_the_suggestions(agent, space):
    asked, used = built(agent, space), []

    while suggestions := asked.ask(2):
        used += [suggestion.parameters[ONCE[space]] for suggestion in suggestions]
        asked.tell([observed(s.parameters, len(used) + i) for i, s in enumerate(suggestions)])

    assert len(used) == len(set(used)) == 14
    assert asked.ask(1) == []


@EACH
@pytest.mark.parametrize("space", ONCE)
def test_what_is_pending_or_failed_has_used_its_spot_as_well(agent, space):
    asked = built(agent, space)
    pending = asked.ask(6)
    failed = asked.ask(5, pending)
    asked.tell([Observation(f"e{i}", s.parameters, feasible=False) for i, s in enumerate(failed)])

    last = asked.ask(9, pending)

    used = [s.parameters[ONCE[space]] for s in (*pending, *failed, *last)]
    assert len(used) == len(set(used)) == 14


@EACH
@pytest.mark.parametrize("told", [1, 5])
def test_one_observation_or_equal_outcomes_are_enough_to_go_on(agent, told):
    name, options = AGENTS[agent][0], options_of(agent)
    eager = {**options, "initial": 1} if name == "bayesian" else options
    asked = build_agent(name, eager, SPACES["continuous"], OBJECTIVES, 3, outside_agents())
    points = SPACES["continuous"].sample(told, seed=9)
    same = {"yield": Measured(7.5, 0.0), "cost": Measured(0.0, 0.0)}
    asked.tell([Observation(f"e{i}", point, same) for i, point in enumerate(points)])

    [suggestion] = asked.ask(1)

    canonical(plain(suggestion))
    assert SPACES["continuous"].check(suggestion.parameters) == ()


@EACH
def test_an_observation_away_from_its_setpoint_is_taken_as_it_was(agent):
    asked = built(agent, "continuous")
    run(asked, 3)

    asked.tell([observed({"x": 1.02, "y": 901.5}, 3)])

    assert SPACES["continuous"].check(asked.ask(1)[0].parameters) == ()


@EACH
def test_a_suggestion_is_explained_in_sentences(agent):
    asked = built(agent, "mixed")

    suggestion = run(asked, 6)[-1]

    assert len(asked.explain(suggestion)) > 60
    assert asked.explain(suggestion).endswith(".")
    assert suggestion.agent.startswith(asked.name)
    assert suggestion.known == 5


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("magic", {}, ["'magic'", "bayesian", "sobol"]),
        ("bayesian", {"inital": 5}, ["inital", "initial"]),
        ("bayesian", {"initial": 0}, ["initial", "0", "greater than or equal to 1"]),
        ("sobol", {"initial": 5}, ["initial", "none"]),
    ],
)
def test_an_unknown_agent_or_option_is_refused_with_what_is_accepted(name, options, words):
    with pytest.raises(AgentOptionError) as caught:
        build_agent(name, options, SPACES["continuous"], OBJECTIVES, 1)

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_agent_without_an_objective_is_refused():
    with pytest.raises(AgentOptionError):
        build_agent("sobol", {}, SPACES["continuous"], (), 1)
