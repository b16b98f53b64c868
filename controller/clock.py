"""Real and virtual time: the event loop that everything runs on, and what time it is there.

On the virtual clock the loop jumps to its next timer as soon as nothing is ready, so
that ten hours of furnace take seconds. Whoever works outside the loop while the bench
waits (a thread that computes a suggestion) does it through ``run``, which holds the
clock: time stands still until it is done.
"""

import asyncio
import math
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

VIRTUAL_START = datetime(2026, 1, 1, tzinfo=UTC)
"""When virtual campaigns begin unless told otherwise: a constant, so that journals repeat."""


class Clock(Protocol):
    """Tells the time of one campaign and owns the event loop that keeps it.

    ``now`` may be called from any thread; ``run`` from the loop's own thread only.
    """

    virtual: bool
    standing: bool
    """Whether nobody at the bench waits for time to pass; a virtual clock then stands still."""
    loop: asyncio.AbstractEventLoop

    def now(self) -> float:
        """Return seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean anything."""
        ...

    async def run(self, function: Callable[[], T]) -> T:
        """Return what *function* returns in a thread; a virtual clock is held meanwhile."""
        ...


class RealClock:
    """The computer's own time."""

    virtual = False

    def __init__(self) -> None:
        self.standing = False
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()

    def now(self) -> float:
        """Return seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return the computer's monotonic time, in seconds."""
        return time.monotonic()

    async def run(self, function: Callable[[], T]) -> T:
        """Return what *function* returns in a thread of the loop's pool."""
        return await self.loop.run_in_executor(None, function)


class ScaledClock:
    """Real time made faster, for twins that several processes share.

    Campaign time was *anchor_campaign* when the computer's was *anchor_wall* (seconds since 1970)
    and passes *speed* times as fast; all processes with the same three agree about it. The loop's
    own time is in campaign seconds too. Time-outs of the network are meant in real seconds:
    multiply them by ``speed`` where they are counted by the loop.
    """

    virtual = False

    def __init__(self, speed: float, anchor_wall: float, anchor_campaign: float) -> None:
        self.standing = False
        self.speed = speed
        self._wall, self._campaign = anchor_wall, anchor_campaign
        # What wall time does in mid-run (leap, NTP) is nothing to a monotonic clock.
        self._offset = time.time() - time.monotonic()
        self.loop: asyncio.AbstractEventLoop = _ScaledLoop(speed)

    def now(self) -> float:
        """Return campaign seconds since 1970-01-01 UTC."""
        wall = self._offset + time.monotonic()
        return self._campaign + self.speed * (wall - self._wall)

    def monotonic(self) -> float:
        """Return campaign seconds that never run backwards."""
        return self.speed * time.monotonic()

    async def run(self, function: Callable[[], T]) -> T:
        """Return what *function* returns in a thread of the loop's pool."""
        return await self.loop.run_in_executor(None, function)


class VirtualClock:
    """Time that passes only when everything waits for it.

    *start* is the time at which the loop's own clock shows *elapsed* = 0 s; a resumed
    campaign begins at the *elapsed* seconds that it had reached.
    """

    virtual = True

    def __init__(self, start: datetime = VIRTUAL_START, elapsed: float = 0.0) -> None:
        self._start = start.timestamp()
        self._elapsed = elapsed
        self._held = 0
        self.standing = False
        self.loop: asyncio.AbstractEventLoop = _VirtualLoop(self)

    def now(self) -> float:
        """Return virtual seconds since 1970-01-01 UTC."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return virtual seconds since the start of the campaign."""
        return self._elapsed

    async def run(self, function: Callable[[], T]) -> T:
        """Return what *function* returns in a thread of its own, at the same virtual instant."""
        future: asyncio.Future[T] = self.loop.create_future()
        self._held += 1
        thread = threading.Thread(target=_work, args=(function, future, self.loop), daemon=True)
        thread.start()
        try:
            return await future
        finally:
            self._held -= 1

    def advance(self, seconds: float) -> None:
        """Jump ahead (called by the loop alone). Nanosecond steps keep sums free of drift."""
        self._elapsed = round(self._elapsed + seconds, 9)

    @property
    def held(self) -> bool:
        """Whether a thread is at work or no plan runs, so that time must stand still."""
        return self._held > 0 or self.standing


def _work(
    function: Callable[[], T], future: "asyncio.Future[T]", loop: asyncio.AbstractEventLoop
) -> None:
    try:
        result = function()
    except BaseException as error:  # handed on to whoever awaits
        loop.call_soon_threadsafe(_fail, future, error)
    else:
        loop.call_soon_threadsafe(_finish, future, result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _finish(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


class _Selector(selectors.BaseSelector):
    """The real selector, but for how long it waits."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class _ScaledSelector(_Selector):
    """Waits *speed* times shorter than it is asked to."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._real.select(None if timeout is None else timeout / self._speed)


class _ScaledLoop(asyncio.SelectorEventLoop):
    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_ScaledSelector(speed))

    def time(self) -> float:
        """Return the computer's monotonic time in campaign seconds."""
        return self._speed * time.monotonic()


class _JumpingSelector(_Selector):
    """Polls the real selector; instead of sleeping until the next timer, jumps there."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self._clock.held):
            return self._real.select(None)
        events = self._real.select(0)
        if not events and timeout > 0:
            self._clock.advance(timeout)
        return events


NANOSECOND = 1e-9


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        self._virtual_clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        """Return the virtual clock's time, in seconds."""
        return self._virtual_clock.monotonic()

    def _run_once(self) -> None:
        # A timer is due when it is within the resolution of now. With the resolution of the
        # computer's clock (1 ns), none would ever be after 194 days, where floats are coarser.
        self._clock_resolution = max(NANOSECOND, math.ulp(self.time()))
        super()._run_once()  # type: ignore[misc]  # asyncio's own, which has no types

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run in a thread that holds the clock; *executor* is not used."""
        return self.create_task(self._virtual_clock.run(lambda: func(*args)))
