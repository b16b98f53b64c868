"""Waiting for a plan: what people want meanwhile, a loop that hangs, time that is up.

Nothing here waits for the devices' loop without a limit. What stands still as a whole (a process
that is stopped and continued, a computer that sleeps) isn't held against the plan: patience is
counted in looks, and a long pause between two of them is worth no more than a short one.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bluesky import RunEngine
from bluesky.utils import DuringTask

from controller.clock import Clock
from controller.errors import EngineError
from controller.interrupts import Interrupts

POLL_S = 0.1
"""How often (real seconds) who waits for a plan looks for interrupts and at the loop."""
BEAT_S = 1.0
"""How often (real seconds) the loop is asked whether it turns."""
HUNG_S = 30.0
"""So long (real seconds) without an answer, and the loop is hung."""
STANDSTILL_S = 5.0
"""A pause between two looks (real seconds) that says that the whole process stood still."""
CLEAN_UP_S = 900.0
"""So long (campaign seconds) may the clean-up of a plan take that was ended."""
MARGIN_S = 60.0
"""So much more (real seconds) on a clock that is faster than real time, for a busy computer."""
HALT_S = 10.0
"""So long (real seconds) may a plan take to end that is ended without clean-up."""

DEAD = (
    "the devices' event loop is dead: a plan or device has ended its thread (sys.exit?); nothing "
    "can be moved from here. See to the bench, mend the device, then `heliostat resume`"
)
HUNG = (
    f"the devices' event loop hangs: a device has blocked it for {HUNG_S:g} s; nothing can be "
    "moved from here. See to the bench, mend the device, then `heliostat resume`"
)
STUCK = (
    "the plan could not be ended: neither its clean-up nor stopping without it came to an end; "
    "nothing can be moved from here. See to the bench, mend the device, then `heliostat resume`"
)

_log = logging.getLogger("heliostat")


class LoopLost(BaseException):
    """Gets past the RunEngine, which would wait for its loop for ever."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a plan is ended before its end."""

    reason: str
    asked: bool = True
    """Whether somebody asked for it (not the clock, not the conditions, not the gate)."""
    lost: bool = False
    """Whether the plan is then to be repeated, as if it had never been."""


@dataclass
class Wishes:
    """What people and watchers want of the plan in progress."""

    now: Ending | None = None
    """End it at once; the first one counts."""
    later: Ending | None = None
    """End it at its next checkpoint."""
    pause: bool = False
    pause_now: bool = False

    @property
    def at_once(self) -> bool:
        """Whether the plan must be interrupted where it is."""
        return self.now is not None or self.pause_now

    @property
    def at_checkpoint(self) -> bool:
        """Whether the plan must be interrupted where it can go on."""
        return self.later is not None or self.pause


class Allowance:
    """So many campaign seconds for something; calls *over* when they are spent.

    On a virtual clock it is a timer of the loop, elsewhere it is spent look by look.
    """

    def __init__(self, clock: Clock, seconds: float, over: Callable[[], None]) -> None:
        self._clock = clock
        self._left = seconds
        self._over = over
        self._timer: asyncio.TimerHandle | None = None
        self._ended = not math.isfinite(seconds)
        if clock.virtual and not self._ended:
            clock.loop.call_soon_threadsafe(self._start)

    def spend(self, real_s: float) -> None:
        """Take *real_s* off, a second at most."""
        if self._clock.virtual or self._ended:
            return
        self._left -= min(real_s, 1.0) * getattr(self._clock, "speed", 1.0)
        if self._left <= 0:
            self._ended = True
            self._over()

    def end(self) -> None:
        """It is no longer needed."""
        self._ended = True
        timer, self._timer = self._timer, None
        if timer is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._clock.loop.call_soon_threadsafe(timer.cancel)

    def _start(self) -> None:
        if not self._ended:
            self._timer = self._clock.loop.call_later(self._left, self._expire)

    def _expire(self) -> None:
        if not self._ended:
            self._ended = True
            self._over()


def stretched(clock: Clock, seconds: float) -> float:
    """Return *seconds* of campaign time with MARGIN_S real ones on top, where real ones are short.

    Answers of the network and of other processes don't come faster for it.
    """
    speed = getattr(clock, "speed", 1.0)
    return seconds + MARGIN_S * speed if speed > 1.0 else seconds


class Patience(DuringTask):
    """Waits for plans of one RunEngine, and interrupts them when somebody wants it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clean_up_s = stretched(clock, CLEAN_UP_S)
        self._run_engine: Any = None
        self._lock = threading.Lock()
        self._stir = threading.Event()
        self._pressed: Future[Any] | None = None
        self._beat = threading.Event()
        self._beat.set()
        self._missed = 0.0
        self._since_beat = 0.0
        self._lost = ""
        self.forget()
        self.begin(Interrupts(), 1, replayable=False, limit_s=math.inf)

    # --- wishes: from any thread ----------------------------------------------------------------

    def forget(self) -> None:
        """Drop all wishes: they were for a plan that is over."""
        self.wishes = Wishes()

    def end_plan(self, ending: Ending, *, now: bool) -> None:
        """End the plan, its clean-up included: *now*, or at its next checkpoint."""
        with self._lock:
            if now and self.wishes.now is None:
                self.wishes.now = ending
                self._clean_up = Allowance(self._clock, self._clean_up_s, self._halt)
            elif not now:
                self.wishes.later = self.wishes.later or ending
        self._press()

    def pause(self, *, now: bool) -> None:
        """Let the plan pause: *now* if what it does may be done again, else at a checkpoint."""
        with self._lock:
            self.wishes.pause = True
            self.wishes.pause_now = now and self._replayable
        self._press()

    def go_on(self) -> None:
        """Let a paused plan go on."""
        with self._lock:
            self.wishes.pause = self.wishes.pause_now = False
            if self.wishes.later is None:
                self._run_engine._deferred_pause_requested = False
        self._stir.set()

    # --- waiting: in the thread that runs plans -------------------------------------------------

    def host(self, run_engine: RunEngine) -> None:
        """Wait for plans of *run_engine*."""
        self._run_engine = run_engine

    def begin(
        self, interrupts: Interrupts, insistence: int, *, replayable: bool, limit_s: float
    ) -> None:
        """Wait for a new plan.

        *insistence* of the *interrupts* end it, *limit_s* campaign seconds too; *replayable* says
        whether what it did since a checkpoint may be done again.
        """
        self._interrupts, self._insistence = interrupts, insistence
        self._replayable = replayable
        self._warned = False
        self.over = False
        """Whether the plan was ended for the operator's interrupt."""
        self.stood_still_s = 0.0
        """How long the whole process stood still during the plan, in real seconds."""
        self._ending = False
        self._looked = time.monotonic()
        limit_s = stretched(self._clock, limit_s)
        over = f"it took longer than the {limit_s:.0f} s that it can take"
        self._limit = Allowance(
            self._clock, limit_s, lambda: self.end_plan(Ending(over, asked=False), now=True)
        )
        self._clean_up = Allowance(self._clock, math.inf, self._halt)
        self._halting_s = -math.inf

    def end(self) -> None:
        """The plan is over."""
        self._limit.end()
        self._clean_up.end()
        self.forget()

    def clean_up(self) -> None:
        """The plan is being ended: its clean-up has a time of its own, and isn't interrupted."""
        self._ending = True
        self._limit.end()
        if self.wishes.now is None:
            self._clean_up = Allowance(self._clock, self._clean_up_s, self._halt)

    def require_life(self) -> None:
        """Raise EngineError when the loop's thread is dead or hangs."""
        try:
            self._feel(POLL_S)
        except LoopLost as lost:
            raise EngineError(str(lost)) from None

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what *coroutine* returns in the loop; raises LoopLost."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._run_engine.loop)
        while not _done(future):
            self._feel(POLL_S)
        return future.result()

    def wait_paused(self) -> bool:
        """Wait while the plan is to be paused; return whether it is to go on."""
        while True:
            if self.wishes.now or self.wishes.later:
                return False
            if not self.wishes.pause:
                return True
            self._stir.wait(POLL_S)
            self._stir.clear()
            self._looked = time.monotonic()
            self._heed_interrupts()
            self._feel(POLL_S)

    def block(self, blocking_event: threading.Event) -> None:
        """Wait until the plan has paused or ended (called by the RunEngine)."""
        self._looked = time.monotonic()
        self._press()
        while not blocking_event.wait(POLL_S):
            now = time.monotonic()
            passed, self._looked = now - self._looked, now
            if passed > STANDSTILL_S:
                self.stood_still_s += passed
            self._feel(min(passed, 1.0))
            self._heed_interrupts()
            self._limit.spend(passed)
            self._clean_up.spend(passed)
            self._press()

    def _feel(self, passed: float) -> None:
        """Raise LoopLost when the loop is dead, hasn't turned for long, or a plan doesn't end."""
        if self._lost:
            raise LoopLost(self._lost)
        if not self._run_engine._th.is_alive():
            self._lose(DEAD)
        self._missed = 0.0 if self._beat.is_set() else self._missed + passed
        if self._missed > HUNG_S:
            self._lose(HUNG)
        self._halting_s += passed
        if self._halting_s > HALT_S:
            self._lose(STUCK)
        self._since_beat += passed
        if self._beat.is_set() and self._since_beat > BEAT_S:
            self._since_beat = 0.0
            self._beat.clear()
            self._run_engine.loop.call_soon_threadsafe(self._beat.set)

    def _lose(self, why: str) -> None:
        self._lost = why
        raise LoopLost(why)

    def _heed_interrupts(self) -> None:
        if self._interrupts.count >= self._insistence and not self.over:
            self.over = True
            self.end_plan(Ending("interrupted by the operator"), now=True)
        elif self._interrupts.count and not self.over and not self._warned:
            self._warned = True
            _log.warning("the final plan goes on; interrupt again to stop it where it is")

    def _press(self) -> None:
        """Have the RunEngine do what is wished, as soon as it can; never waits."""
        engine, wishes = self._run_engine, self.wishes
        if engine is None or self._ending or str(engine.state) != "running":
            return
        with self._lock:
            if wishes.at_once:
                if self._pressed is None or self._pressed.done():
                    self._pressed = self._submit(engine._request_pause_coro(False))
            elif wishes.at_checkpoint and not engine._deferred_pause_requested:
                self._submit(engine._request_pause_coro(True))

    def _halt(self) -> None:
        """The clean-up takes too long: interrupt it, too (the RunEngine can't halt by now)."""
        self._halting_s = 0.0
        task = self._run_engine._task
        if task is not None:
            self._run_engine.loop.call_soon_threadsafe(task.cancel)

    def _submit(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        future = asyncio.run_coroutine_threadsafe(coroutine, self._run_engine.loop)
        future.add_done_callback(_forgive)
        return future


def _done(future: "Future[Any]") -> bool:
    with suppress(TimeoutError, CancelledError, Exception):
        future.exception(POLL_S)
    return future.done()


def _forgive(future: "Future[Any]") -> None:
    """Take note of an error: the plan has just ended by itself, or can't pause any more."""
    if not future.cancelled():
        future.exception()
