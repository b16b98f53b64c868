"""The agent from afar: fresh where it can be, foreseen where it must be, and never nonsense."""

import math
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from agents.fallback import MODEL, space_filling
from agents.protocols import Measured, Observation, Quality, Reduced, Suggestion, Verdict
from agents.space import Continuous, Integer, Space
from controller.bus.delivery import Answerer, Caller
from controller.bus.errors import BusClosed
from controller.bus.messages import (
    Ask,
    Begin,
    Done,
    Failed,
    Message,
    Reduce,
    ReducedRun,
    Suggested,
    Tell,
)
from controller.remote.agent import Decider, Patience, RemoteAgent
from controller.remote.asking import BEHIND
from controller.remote.reducer import RemoteReducer

SPACE = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))
SMALL = Space((Integer("n", 1, 2),))
SEED = 3
LONG = 300.0
AT_ONCE = Patience(least_s=0.0, share=0.0, decision_timeout_s=LONG)
PATIENT = Patience(least_s=LONG, decision_timeout_s=LONG)

Answer = Callable[[Message], None]


def suggestion(x: float, known: int, y: float = 0.5, **changes: Any) -> Suggestion:
    return Suggestion({"x": x, "y": y}, "bayesian/2", "gp", SEED, known, **changes)


def observed(x: float, number: int = 1) -> Observation:
    return Observation(f"experiment-{number}", {"x": x, "y": 0.5}, {"z": Measured(x, 0.1)})


@dataclass
class Played:
    """A test in the part of the worker: it is told at once, and answers when the test wants."""

    asked: "SimpleQueue[tuple[Ask | Reduce, Answer]]" = field(default_factory=SimpleQueue)
    told: list[Begin | Tell] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    script: list[Callable[[Ask], Message]] = field(default_factory=list)
    """What to answer to the next questions; those beyond wait for the test."""

    def handle(self, message: Message, answer: Answer, _request: str) -> None:
        """Take in what the agent says."""
        if isinstance(message, Begin | Tell):
            self.told.append(message)
            answer(Done())
        elif isinstance(message, Ask) and self.script:
            answer(self.script.pop(0)(message))
        else:
            assert isinstance(message, Ask | Reduce)
            self.asked.put((message, answer))

    def next_question(self) -> tuple[Any, Answer]:
        """Return the next question, once it has come."""
        return self.asked.get(timeout=LONG)


@dataclass
class Stage:
    """A played worker and whoever asks it."""

    worker: Played
    caller: Caller

    def agent(self, patience: Patience = PATIENT, space: Space = SPACE) -> RemoteAgent:
        decider = Decider("bayesian", space, SEED)
        return RemoteAgent(self.caller, decider, self.worker.restarts.append, patience)


@pytest.fixture
def stage() -> Iterator[Stage]:
    worker = Played()
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        address = f"ipc://{Path(folder) / 'worker'}"
        answerer, caller = Answerer(address, worker.handle), Caller(address, "controller")
        try:
            yield Stage(worker, caller)
        finally:
            caller.close()
            answerer.close()


def suggested(*suggestions: Suggestion) -> Callable[[Ask], Message]:
    return lambda _ask: Suggested(suggestions=suggestions)


def in_thread(agent: RemoteAgent, pending: Any = ()) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(agent.ask(1, pending)))
    thread.start()
    return thread, found


def foreseeing(
    stage: Stage, patience: Patience, foreseen: Suggestion, cpu_s: float = 0.0
) -> RemoteAgent:
    """Return an agent whose worker has foreseen *foreseen* while a first experiment ran."""
    agent = stage.agent(patience)
    running = suggestion(0.1, 0, id="running")
    agent.foresee([running])
    ask, answer = stage.worker.next_question()
    assert ask == Ask(count=1, pending=(running,), known=0)
    answer(Suggested(suggestions=(foreseen,), cpu_s=cpu_s))
    foresight = agent._foreseen
    assert foresight is not None
    foresight.answer.result(LONG)
    agent.tell([observed(0.1)])
    return agent


def test_a_fresh_suggestion_in_time_is_taken_rather_than_the_foreseen_one(stage):
    agent = foreseeing(stage, PATIENT, suggestion(0.2, 0))
    stage.worker.script.append(suggested(suggestion(0.3, 1)))

    assert agent.ask(1) == [suggestion(0.3, 1)]
    assert stage.worker.restarts == []


def test_where_the_fresh_one_is_late_the_foreseen_one_is_taken(stage):
    agent = foreseeing(stage, AT_ONCE, suggestion(0.2, 0, pending=("running",)))

    (taken,) = agent.ask(1)

    assert taken == suggestion(0.2, 0, pending=("running",))
    assert (taken.known, taken.pending) == (0, ("running",))
    assert stage.worker.restarts == []


def test_a_foreseen_suggestion_is_used_once(stage):
    agent = foreseeing(stage, AT_ONCE, suggestion(0.2, 0))
    agent.ask(1)
    agent.tell([observed(0.2, 2)])
    asking, found = in_thread(agent)
    question, answer = stage.worker.next_question()
    while question.known < 2:  # the fresh one that came too late, if it was sent at all
        question, answer = stage.worker.next_question()
    answer(Suggested(suggestions=(suggestion(0.4, 2),)))
    asking.join(LONG)

    assert found == [[suggestion(0.4, 2)]]


@pytest.mark.parametrize(
    "useless",
    [
        suggestion(0.1, 0, y=0.5),
        suggestion(1.5, 0),
        suggestion(0.2, 5),
    ],
    ids=["a repeat", "outside the space", "nonsense"],
)
def test_a_foreseen_suggestion_that_cannot_be_used_is_not(stage, useless):
    agent = foreseeing(stage, AT_ONCE, useless)
    asking, found = in_thread(agent)
    question, answer = stage.worker.next_question()
    answer(Suggested(suggestions=(suggestion(0.3, 1),)))
    asking.join(LONG)

    assert question == Ask(count=1, known=1)
    assert found == [[suggestion(0.3, 1)]]


def test_a_foreseen_suggestion_that_is_pending_meanwhile_is_not_used(stage):
    agent = foreseeing(stage, AT_ONCE, suggestion(0.2, 0))
    waiting = suggestion(0.2, 1, id="waiting")
    asking, found = in_thread(agent, [waiting])
    _, answer = stage.worker.next_question()
    answer(Suggested(suggestions=(suggestion(0.3, 1),)))
    asking.join(LONG)

    assert found == [[suggestion(0.3, 1)]]


def test_a_foreseen_suggestion_that_is_not_ready_is_waited_for(stage):
    agent = stage.agent(AT_ONCE)
    agent.foresee([suggestion(0.1, 0, id="running")])
    _, foreseen = stage.worker.next_question()
    agent.tell([observed(0.1)])
    asking, found = in_thread(agent)

    foreseen(Suggested(suggestions=(suggestion(0.2, 0),)))
    asking.join(LONG)

    assert found == [[suggestion(0.2, 0)]]


def test_where_deciding_takes_longer_than_it_is_waited_for_it_is_not_even_asked_again(stage):
    agent = foreseeing(stage, replace(PATIENT, least_s=0.5), suggestion(0.2, 0), cpu_s=0.6)

    assert agent.ask(1) == [suggestion(0.2, 0)]

    agent.foresee([suggestion(0.2, 1, id="running")])
    question, _ = stage.worker.next_question()
    assert [s.id for s in question.pending] == ["running"]


def test_a_worker_that_is_behind_is_told_everything_in_order_and_asked_again(stage):
    told = [observed(0.1, 1), observed(0.2, 2)]
    agent = stage.agent()
    agent.tell(told[:1])
    agent.tell(told[1:])
    stage.worker.script += [
        lambda _ask: Failed(error=BEHIND, reason="it is new"),
        suggested(suggestion(0.3, 2)),
    ]

    assert agent.ask(1) == [suggestion(0.3, 2)]
    assert stage.worker.told == [
        Begin(observations=()),
        Tell(observations=(told[0],), known=1),
        Tell(observations=(told[1],), known=2),
        Begin(observations=tuple(told)),
    ]
    assert stage.worker.restarts == []


def test_a_worker_that_dies_while_it_foresees_is_told_and_asked_again_meanwhile(stage):
    agent = stage.agent(AT_ONCE)
    agent.tell([observed(0.1)])
    stage.worker.script.append(lambda _ask: Failed(error=BEHIND, reason="it is new"))
    agent.foresee([suggestion(0.2, 1, id="running")])

    question, _ = stage.worker.next_question()

    assert question.known == 1
    assert stage.worker.told[-1] == Begin(observations=(observed(0.1),))


NONSENSE = {
    "outside the space": suggested(suggestion(1.5, 1)),
    "a parameter is missing": suggested(replace(suggestion(0.2, 1), parameters={"x": 0.2})),
    "not a number": suggested(suggestion(math.nan, 1)),
    "a value nobody can write down": suggested(suggestion(0.2, 1, acquisition=math.inf)),
    "too many": suggested(suggestion(0.2, 1), suggestion(0.3, 1)),
    "pending already": suggested(suggestion(0.7, 1)),
    "of another time": suggested(suggestion(0.2, 9)),
    "nothing": suggested(),
    "another message": lambda _ask: Done(),
    "an error": lambda _ask: Failed(error="ZeroDivisionError", reason="division by zero"),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_replaced_by_a_space_filling_suggestion_and_the_worker_by_another(
    stage, answer
):
    agent, pending = stage.agent(), [suggestion(0.7, 1, id="waiting")]
    agent.tell([observed(0.1)])
    stage.worker.script += [answer, suggested(suggestion(0.3, 1))]

    (filling,) = agent.ask(1, pending)
    after = agent.ask(1, pending)

    assert filling.model == MODEL
    assert filling.known == 1
    assert "made no sense" in filling.note
    assert SPACE.check(filling.parameters) == ()
    assert len(stage.worker.restarts) == 1
    assert stage.worker.told[-1] == Begin(observations=(observed(0.1),))
    assert after == [suggestion(0.3, 1)]


def test_what_replaces_a_suggestion_can_be_made_again_without_the_worker(stage):
    agent, told, pending = stage.agent(), [observed(0.1)], [suggestion(0.7, 1, id="waiting")]
    agent.tell(told)
    stage.worker.script += [NONSENSE["nothing"], NONSENSE["nothing"]]

    (first,), (second,) = agent.ask(1, pending), agent.ask(1, pending)

    again = space_filling(SPACE, SEED, told, pending, "why")[0]
    assert first.parameters == second.parameters == again.parameters
    assert first.pending == again.pending == ("waiting",)


def test_a_worker_that_always_talks_nonsense_is_not_restarted_for_ever(stage):
    agent = stage.agent()
    stage.worker.script += [NONSENSE["too many"]] * 5 + [suggested(suggestion(0.3, 0))]

    models = [agent.ask(1)[0].model for _ in range(5)]

    assert models == [MODEL] * 5
    assert len(stage.worker.restarts) == 2
    assert agent.ask(1) == [suggestion(0.3, 0)]


def test_nonsense_now_and_then_is_answered_by_a_restart_each_time(stage):
    agent = stage.agent()
    for _ in range(4):
        stage.worker.script += [NONSENSE["too many"], suggested(suggestion(0.3, 0))]

    for _ in range(8):
        agent.ask(1)

    assert len(stage.worker.restarts) == 4


def test_without_an_answer_in_time_space_is_filled_and_the_worker_replaced(stage):
    agent = stage.agent(Patience(decision_timeout_s=0.05, start_timeout_s=0.0))
    agent.tell([observed(0.1)])

    (filling,) = agent.ask(1)

    assert filling.model == MODEL
    assert "no decision within 0.05 s" in filling.note
    assert stage.worker.restarts == ["the worker gave no decision within 0.05 s"]


def test_a_worker_that_is_always_late_is_not_restarted_so_often_that_it_is_given_up(stage):
    agent = stage.agent(Patience(decision_timeout_s=0.02, start_timeout_s=0.0))

    filling = [agent.ask(1)[0].model for _ in range(6)]

    assert filling == [MODEL] * 6
    assert len(stage.worker.restarts) == 1


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(stage):
    agent = stage.agent(Patience(decision_timeout_s=0.05, start_timeout_s=0.0))
    agent.ask(1)
    _, late = stage.worker.next_question()
    agent.tell([observed(0.1)])
    late(Suggested(suggestions=(suggestion(0.9, 0),)))

    asking, found = in_thread(agent)
    asking.join(LONG)

    assert found[0][0].model == MODEL
    assert found[0][0].known == 1


def test_a_worker_that_is_still_starting_is_left_to_it(stage):
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        nobody = Caller(f"ipc://{folder}/worker", "controller")
        try:
            decider = Decider("bayesian", SPACE, SEED)
            agent = RemoteAgent(
                nobody, decider, stage.worker.restarts.append, Patience(decision_timeout_s=0.05)
            )
            (filling,) = agent.ask(1)
        finally:
            nobody.close()

    assert filling.model == MODEL
    assert stage.worker.restarts == []


def test_where_nothing_is_left_to_try_nothing_is_suggested(stage):
    agent = stage.agent(space=SMALL)
    done = [Observation(f"e{n}", {"n": n}) for n in (1, 2)]
    agent.tell(done)
    stage.worker.script.append(suggested())

    assert agent.ask(1) == []
    assert stage.worker.restarts == []


def test_several_are_suggested_where_several_are_asked_for(stage):
    agent = stage.agent()
    stage.worker.script.append(suggested(suggestion(0.1, 0), suggestion(0.2, 0)))

    assert agent.ask(3) == [suggestion(0.1, 0), suggestion(0.2, 0)]


def test_an_agent_whose_bus_was_closed_says_so(stage):
    agent = stage.agent()
    stage.caller.close()

    with pytest.raises(BusClosed):
        agent.ask(1)


def test_it_explains_a_suggestion_from_what_that_carries(stage):
    agent = stage.agent()

    said = agent.explain(suggestion(0.2, 4, note="Best there is.", pending=("a", "b")))

    assert said == "Best there is. It knew 4 observations, allowed for 2 pending."
    assert agent.name == "bayesian"


def test_a_reduction_without_an_answer_is_tried_three_times_and_then_rejected(stage):
    restarts = stage.worker.restarts
    reducer = RemoteReducer(stage.caller, "xanes", restarts.append, timeout_s=0.05)

    reduced = reducer.reduce([("start", {"uid": "run-1"})])

    assert reduced.values == {}
    assert reduced.quality.verdict is Verdict.REJECTED
    assert "no answer within 0.05 s" in reduced.quality.reasons[0]
    assert "run-1 is on disk" in reduced.quality.reasons[0]
    assert len(restarts) == 3


def test_a_reduction_is_asked_for_by_its_run_and_what_upkeep_found(stage):
    shift = {"shift": Measured(1.5, 0.1)}
    reducer = RemoteReducer(stage.caller, "xanes", stage.worker.restarts.append, LONG)
    wanted = Reduced({"a": Measured(1.0, 0.1)}, Quality(Verdict.SUSPECT, ("hm",)))
    found: list[Any] = []
    reducing = threading.Thread(
        target=lambda: found.append(reducer.under(shift).reduce([("start", {"uid": "run-1"})]))
    )
    reducing.start()
    question, answer = stage.worker.next_question()
    answer(ReducedRun(reduced=wanted))
    reducing.join(LONG)

    assert question == Reduce(run="run-1", upkeep=shift)
    assert found == [wanted]


def test_to_ask_from_afar_neither_torch_nor_a_simulator_is_loaded():
    import subprocess
    import sys

    code = (
        "import sys, controller.remote.agent, controller.remote.reducer;"
        "print([m for m in ('torch', 'bluesky', 'simulators') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("answered", [True, False])
def test_where_points_have_to_be_safe_no_space_filling_point_takes_the_place_of_one(
    stage, answered
):
    decider = Decider("safe", SPACE, SEED)
    patience = PATIENT if answered else Patience(decision_timeout_s=0.05)
    agent = RemoteAgent(stage.caller, decider, stage.worker.restarts.append, patience)
    if answered:
        stage.worker.script.append(suggested())

    assert agent.ask(1) == []
