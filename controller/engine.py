"""Hosts the RunEngine: runs one plan at a time, writes its documents, says how it ended."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from bluesky import RunEngine
from bluesky.utils import (  # type: ignore[attr-defined]  # TransitionError is imported there
    DuringTask,
    Msg,
    RunEngineInterrupted,
    TransitionError,
)

from controller.clock import Clock
from controller.documents import DocumentWriter
from controller.errors import EngineError, JournalError
from controller.interrupts import Interrupts, held_back

T = TypeVar("T")

# How a plan ended is journalled and told in one line; bluesky's traceback of it is for those who
# have set up logging.
logging.getLogger("bluesky").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How a plan ended; *reason* is empty when it succeeded."""

    runs: tuple[str, ...]
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class BenchHooks:
    """Called in the devices' loop when a plan begins and when it has ended."""

    start: Callable[[], None]
    stop: Callable[[], None]


class Engine:
    """A RunEngine in a thread of its own, on the campaign's clock.

    Virtual time passes only while a plan runs: what a plan left behind (a move that nobody
    waits for) can't make it jump while the controller thinks.
    """

    def __init__(self, clock: Clock, writer: DocumentWriter, metadata: Mapping[str, Any]) -> None:
        self._clock = clock
        self._writer = writer
        self._patience = _InterruptiblePatience()
        clock.standing = True
        self._run_engine: Any = RunEngine(
            dict(metadata),
            loop=clock.loop,
            context_managers=[],
            during_task=self._patience,
            call_returns_result=True,
            scan_id_source=lambda _metadata: writer.next_scan_id(),
        )
        self._run_engine.state_hook = self._stand_or_go  # type: ignore[assignment]
        self._patience.host(self._run_engine)
        self._run_engine.subscribe(writer)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what *coroutine* returns in the devices' loop; called from outside of it."""
        future = asyncio.run_coroutine_threadsafe(self._going(coroutine), self._run_engine.loop)
        while not wait((future,), timeout=POLL_S).done:
            self._patience.require_life()
        return future.result()

    def run(
        self,
        plan: Generator[Msg, Any, Any],
        metadata: Mapping[str, Any],
        hooks: BenchHooks,
        insistence: int = 1,
    ) -> PlanOutcome:
        """Run *plan* to its end and return how it ended; a plan that fails is an outcome.

        Raises JournalError when a record or document could not be written, EngineError when the
        devices' loop is dead, and KeyboardInterrupt when the operator interrupted *insistence*
        times (the plan's own clean-up has run).
        """
        self._writer.begin()
        with held_back() as interrupts:
            self._patience.begin(interrupts, insistence)
            try:
                reason = self._carry_out(_during(plan, hooks), metadata)
            finally:
                runs = self._writer.finish()
            if self._patience.over or insistence > 1:
                interrupts.count = 0
            if self._patience.over:
                raise KeyboardInterrupt
        return PlanOutcome(runs, reason)

    def close(self) -> None:
        """Stop the loop and its thread."""
        loop = self._run_engine.loop
        thread: threading.Thread = self._run_engine._th
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _carry_out(self, plan: Generator[Msg, Any, Any], metadata: Mapping[str, Any]) -> str:
        """Return why *plan* failed, empty when it didn't."""
        self._patience.require_life()
        try:
            result: Any = self._run_engine(plan, **metadata)
        except RunEngineInterrupted:
            return self._abort()
        except _LoopDied:
            raise EngineError(DEAD) from None
        except Exception as error:  # whatever a plan or device raises is how the plan ended
            return _reason(error)
        ended = f"the plan was ended: {result.exit_status} {result.reason}".rstrip()
        return "" if result.exit_status == "success" else ended

    def _abort(self) -> str:
        why = "interrupted by the operator" if self._patience.over else "the plan paused itself"
        try:
            if self._run_engine.state.is_paused:
                self._run_engine.abort(why)
        except _LoopDied:
            raise EngineError(DEAD) from None
        except Exception as error:  # the plan's clean-up failed
            return f"{why}; {_reason(error)}"
        return why

    def _stand_or_go(self, state: str, _before: str) -> None:
        self._clock.standing = state in ("idle", "paused", "panicked")

    async def _going(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self._clock.standing = False
        try:
            return await coroutine
        finally:
            self._clock.standing = True


POLL_S = 0.1
"""How often (real seconds) who waits for a plan looks for interrupts and a dead loop."""

DEAD = (
    "the devices' event loop is dead: a plan or device has ended its thread (sys.exit?); nothing "
    "can be moved from here. See to the bench, mend the device, then `heliostat resume`"
)


class _LoopDied(BaseException):
    """Gets past the RunEngine, which would wait for its dead loop."""


class _InterruptiblePatience(DuringTask):
    """Waits for the plan; the operator's interrupt becomes an immediate pause, never a panic."""

    def __init__(self) -> None:
        self._run_engine: Any = None
        self.begin(Interrupts(), 1)

    def begin(self, interrupts: Interrupts, insistence: int) -> None:
        """Wait for a new plan, which *insistence* of the *interrupts* pause."""
        self._interrupts, self._insistence = interrupts, insistence
        self._warned = False
        self.over = False
        """Whether the plan was paused for the operator."""

    def host(self, run_engine: RunEngine) -> None:
        """Wait for plans of *run_engine*."""
        self._run_engine = run_engine

    def require_life(self) -> None:
        """Raise EngineError when the loop's thread is dead."""
        if not self._run_engine._th.is_alive():
            raise EngineError(DEAD)

    def block(self, blocking_event: threading.Event) -> None:
        while not blocking_event.wait(POLL_S):
            if not self._run_engine._th.is_alive():
                raise _LoopDied
            if self._interrupts.count >= self._insistence and not self.over:
                self._pause()
            elif self._interrupts.count and not self.over and not self._warned:
                self._warned = True
                _log.warning("the final plan goes on; interrupt again to stop it where it is")

    def _pause(self) -> None:
        with suppress(TransitionError):  # it has just ended by itself
            self._run_engine.request_pause(defer=False)
            self.over = True


_log = logging.getLogger("heliostat")


def _during(plan: Generator[Msg, Any, Any], hooks: BenchHooks) -> Generator[Msg, Any, Any]:
    hooks.start()
    try:
        return (yield from plan)
    finally:
        hooks.stop()


def causes(error: BaseException) -> list[BaseException]:
    """Return *error* and what led to it; the last is what a device or the gate said."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _reason(error: Exception) -> str:
    """Return the cause of *error* in words; raise it when it is the journal's."""
    chain = causes(error)
    for cause in chain:
        if isinstance(cause, JournalError):
            raise cause from error
    return f"{type(chain[-1]).__name__}: {chain[-1]}"
