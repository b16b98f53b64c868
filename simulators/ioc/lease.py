"""The IOC's own dead-man: a lease that the gate renews, and what is done when it lapses.

Until the lease is written nothing happens. From then on somebody must write it again within its
time; when nobody does, the IOC writes the safe values of its bench by itself, and takes nothing but
the lease until that is renewed. On a real IOC a calc record and an access security group do this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from math import isfinite
from typing import Annotated as A
from typing import Any

from ophyd_async.core import (
    Device,
    SignalR,
    SignalRW,
    StrictEnum,
    callback_on_mock_put,
    set_mock_value,
)
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from simulators.errors import SimulatorError, WriteFault
from simulators.records import Record

SUFFIX = "GATE:"
"""Between a bench's prefix and the lease's PVs."""
LEASE_S = 3.0
"""How long a lease lasts (real seconds) unless another time is written."""
SHORTEST_S = 0.1
GRACE_S = 0.3
"""How long (real seconds) an IOC that was held up itself waits for what it hasn't read yet."""

RECORDS = {
    "gate.seconds": Record("s", 3, (0.0, 60.0), drive=(SHORTEST_S, 3600.0)),
    "gate.message": Record(length=1000),
}


class LeaseState(StrictEnum):
    """Whether the dead-man is armed, and whether it has acted."""

    OFF = "Off"
    """Nobody has taken the lease, or it was given back: everything may be written."""
    HELD = "Held"
    LAPSED = "Lapsed"
    """The bench was made safe; only the lease may be written."""


class LeaseRecord(EpicsDevice, Device):
    """``lease`` (any number but 0) takes and renews, 0 and ``release`` give back in order."""

    lease: A[SignalRW[int], PvSuffix("LEASE")]
    seconds: A[SignalRW[float], PvSuffix("SECONDS")]
    release: A[SignalRW[bool], PvSuffix("RELEASE")]
    state: A[SignalR[LeaseState], PvSuffix("STATE")]
    lapses: A[SignalR[int], PvSuffix("LAPSES")]
    message: A[SignalR[str], PvSuffix("MESSAGE")]


Drive = Callable[[str, Any], Awaitable[None]]
"""Writes a signal by its path as the IOC itself does, whatever clients may."""
Close = Callable[[bool], None]
"""Takes nothing more from clients but the lease, or again everything."""


class DeadMan:
    """Watches the lease of *record*; *safe* are the values that the bench gets when it lapses.

    *speed* is how many seconds of the loop a real one has.
    """

    def __init__(
        self,
        record: LeaseRecord,
        safe: Mapping[str, Any],
        speed: float,
        drive: Drive,
        close: Close,
    ) -> None:
        self._record = record
        self._safe = safe
        self._speed = speed
        self._drive, self._close = drive, close
        self._state = LeaseState.OFF
        self._seconds = LEASE_S
        self._lapses = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Listen to the connected mock record, and be as the restored state has it."""
        set_mock_value(self._record.seconds, self._seconds)
        callback_on_mock_put(self._record.lease, self._renew)
        callback_on_mock_put(self._record.seconds, self._last)
        callback_on_mock_put(self._record.release, self._release)
        self._show(self._state)
        if self._state is LeaseState.HELD:
            self._wait()
        if self._state is LeaseState.LAPSED:
            self._close(True)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def snapshot(self) -> dict[str, Any]:
        """Return whether the lease is held, how long one lasts, and how often it has lapsed."""
        return {"state": self._state.value, "seconds": self._seconds, "lapses": self._lapses}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it, before ``attach``; a lease that was held is renewed."""
        self._state = LeaseState(state["state"])
        self._seconds, self._lapses = float(state["seconds"]), int(state["lapses"])

    def _renew(self, beat: int) -> int:
        if beat == 0:
            self._give_back()
            return 0
        if self._state is LeaseState.LAPSED:
            self._close(False)
        self._show(LeaseState.HELD)
        self._wait()
        return beat

    def _release(self, go: bool) -> bool:
        if go:
            self._give_back()
            set_mock_value(self._record.lease, 0)
        return False

    def _give_back(self) -> None:
        if self._state is LeaseState.LAPSED:
            raise WriteFault(
                "the lease has lapsed and the bench was made safe; renew it before it is given back"
            )
        if self._timer is not None:
            self._timer.cancel()
        self._show(LeaseState.OFF)

    def _last(self, seconds: float) -> float:
        if isfinite(seconds) and seconds >= SHORTEST_S:
            self._seconds = seconds
        return self._seconds

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds * self._speed
        self._timer = loop.call_at(due, self._due, due)

    def _due(self, due: float) -> None:
        """Let it lapse; if this process was late itself, first hear what came meanwhile."""
        loop = asyncio.get_running_loop()
        grace = GRACE_S * self._speed
        if loop.time() - due > grace:
            self._timer = loop.call_later(grace, self._lapse)
        else:
            self._lapse()

    def _lapse(self) -> None:
        """Close first, so that nothing comes in between; then make safe, all at once."""
        self._close(True)
        self._lapses += 1
        self._show(LeaseState.LAPSED)
        set_mock_value(self._record.message, f"no lease for {self._seconds:g} s: making safe")
        task = asyncio.get_running_loop().create_task(self._make_safe())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_safe(self) -> None:
        words = await asyncio.gather(*(self._write(path) for path in self._safe))
        said = f"no lease for {self._seconds:g} s: wrote {'; '.join(words) or 'nothing'}"
        set_mock_value(self._record.message, said)

    async def _write(self, path: str) -> str:
        value = self._safe[path]
        said = f"{path} = {getattr(value, 'value', value)}"
        try:
            await self._drive(path, value)
        except SimulatorError as error:
            return f"{said} (FAILED: {error})"
        return said

    def _show(self, state: LeaseState) -> None:
        self._state = state
        set_mock_value(self._record.state, state)
        set_mock_value(self._record.lapses, self._lapses)
