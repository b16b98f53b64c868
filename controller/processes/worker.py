"""The worker process: the campaign's agent and its reducer, and nothing that moves anything.

It keeps nothing that can't be had again: it is told what was observed, and reads runs from disk.
Requests are carried out one at a time in the main thread, and may be repeated. What takes long
once (imports, networks) is done while nobody asks.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from pydantic import ValidationError

from agents.catalogue import can_be_recomputed
from agents.errors import AgentError
from agents.protocols import Agent, Calibrating, Documents, Measured, Observation, Reducer
from controller.beginning import reducer_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import (
    Ask,
    Begin,
    Calibrate,
    Calibrated,
    Done,
    Failed,
    Message,
    RanDry,
    Reduce,
    ReducedRun,
    RunDry,
    Suggested,
    Tell,
    Up,
)
from controller.documents import read_run
from controller.errors import ControllerError
from controller.plans.planning import planned_calls
from controller.precheck.gate import Present
from controller.precheck.rehearsing import Rehearsal
from controller.processes.launch import Launch
from controller.processes.parting import when_orphaned
from controller.recorded.recording import Recording, recording
from controller.remote.asking import BEHIND, OVERTAKEN
from controller.remote.rehearsal import rehearse_agent, rehearse_reducer
from controller.resolving import own_files
from controller.threads import one_thread
from models.errors import ModelError

_log = logging.getLogger(__name__)
_DIED = 1

Step = Callable[[], None]
Answer = Callable[[Message], None]


class Worker:
    """Agent and reducer of one campaign; carries out one request after the other."""

    def __init__(self, campaign: Recording) -> None:
        self._campaign = campaign
        self._agent: Agent = campaign.agent()
        self._reducer: Reducer = reducer_of(campaign.resolved, campaign.words)
        self._known = 0
        words, resolved = campaign.words, campaign.resolved
        call = planned_calls(resolved.campaign, words.space)[0]
        self._rehearsal = Rehearsal(resolved, words, campaign.state.seed, call)

    def preparations(self) -> Iterator[Step]:
        """Yield what makes later answers quick, in steps that can stand between two requests."""
        agent = self._campaign.resolved.campaign.agent
        if can_be_recomputed(agent.name, agent.options) and not own_files(agent):
            yield partial(rehearse_agent, self._campaign.agent(), self._campaign.words)
        yield self._rehearsal.prepare
        yield partial(rehearse_reducer, self._reducer, self._campaign)

    def carry_out(self, message: Message) -> Message:
        """Return the answer to *message*.

        Raises what agent and reducer raise for good reasons: AgentError, ModelError,
        ControllerError.
        """
        match message:
            case Begin(observations=observations):
                return self._begin(observations)
            case Tell(observations=observations, known=known):
                return self._tell(observations, known)
            case Ask():
                return self._ask(message)
            case Reduce(run=run, upkeep=calibration):
                return ReducedRun(reduced=self._under(calibration).reduce(self._documents(run)))
            case Calibrate(run=run):
                return Calibrated(values=self._calibration_by(run))
            case RunDry(suggestion=suggestion, signals=signals, rules=rules):
                present = Present(signals, rules)
                return RanDry(verdict=self._rehearsal.verdict(suggestion, present))
            case _:
                reason = f"a worker doesn't know {message.kind!r}"
                return Failed(error="Unknown", reason=reason, refused=True)

    def _documents(self, run: str) -> Documents:
        return read_run(self._campaign.directory, run)

    def _under(self, calibration: Mapping[str, Measured]) -> Reducer:
        if calibration and isinstance(self._reducer, Calibrating):
            return self._reducer.under(calibration)
        return self._reducer

    def _calibration_by(self, run: str) -> dict[str, Measured]:
        if not isinstance(self._reducer, Calibrating):
            return {}
        return dict(self._reducer.calibrate(self._documents(run)))

    def _begin(self, observations: tuple[Observation, ...]) -> Message:
        self._agent, self._known = self._campaign.agent(), 0
        return self._tell(observations, len(observations))

    def _tell(self, observations: tuple[Observation, ...], known: int) -> Message:
        start = known - len(observations)
        if self._known < start:
            return self._behind(start)
        fresh = observations[self._known - start :]
        if fresh:
            self._agent.tell(fresh)
            self._known += len(fresh)
        return Done()

    def _ask(self, ask: Ask) -> Message:
        if self._known < ask.known:
            return self._behind(ask.known)
        if self._known > ask.known:
            return overtaken(f"it knows {self._known} observations, not {ask.known}")
        begun = time.process_time()
        suggestions = tuple(self._agent.ask(ask.count, ask.pending))
        return Suggested(suggestions=suggestions, cpu_s=time.process_time() - begun)

    def _behind(self, wanted: int) -> Failed:
        reason = f"it knows {self._known} observations, and {wanted} are needed"
        return Failed(error=BEHIND, reason=reason)


def overtaken(why: str) -> Failed:
    """Return the answer to a question that is out of date."""
    return Failed(error=OVERTAKEN, reason=why)


class Desk:
    """Where requests wait: what the bench waits for first; of questions the last alone."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[tuple[Message, Answer]] = SimpleQueue()
        self._waiting: deque[tuple[Message, Answer]] = deque()

    def put(self, message: Message, answer: Answer, _request_id: str) -> None:
        """Take in a request (in the thread of the bus)."""
        self._arrived.put((message, answer))

    def take(self, *, wait: bool) -> tuple[Message, Answer] | None:
        """Return the next request to carry out; None when there is none and *wait* is off."""
        self._sort_in()
        if not self._waiting:
            if not wait:
                return None
            self._waiting.append(self._arrived.get())
            self._sort_in()
        for place, (message, _) in enumerate(self._waiting):
            if isinstance(message, Reduce | Calibrate | RunDry):
                taken = self._waiting[place]
                del self._waiting[place]
                return taken
        return self._waiting.popleft()

    def _sort_in(self) -> None:
        while True:
            try:
                arrived = self._arrived.get_nowait()
            except Empty:
                return
            if isinstance(arrived[0], Ask):
                self._drop_questions()
            self._waiting.append(arrived)

    def _drop_questions(self) -> None:
        old = [entry for entry in self._waiting if isinstance(entry[0], Ask)]
        for entry in old:
            self._waiting.remove(entry)
            entry[1](overtaken("something newer was asked"))


def serve(worker: Worker, desk: Desk) -> None:
    """Carry out what comes to *desk*, for ever; get ready while nothing does."""
    steps = worker.preparations()
    ready = False
    while True:
        taken = desk.take(wait=ready)
        if taken is None:
            step = next(steps, None)
            ready = step is None
            if step is not None:
                _rehearse(step)
            continue
        message, answer = taken
        try:
            answer(worker.carry_out(message))
        except (AgentError, ModelError, ControllerError) as error:
            answer(Failed(error=type(error).__name__, reason=str(error)))
        except Exception as error:  # a fault of ours: who asked is told, and this process ends
            answer(Failed(error=type(error).__name__, reason=str(error)))
            raise


def _rehearse(step: Step) -> None:
    """Carry out *step*; where it can't be, nothing is lost but time."""
    try:
        step()
    except (AgentError, ModelError, ControllerError, ValidationError) as error:
        _log.warning("worker: not rehearsed: %s", error)


def main(launch_path: Path) -> int:
    """Serve the campaign of the launch file *launch_path* until the supervisor is gone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    launch = Launch.read(launch_path)
    when_orphaned(partial(os._exit, _DIED), launch.supervisor)
    one_thread()
    desk = Desk()
    answerer = Answerer(launch.address("worker"), desk.put)
    supervisor = Caller(launch.address("supervisor"), "worker")
    try:
        worker = Worker(recording(launch.directory))
        one_thread()  # torch is there by now, if the campaign needs it
        supervisor.post(Up(role="worker", pid=os.getpid()))
        _log.info("worker %d: at %s", os.getpid(), answerer.address)
        serve(worker, desk)
    finally:
        supervisor.close()
        answerer.close()
    return _DIED
