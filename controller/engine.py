"""Hosts the RunEngine: runs one plan at a time, writes its documents, says how it ended."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import wait
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aioca import CANothing
from bluesky import RunEngine
from bluesky.utils import Msg, RunEngineInterrupted

from controller.clock import Clock
from controller.documents import DocumentWriter
from controller.errors import EngineError, GateLost, JournalError, NotArmed
from controller.interrupts import held_back
from controller.patience import Ending, LoopLost, Patience
from controller.watching import Watch, exposures_watched

T = TypeVar("T")

# How a plan ended is journalled and told in one line; bluesky's traceback of it is for those who
# have set up logging.
logging.getLogger("bluesky").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How a plan ended; *reason* is empty when it succeeded."""

    runs: tuple[str, ...]
    reason: str = ""
    lost: bool = False
    """Whether it failed because something died or stood still: it says nothing about the sample."""
    unfit: str = ""
    """Why what was measured doesn't count: the measuring conditions that failed."""
    interrupted: bool = False
    """Whether it was ended because somebody asked for it."""

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed."""
        return not (self.reason or self.lost or self.unfit)


@dataclass(frozen=True, slots=True)
class BenchHooks:
    """Called in the devices' loop when a plan begins and when it has ended."""

    start: Callable[[], None]
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Supervision:
    """How a plan is watched over: so that it ends, isn't replayed, and measures what counts.

    *limit_s* (campaign seconds) is the time after which it is ended. What a plan that is not
    *replayable* did since its last checkpoint is not done again when it goes on after a pause:
    it pauses at checkpoints alone.
    """

    insistence: int = 1
    """So many interrupts of the operator end it."""
    limit_s: float = math.inf
    replayable: bool = False
    watch: Watch | None = None
    """The measuring conditions, if there are any."""


UNSUPERVISED = Supervision()

Away = Callable[[float], str]
"""Says which servers were away at any time since the monotonic time given; empty: none."""


def nobody(_since: float) -> str:
    """Say that no server was away: there are none."""
    return ""


class Engine:
    """A RunEngine in a thread of its own, on the campaign's clock.

    Virtual time passes only while a plan runs: what a plan left behind (a move that nobody
    waits for) can't make it jump while the controller thinks. ``stop``, ``pause`` and ``go_on``
    may be called from any thread and never wait; the rest is for one thread at a time.
    """

    def __init__(
        self,
        clock: Clock,
        writer: DocumentWriter,
        metadata: Mapping[str, Any],
        away: Away = nobody,
    ) -> None:
        self._clock = clock
        self._away = away
        self._begun = time.monotonic()
        self._writer = writer
        self._patience = Patience(clock)
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
        self._close: Callable[[Msg], Any] = self._run_engine._command_registry["close_run"]
        self._run_engine.register_command("close_run", self._close_run)

    def stop(self, reason: str, *, now: bool) -> None:
        """End the plan in progress, its clean-up included: at its next checkpoint, or *now*.

        A plan without another checkpoint goes on to its end unless it is ended now.
        """
        self._patience.end_plan(Ending(reason), now=now)

    def trip(self, reason: str, *, lost: bool) -> None:
        """End the plan in progress at once: nobody has asked for it, the gate has tripped."""
        self._patience.end_plan(Ending(reason, asked=False, lost=lost), now=True)

    def pause(self, *, now: bool) -> None:
        """Pause the plan in progress at its next checkpoint, or *now*.

        What is not replayable pauses at a checkpoint in any case.
        """
        self._patience.pause(now=now)

    def go_on(self) -> None:
        """Go on with a paused plan."""
        self._patience.go_on()

    def forget(self) -> None:
        """Drop what was wished of a plan that has not begun or is over."""
        self._patience.forget()

    @property
    def paused(self) -> bool:
        """Whether a plan has paused."""
        return bool(self._run_engine.state.is_paused)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what *coroutine* returns in the devices' loop; called from outside of it.

        Raises EngineError when that is dead or hangs.
        """
        try:
            result: T = self._patience.wait_for(self._going(coroutine))
        except LoopLost as lost:
            raise EngineError(str(lost)) from None
        return result

    def run(
        self,
        plan: Generator[Msg, Any, Any],
        metadata: Mapping[str, Any],
        hooks: BenchHooks,
        supervision: Supervision = UNSUPERVISED,
    ) -> PlanOutcome:
        """Run *plan* to its end and return how it ended; a plan that fails is an outcome.

        Raises JournalError when a record or document could not be written, EngineError when the
        devices' loop is dead or hangs, and KeyboardInterrupt when the operator interrupted as
        often as *supervision* says (the plan's own clean-up has run).
        """
        self._writer.begin()
        self._begun = time.monotonic()
        with held_back() as interrupts:
            self._patience.begin(
                interrupts,
                supervision.insistence,
                replayable=supervision.replayable,
                limit_s=supervision.limit_s,
            )
            try:
                ended = self._carry_out(
                    _during(plan, hooks, supervision.watch, self._unfit), metadata, supervision
                )
            finally:
                self._patience.end()
                runs = self._writer.finish()
            if self._patience.over or supervision.insistence > 1:
                interrupts.count = 0  # taken
            if self._patience.over:
                raise KeyboardInterrupt
        unfit = "" if supervision.watch is None else supervision.watch.why
        away = self._away(self._begun)
        reason = "; ".join(why for why in (ended.reason, away) if why)
        stood_still = bool(ended.reason) and self._patience.stood_still_s > 0
        return PlanOutcome(
            runs, reason, ended.lost or stood_still or bool(away), unfit, ended.interrupted
        )

    def close(self) -> None:
        """Stop the loop and its thread, and what still goes on there; one that hangs is left."""
        loop = self._run_engine.loop
        thread: threading.Thread = self._run_engine._th
        if thread.is_alive():
            wait((asyncio.run_coroutine_threadsafe(_end_all(), loop),), timeout=LEAVE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LEAVE_S)
        if not thread.is_alive():
            loop.close()

    def _carry_out(
        self,
        plan: Generator[Msg, Any, Any],
        metadata: Mapping[str, Any],
        supervision: Supervision,
    ) -> "_Ended":
        """Run *plan*, through its pauses, and return how it ended."""
        self._patience.require_life()
        self._run_engine.rewindable = supervision.replayable
        step: Callable[[], Any] = partial(self._run_engine, plan, **metadata)
        watch = supervision.watch
        try:
            with exposures_watched(self._run_engine, watch) if watch else nullcontext():
                while True:
                    try:
                        return _ended(step())
                    except RunEngineInterrupted:
                        if not self._goes_on():
                            return self._abort()
                        step = self._run_engine.resume
        except LoopLost as lost:
            raise EngineError(str(lost)) from None
        except Exception as error:  # whatever a plan or device raises is how the plan ended
            return _failed(error)

    def _goes_on(self) -> bool:
        """Wait while the plan is to be paused; return whether it then goes on."""
        wished = self._patience.wishes.pause
        return self._run_engine.state.is_paused and wished and self._patience.wait_paused()

    def _abort(self) -> "_Ended":
        wishes = self._patience.wishes
        ending = wishes.now or wishes.later or Ending("the plan paused itself", asked=False)
        try:
            if self._run_engine.state.is_paused:
                self._patience.clean_up()
                self._patience.wait_for(self._aborting(ending.reason))
                self._run_engine._resume_task()
        except JournalError:
            raise
        except Exception as error:  # the plan's clean-up failed
            failed = _failed(error)
            reason = f"{ending.reason}; {failed.reason}"
            return _Ended(reason, ending.lost or failed.lost, interrupted=ending.asked)
        return _Ended(ending.reason, ending.lost, interrupted=ending.asked)

    async def _aborting(self, reason: str) -> None:
        """Let the paused plan end: at once, so that no virtual time passes."""
        await self._run_engine._abort_coro(reason)
        self._run_engine._run_permit.set()

    async def _close_run(self, message: Msg) -> Any:
        """Close a run as the RunEngine does, and say in its stop document why it was aborted.

        One during which a server was away is no success: a device that has begun anew stands where
        it begins, and what is read of it may be from before.
        """
        why = self._run_engine._reason
        more = {"reason": why} if why and not message.kwargs.get("reason") else {}
        if not why and (away := self._away(self._begun)):
            more = {"exit_status": "fail", "reason": away}
        return await self._close(message._replace(kwargs={**message.kwargs, **more}))

    def _unfit(self, why: str) -> None:
        self._patience.end_plan(Ending(f"unfit: {why}", asked=False), now=True)

    def _stand_or_go(self, state: str, _before: str) -> None:
        self._clock.standing = state in ("idle", "paused", "panicked")

    async def _going(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self._clock.standing = False
        try:
            return await coroutine
        finally:
            self._clock.standing = True


LEAVE_S = 5.0
"""So long (real seconds) the loop's thread is waited for when the engine is closed."""


async def _end_all() -> None:
    """End what nobody waits for any more: moves and exposures of a plan that was ended."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Ended:
    reason: str = ""
    lost: bool = False
    interrupted: bool = False


def _ended(result: Any) -> _Ended:
    if result.exit_status == "success":
        return _Ended()
    return _Ended(f"the plan was ended: {result.exit_status} {result.reason}".rstrip())


def _during(
    plan: Generator[Msg, Any, Any],
    hooks: BenchHooks,
    watch: Watch | None,
    end: Callable[[str], None],
) -> Generator[Msg, Any, Any]:
    hooks.start()
    if watch is not None:
        watch.begin(end)
    try:
        return (yield from plan)
    except Exception as error:
        if error:
            raise
        # Futures take a false exception (aioca's CANothing is one) for none at all.
        raise EngineError(f"{type(error).__name__}: {error}") from error
    finally:
        if watch is not None:
            watch.end()
        hooks.stop()


def causes(error: BaseException) -> list[BaseException]:
    """Return *error* and what led to it; the last is what a device or the gate said."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _failed(error: Exception) -> _Ended:
    """Return the cause of *error* in words; raise it when it is the journal's."""
    chain = causes(error)
    for cause in chain:
        if isinstance(cause, JournalError):
            raise cause from error
    lost = any(isinstance(cause, (GateLost, NotArmed, CANothing)) for cause in chain)
    return _Ended(_in_words(chain), lost)


def _in_words(chain: list[BaseException]) -> str:
    """Return what the last of *chain* says that says anything: time-outs end in bare names."""
    said = [cause for cause in chain if str(cause).strip() not in ("", "None")]
    last = said[-1] if said else chain[-1]
    if isinstance(last, asyncio.CancelledError):
        return f"TimeoutError: {last}"
    if isinstance(last, TimeoutError):
        return f"TimeoutError: {str(last) or 'a device'}: no answer in time"
    return f"{type(last).__name__}: {str(last) or 'it says nothing else'}"
