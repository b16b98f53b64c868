"""The worker: answers as agent and reducer themselves do, whatever happens to its process."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.fallback import MODEL
from agents.protocols import Observation, Suggestion
from controller.bus.messages import (
    Ask,
    Begin,
    Done,
    Failed,
    Message,
    Reduce,
    ReducedRun,
    Restart,
    Suggested,
    Tell,
)
from controller.events import ExperimentFinished
from controller.processes.worker import Desk
from controller.recorded.recording import Recording, recording
from controller.remote.agent import Decider, Patience, RemoteAgent
from controller.remote.asking import BEHIND, OVERTAKEN
from controller.remote.reducer import RemoteReducer
from controller.wiring import open_session
from models.errors import ReductionError
from tests.support.campaigns import barrel_campaign, copper_campaign, modelled
from tests.support.workers import Supervised, supervised

LONG = 300.0


@pytest.fixture(scope="module")
def barrels(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A finished campaign of seven experiments, of which a model chose the last ones."""
    directory = tmp_path_factory.mktemp("barrels") / "campaign"
    resolved = modelled(barrel_campaign(budget={"experiments": 7}))
    with open_session(resolved, directory, lambda _r, _s: None) as session:
        session.loop.run()
    return recording(directory)


@pytest.fixture(scope="module")
def shared(barrels: Recording):
    """A worker that several tests ask."""
    with supervised(barrels.directory) as worker:
        worker.start()
        yield worker


def remote(worker: Supervised, campaign: Recording, **patience: float) -> RemoteAgent:
    decider = Decider("bayesian", campaign.words.space, campaign.started.seed)
    return RemoteAgent(worker.caller, decider, worker.restart, Patience(**patience))


def itself(campaign: Recording, told: Any, pending: Any = ()) -> list[Suggestion]:
    """Return what the agent suggests in this process."""
    agent = campaign.agent()
    agent.tell(told)
    return agent.ask(1, pending)


def told_of(campaign: Recording) -> tuple[Observation, ...]:
    return campaign.state.observations


def test_it_suggests_what_the_agent_itself_suggests(shared, barrels):
    told, agent = told_of(barrels), remote(shared, barrels)
    pending = [replace(itself(barrels, told)[0], id="pending-1")]

    agent.tell(told)
    fresh, beside = agent.ask(1), agent.ask(1, pending)

    assert fresh == itself(barrels, told)
    assert beside == itself(barrels, told, pending)
    assert [s.digest() for s in beside] == [s.digest() for s in itself(barrels, told, pending)]


def test_told_in_parts_it_suggests_the_same(shared, barrels):
    agent = remote(shared, barrels)

    for observation in told_of(barrels):
        agent.tell([observation])

    assert agent.ask(1) == itself(barrels, told_of(barrels))


def test_what_is_corrected_is_told_anew(shared, barrels):
    told, agent = told_of(barrels), remote(shared, barrels)
    agent.tell(told)
    agent.ask(1)

    agent.begin(())
    agent.tell(told[2:])

    assert agent.ask(1) == itself(barrels, told[2:])


def test_a_foreseen_suggestion_says_what_it_knew_and_can_be_made_again(shared, barrels):
    told = told_of(barrels)
    agent = remote(shared, barrels, least_s=0.0, share=0.0)
    agent.tell(told[:-1])
    running = replace(agent.ask(1)[0], id="running")
    agent.foresee([running])
    shared.caller.call(Begin(observations=()), LONG)  # it has answered what came before
    agent.tell([replace(told[-1], parameters=running.parameters)])

    (suggestion,) = agent.ask(1)

    assert suggestion.known == len(told) - 1
    assert suggestion.pending == ("running",)
    assert [suggestion] == itself(barrels, told[:-1], [running])


def test_it_tells_when_it_must_be_told_more_and_hears_nothing_twice(shared, barrels):
    told, caller = told_of(barrels), shared.caller
    caller.call(Begin(observations=()), LONG)

    behind = caller.call(Ask(count=1, known=2), LONG)
    gap = caller.call(Tell(observations=told[4:5], known=5), LONG)
    assert isinstance(behind, Failed)
    assert behind.error == BEHIND
    assert isinstance(gap, Failed)
    assert gap.error == BEHIND

    for known in (2, 3, 3, 2, len(told)):
        assert caller.call(Tell(observations=told[:known], known=known), LONG) == Done()
    late = caller.call(Ask(count=1, known=2), LONG)
    answer = caller.call(Ask(count=1, known=len(told)), LONG)

    assert isinstance(late, Failed)
    assert late.error == OVERTAKEN
    assert isinstance(answer, Suggested)
    assert list(answer.suggestions) == itself(barrels, told)
    assert answer.cpu_s >= 0


def test_it_reduces_a_run_from_disk_as_it_was_reduced(shared, barrels):
    reducer = RemoteReducer(shared.caller, "columns", shared.restart)

    for observation in told_of(barrels):
        reduced = reducer.reduce([("start", {"uid": observation.runs[0]})])

        assert reduced.values == observation.values
        assert reduced.quality == observation.quality


def test_a_run_of_another_kind_is_refused_as_by_the_reducer_itself(tmp_path, barrels):
    with open_session(copper_campaign(budget={"experiments": 1}), tmp_path / "c", _nothing) as made:
        made.loop.run()
    (finished,) = [
        record.event
        for record in recording(tmp_path / "c").records
        if isinstance(record.event, ExperimentFinished)
    ]
    (written,) = (tmp_path / "c/documents").glob(f"*-{finished.runs[0][:8]}.jsonl")
    (barrels.directory / "documents" / written.name).write_bytes(written.read_bytes())

    with supervised(barrels.directory) as worker:
        worker.start()
        reducer = RemoteReducer(worker.caller, "columns", worker.restart)
        with pytest.raises(ReductionError, match="have no bench-outcome"):
            reducer.reduce([("start", {"uid": finished.runs[0]})])
        assert worker.reasons == []


def _nothing(_record: Any, _state: Any) -> None:
    """Listen to nothing."""


def test_it_searches_a_space_and_reduces_spectra_as_in_one_process(tmp_path):
    resolved = modelled(copper_campaign(budget={"experiments": 4}))
    with open_session(resolved, tmp_path / "copper", _nothing) as session:
        session.loop.run()
    campaign = recording(tmp_path / "copper")
    told = told_of(campaign)

    with supervised(campaign.directory) as worker:
        worker.start()
        agent = remote(worker, campaign)
        agent.tell(told)
        suggestions = agent.ask(1)
        reducer = RemoteReducer(worker.caller, "xanes", worker.restart)
        reduced = reducer.reduce([("start", {"uid": told[0].runs[-1]})])

    assert [s.model for s in suggestions] == ["gp-matern52/log-nei"]
    assert suggestions == itself(campaign, told)
    assert reduced.values == told[0].values
    assert worker.reasons == []


def test_killed_while_it_was_asked_a_new_one_is_told_and_answers(barrels):
    told = told_of(barrels)
    with supervised(barrels.directory) as worker:
        worker.start()
        agent = remote(worker, barrels)
        agent.tell(told)
        agent.ask(1)
        worker.stop()
        answers: list[list[Suggestion]] = []
        asking = threading.Thread(target=lambda: answers.append(agent.ask(1)))
        asking.start()

        worker.end()
        worker.start()
        asking.join(LONG)

        assert answers == [itself(barrels, told)]
        assert worker.reasons == []
        assert len(worker.ups) == 2


def test_standing_still_past_the_time_out_it_is_replaced_and_space_is_filled_meanwhile(barrels):
    told = told_of(barrels)
    with supervised(barrels.directory) as worker:
        worker.start()
        agent = remote(worker, barrels, decision_timeout_s=LONG)
        agent.tell(told)
        agent.ask(1)
        worker.stop()
        hurried = remote(worker, barrels, decision_timeout_s=0.3, start_timeout_s=0.0)
        hurried.tell(told)

        (filling,) = hurried.ask(1)
        again = agent.ask(1)

        assert filling.model == MODEL
        assert "no decision within 0.3 s" in filling.note
        assert worker.reasons == ["the worker gave no decision within 0.3 s"]
        assert again == itself(barrels, told)


def test_a_worker_that_dies_while_it_reduces_is_asked_again(barrels):
    observation = told_of(barrels)[0]
    with supervised(barrels.directory) as worker:
        worker.start()
        worker.caller.call(Begin(observations=()), LONG)
        worker.stop()
        reducer = RemoteReducer(worker.caller, "columns", worker.restart, timeout_s=LONG)
        answers: list[Any] = []
        uid = {"uid": observation.runs[0]}
        asking = threading.Thread(target=lambda: answers.append(reducer.reduce([("start", uid)])))
        asking.start()

        worker.end()
        worker.start()
        asking.join(LONG)

        assert [reduced.values for reduced in answers] == [observation.values]


def test_the_supervisor_that_is_asked_to_restart_it_does(barrels):
    with supervised(barrels.directory) as worker:
        worker.start()
        worker.caller.call(Begin(observations=()), LONG)
        assert worker.process is not None
        before = worker.process.pid

        worker.hear(Restart(role="worker", reason="it hangs"), lambda _m: None, "1")
        worker.caller.call(Begin(observations=()), LONG)

        assert worker.process.pid != before


@pytest.fixture
def desk():
    return Desk()


def put(desk: Desk, *messages: Message) -> list[Message]:
    """Lay *messages* on the desk and return where their answers will stand."""
    answers: list[Message] = []
    for message in messages:
        desk.put(message, answers.append, "id")
    return answers


def drained(desk: Desk) -> list[str]:
    kinds = []
    while (taken := desk.take(wait=False)) is not None:
        kinds.append(taken[0].kind)
    return kinds


def test_reductions_come_first_since_the_bench_waits_for_them(desk):
    put(desk, Ask(count=1, known=0), Tell(observations=(), known=0), Reduce(run="r"))

    assert drained(desk) == ["reduce", "ask", "tell"]


def test_of_several_questions_that_wait_only_the_last_is_carried_out(desk):
    answers = put(
        desk, Ask(count=1, known=0), Tell(observations=(), known=0), Ask(count=1, known=1)
    )

    assert drained(desk) == ["tell", "ask"]
    assert [a.error for a in answers if isinstance(a, Failed)] == [OVERTAKEN]


def test_what_it_does_not_know_is_refused(shared):
    answer = shared.caller.call(Restart(role="worker", reason="no"), LONG)

    assert isinstance(answer, Failed)
    assert answer.refused


def test_a_run_that_is_not_on_disk_is_refused_and_the_worker_lives(shared):
    answer = shared.caller.call(Reduce(run="0" * 32), LONG)
    after = shared.caller.call(Begin(observations=()), LONG)

    assert isinstance(answer, Failed)
    assert answer.error == "JournalBroken"
    assert after == Done()
    assert not isinstance(answer, ReducedRun)


def test_the_log_of_the_worker_is_kept(shared):
    shared.caller.call(Begin(observations=()), LONG)

    assert "worker" in Path(shared.launch.directory / "worker.log").read_text()
