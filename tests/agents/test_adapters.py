"""Optimizers of other libraries, and agents that fail, in the place of ours."""

import importlib.util
import math

import pytest

from agents.adapters.adapting import adapted
from agents.adapters.ax_trials import ax_search
from agents.adapters.optimizer import OptimizerAgent
from agents.errors import AgentOptionError
from agents.fallback import MODEL as FALLBACK
from agents.guarded import GuardedAgent
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Categorical, Continuous, Discrete, Integer, LinearConstraint, Space
from tests.support.foreign_agents import ListOptimizer, TrialClient, Whimsical, number

SPACE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
MIXED = Space(
    (Continuous("t", 0.1, 10, log=True), Integer("n", 0, 9), Categorical("k", ("a", "b")))
)
YIELD = (Objective("yield", Goal.MAXIMIZE),)
WITH_AX = pytest.mark.skipif(importlib.util.find_spec("ax") is None, reason="Ax isn't installed")


def wrapped(optimizer, space=SPACE):
    return adapted(optimizer, "theirs", space, YIELD, 1)


def observed(suggestion, name, value=1.0, **others):
    values = {"yield": Measured(value, 0.1)}
    return Observation(name, suggestion.parameters, values, **others)


def test_what_came_of_a_suggestion_is_ingested_under_its_id():
    optimizer = ListOptimizer(SPACE, 1)
    agent = wrapped(optimizer)
    [suggestion] = agent.ask(1)

    agent.tell([observed(suggestion, "e1", 4.0)])

    assert optimizer.ingested == [{"_id": 1, **suggestion.parameters, "yield": 4.0}]


def test_a_point_that_others_chose_is_ingested_without_an_id():
    optimizer = ListOptimizer(SPACE, 1)
    agent = wrapped(optimizer)
    point = {"x": 0.25, "y": 0.5}

    agent.tell([Observation("e1", point, {"yield": Measured(2.0, 0.1)})])

    assert optimizer.ingested == [{**point, "yield": 2.0}]


def test_a_failed_experiment_is_reported_as_failed_under_its_id():
    optimizer = ListOptimizer(SPACE, 1)
    agent = wrapped(optimizer)
    [suggestion] = agent.ask(1)

    agent.tell([Observation("e1", suggestion.parameters, feasible=False)])

    assert [one["_id"] for one in optimizer.failed] == [1]
    assert optimizer.ingested == []


def test_a_suggestion_that_nobody_ran_is_taken_back_when_a_fresher_one_is_asked_for():
    optimizer = ListOptimizer(SPACE, 1)
    agent = wrapped(optimizer)
    [first] = agent.ask(1)
    [foreseen] = agent.ask(1, [first])
    agent.tell([observed(first, "e1")])

    [fresh] = agent.ask(1)

    assert [one["_id"] for one in optimizer.failed] == [2]
    assert fresh.parameters not in (first.parameters, foreseen.parameters)


def test_pending_points_of_others_are_made_known_to_it_once():
    optimizer = ListOptimizer(SPACE, 1)
    [pending] = wrapped(ListOptimizer(SPACE, 9)).ask(1)
    agent = wrapped(optimizer)

    agent.ask(1, [pending])
    agent.ask(2, [pending])
    agent.tell([observed(pending, "e1")])

    assert [one["_id"] for one in optimizer.ingested] == [1]


def test_asked_again_it_gives_the_same_answer_and_the_optimizer_is_left_alone():
    class Counting(ListOptimizer):
        questions = 0

        def suggest(self, num_points=None):
            self.questions += 1
            return super().suggest(num_points)

    optimizer = Counting(SPACE, 1)
    agent = wrapped(optimizer)

    assert agent.ask(1) == agent.ask(1)
    assert optimizer.questions == 1


def test_an_ax_client_is_told_standard_errors_and_completes_each_trial():
    client = TrialClient(SPACE, ["yield"], 1)
    agent = wrapped(client)
    [suggestion] = agent.ask(1)

    agent.tell(
        [
            observed(suggestion, "e1", 4.0),
            Observation("e2", {"x": 0.5, "y": 0.5}, {"yield": Measured(1.0, 0.0)}),
        ]
    )

    assert client.completed == {1: {"yield": (4.0, 0.1)}, 2: {"yield": 1.0}}


def test_what_can_be_no_agent_is_refused_with_what_can():
    with pytest.raises(AgentOptionError, match=r"theirs: returned a Measured; accepted: an agent"):
        wrapped(number(SPACE, YIELD, 1))


def test_numbers_and_words_come_back_as_the_space_has_them():
    class Rough:
        def suggest(self, num_points=None):
            return [{"n": 3.0, "k": "b", "t": 1}]

        def ingest(self, points):
            raise NotImplementedError

    [suggestion] = wrapped(Rough(), MIXED).ask(1)

    assert suggestion.parameters == {"t": 1.0, "n": 3, "k": "b"}
    assert [type(value) for value in suggestion.parameters.values()] == [float, int, str]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", "raised RuntimeError: out of sorts"),
        ("none", "answered a NoneType"),
        ("outside", "1000000000"),
        ("empty", "suggested nothing, with points left"),
    ],
)
def test_an_agent_that_fails_costs_its_decision_and_is_asked_again(fault, words):
    faults = ["", fault]
    agent = GuardedAgent("theirs", lambda: Whimsical(SPACE, YIELD, 1, faults), SPACE, 7)
    [good] = agent.ask(1)

    [instead] = agent.ask(1)
    faults.clear()
    [again] = agent.ask(1)

    assert instead.model == FALLBACK
    assert words in instead.note
    assert SPACE.check(instead.parameters) == ()
    assert good.agent == again.agent == "theirs: sobol/1"


def test_an_agent_that_raised_is_made_anew_and_told_everything():
    made = []

    def make():
        made.append(Whimsical(SPACE, YIELD, 1, ["raise"] if not made else []))
        return made[-1]

    agent = GuardedAgent("theirs", make, SPACE, 7)
    told = [Observation(f"e{i}", point, {}) for i, point in enumerate(SPACE.sample(3, 1))]
    agent.tell(told)
    assert agent.ask(1)[0].model == FALLBACK

    [suggestion] = agent.ask(1)

    assert len(made) == 2
    assert suggestion.known == 3
    assert suggestion.model == "sobol"


@pytest.mark.skipif(importlib.util.find_spec("ax") is not None, reason="Ax is installed")
def test_without_ax_it_is_said_what_to_install():
    with pytest.raises(AgentOptionError, match="install ax-platform"):
        ax_search(SPACE, YIELD, 1)


@WITH_AX
def test_the_real_ax_client_searches_a_mixed_space_and_takes_others_points():
    space = Space(
        (*MIXED.parameters, Discrete("d", (0.5, 1.0, 4.0)), Continuous("y", 0, 1)),
        (LinearConstraint({"y": 1.0, "n": 1.0}, "<=", 8.5),),
    )
    agent = adapted(ax_search(space, YIELD, 1), "ax", space, YIELD, 1)
    assert isinstance(agent, OptimizerAgent)
    elsewhere = space.sample(1, seed=4)[0]
    agent.tell([Observation("told", elsewhere, {"yield": Measured(0.1, 0.01)})])

    for step in range(8):
        [suggestion] = agent.ask(1)
        assert space.check(suggestion.parameters) == ()
        if step == 3:
            agent.tell([Observation(f"e{step}", suggestion.parameters, feasible=False)])
        else:
            value = math.log10(suggestion.parameters["t"]) + suggestion.parameters["n"] / 9
            agent.tell([observed(suggestion, f"e{step}", value)])

    assert agent.ask(2)


@WITH_AX
@pytest.mark.parametrize(
    ("space", "objective", "words"),
    [
        (
            Space(SPACE.parameters, (LinearConstraint({"x": 1, "y": 1}, "==", 1),)),
            YIELD,
            "an equation",
        ),
        (
            Space(MIXED.parameters, (LinearConstraint({"t": 1, "n": 1}, "<=", 5),)),
            YIELD,
            "a log scale",
        ),
        (Space(SPACE.parameters, pool=({"x": 0.5, "y": 0.5},)), YIELD, "a pool"),
        (SPACE, (Objective("yield", Goal.TARGET, "", 3.0),), "a target value"),
    ],
)
def test_what_ax_cant_express_is_refused(space, objective, words):
    with pytest.raises(AgentOptionError, match=words):
        ax_search(space, objective, 1)
