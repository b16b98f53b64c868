"""Done is not arrived: wait until a readback is where it was sent, and has stayed there."""

import asyncio
from dataclasses import dataclass
from typing import Any

from ophyd_async.core import SignalR, SignalRW, wait_for_value

from instruments.errors import NotArrived

COUNTED_S = 10.0
"""How long after an act its count may take to show it."""
INVALID = -1
"""The alarm severity (as ophyd-async says it) of a value that isn't one."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Within *tolerance* (the signal's unit) for *settle_s*, before *timeout_s* are over."""

    tolerance: float
    settle_s: float = 0.0
    timeout_s: float = 60.0


async def arrive(readback: SignalR[float], target: float, arrival: Arrival) -> None:
    """Return once *readback* has arrived at *target*.

    Raises NotArrived when it hasn't in time; says where it is.
    """
    loop = asyncio.get_running_loop()
    watch = _Watch(target, arrival.tolerance)
    deadline = loop.time() + arrival.timeout_s
    readback.subscribe_reading(watch.update)
    try:
        while True:
            patience = watch.wait_s(loop.time(), arrival.settle_s, deadline)
            if patience <= 0:
                break
            watch.changed.clear()
            await _first(watch.changed, patience)
    finally:
        readback.clear_sub(watch.update)
    if not watch.arrived(loop.time(), arrival.settle_s):
        raise NotArrived(
            f"{readback.name}: asked for {target:g} ± {arrival.tolerance:g}, reads {watch.shown} "
            f"after {arrival.timeout_s:g} s; it stays where it is"
        )


async def _first(event: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await event.wait()
    except TimeoutError:
        return


class _Watch:
    """Notes since when a reading has been near its target; wakes the waiter only on a crossing."""

    def __init__(self, target: float, tolerance: float) -> None:
        self.value = float("nan")
        self.changed = asyncio.Event()
        self._target = target
        self._tolerance = tolerance
        self._near_since: float | None = None
        self._valid = True

    @property
    def shown(self) -> str:
        return f"{self.value:g}" if self._valid else f"{self.value:g} (INVALID)"

    def update(self, readings: dict[str, Any]) -> None:
        (reading,) = readings.values()
        self.value = float(reading["value"])
        self._valid = reading.get("alarm_severity", 0) != INVALID
        near = self._valid and abs(self.value - self._target) <= self._tolerance
        if near != (self._near_since is not None):
            self._near_since = asyncio.get_running_loop().time() if near else None
            self.changed.set()

    def arrived(self, now: float, settle_s: float) -> bool:
        return self._near_since is not None and now - self._near_since >= settle_s - 1e-9

    def wait_s(self, now: float, settle_s: float, deadline: float) -> float:
        if self.arrived(now, settle_s):
            return 0.0
        if self._near_since is None:
            return deadline - now
        return min(deadline, self._near_since + settle_s) - now


async def counted(act: SignalRW[bool], count: SignalR[int], timeout_s: float) -> bool:
    """Let *act* happen, at most for *timeout_s*; whether *count* has grown by it soon after."""
    before = await count.get_value()
    await act.set(True, timeout=timeout_s)
    try:
        await wait_for_value(count, lambda now: now > before, timeout=COUNTED_S)
    except TimeoutError:
        return False
    return True
