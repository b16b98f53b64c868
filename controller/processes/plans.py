"""What the engine's process is asked, carried out one request at a time in a thread of its own."""

import logging
import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from controller.bench.bench import EngineBench
from controller.bus.messages import (
    AwaitConditions,
    Done,
    Failed,
    GoOn,
    Held,
    Message,
    PausePlan,
    PlanEnded,
    Recover,
    RunExperiment,
    RunFinal,
    RunUpkeep,
    StopPlan,
    Tripped,
)
from controller.engine import Engine
from controller.errors import ControllerError, EngineError, JournalUnwritable
from controller.loop import Ran
from controller.requests_log import RequestsLog

_log = logging.getLogger("heliostat.engine")

Answer = Callable[[Message], None]
Request = tuple[Message, Answer, str]

DIED = "the engine died while the plan ran"


class Plans:
    """Takes requests in the bus's thread, and carries them out in the thread that serves.

    *head* holds the hash of the journal's last record, as the latest request names it.
    """

    def __init__(
        self,
        engine: Engine,
        bench: EngineBench,
        log: RequestsLog,
        now: Callable[[], float],
        head: list[str],
    ) -> None:
        self._engine = engine
        self._bench = bench
        self._log = log
        self._now = now
        self._head = head
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._waiting = 0
        self._armed = 0.0
        self._awaits = False
        self._tripped: Tripped | None = None
        self._lock = threading.Lock()
        self.failed = False
        """Whether the engine can't go on: the process must be started anew."""

    @property
    def busy(self) -> bool:
        """Whether something is carried out or waits for it."""
        return self._waiting > 0

    def take(self, message: Message, answer: Answer, request: str) -> None:
        """Take in a request (in the bus's thread)."""
        match message:
            case StopPlan(now=now, reason=reason):
                if self.busy:
                    self._engine.stop(reason, now=now)
                answer(Done())
            case Tripped():
                self._tripped = message
                self._end_tripped()
                answer(Done())
            case PausePlan(now=now):
                if self.busy:
                    self._engine.pause(now=now)
                answer(Done())
            case GoOn():
                self._engine.go_on()
                answer(Done())
            case RunExperiment() | RunFinal() | RunUpkeep() | Recover() | AwaitConditions():
                with self._lock:
                    self._waiting += 1
                self._armed = getattr(message, "armed", 0.0) or time.monotonic()
                self._awaits = isinstance(message, AwaitConditions)
                self._end_tripped()
                self._queue.put((message, answer, request))
            case _:
                reason = f"an engine doesn't know {message.kind!r}"
                answer(Failed(error="Unknown", reason=reason, refused=True))

    def _end_tripped(self) -> None:
        """End what runs, or is about to, if the gate has tripped since it was armed for that."""
        tripped = self._tripped
        if tripped is None or not self.busy or tripped.at < self._armed:
            return
        if self._awaits:  # who waits for conditions asks again
            self._engine.stop(tripped.reason, now=True)
        else:
            self._engine.trip(tripped.reason, lost=tripped.ours)

    def leave(self) -> None:
        """Carry out nothing that comes after what waits already."""
        self._queue.put(None)

    def serve(self) -> None:
        """Carry requests out, until ``leave`` or the engine can't go on."""
        while not self.failed and (request := self._queue.get()) is not None:
            message, answer, identity = request
            try:
                said = self._said(message, identity)
            except Exception as error:  # at the edge of the thread: whoever asked is told
                _log.exception("%s was not carried out", message.kind)
                self.failed = True
                said = _lost(f"{type(error).__name__}: {error}")
            with self._lock:
                self._waiting -= 1
                self._engine.forget()
            answer(said)

    def _said(self, message: Message, identity: str) -> Message:
        match message:
            case Recover():
                return self._recovered(message)
            case AwaitConditions(head=head, patience_s=patience_s):
                self._head[0] = head
                return self._held(math.inf if patience_s is None else patience_s)
        kept = self._log.answer(identity)
        if kept is not None:
            return kept
        if self._log.begun(identity):
            said = self._after_death(message)
        else:
            self._log.begin(identity, message, self._now())
            said = self._carried_out(message)
        self._end(identity, said)
        return said

    def _carried_out(self, message: Message) -> Message:
        """Run the plan that *message* asks for, and say how it ended."""
        try:
            match message:
                case RunExperiment():
                    self._head[0] = message.head
                    return _told(
                        self._bench.experiment(
                            message.suggestion, message.experiment_id, message.attempt
                        )
                    )
                case RunFinal():
                    self._head[0] = message.head
                    return _told(self._bench.final(message.number))
                case RunUpkeep():
                    self._head[0] = message.head
                    return _told(
                        self._bench.upkeep(message.name, message.number, message.experiment_id)
                    )
        except EngineError as error:
            self.failed = True
            return _lost(str(error))
        except ControllerError as error:  # the documents could not be written: it doesn't count
            return _lost(f"{type(error).__name__}: {error}")
        raise AssertionError(message.kind)

    def _after_death(self, message: Message) -> Message:
        """Say how a plan ended that a former process had begun.

        What was tripped then was that plan: looking it up moves nothing, and begins only now.
        """
        self._armed = time.monotonic()
        self._engine.forget()
        if isinstance(message, RunExperiment):
            ran = self._bench.recover(message.suggestion, message.experiment_id, message.attempt)
            if ran is not None:
                return _told(ran)
        return _lost(DIED)

    def _recovered(self, message: Recover) -> Message:
        ran = self._bench.recover(message.suggestion, message.experiment_id, message.attempt)
        return Failed(error="Lost", reason=DIED, lost=True) if ran is None else _told(ran)

    def _held(self, patience_s: float) -> Message:
        try:
            return Held(yes=self._bench.await_conditions(patience_s))
        except KeyboardInterrupt:
            return Held(yes=False)
        except EngineError as error:
            return Failed(error=type(error).__name__, reason=str(error))

    def _end(self, identity: str, said: Message) -> None:
        try:
            self._log.end(identity, said)
        except JournalUnwritable as error:  # whoever asks again hears that it was lost
            _log.warning("%s", error)


def _told(ran: Ran) -> PlanEnded:
    return PlanEnded(
        runs=ran.runs,
        reason=ran.reason,
        writes=ran.writes,
        interrupted=ran.interrupted,
        lost=ran.lost,
        unfit=ran.unfit,
    )


def _lost(reason: str) -> PlanEnded:
    return PlanEnded(reason=reason, lost=True)
