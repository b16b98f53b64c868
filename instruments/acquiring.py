"""Detectors that are told to acquire and say when they are done: done is not measured."""

from typing import Annotated as A
from typing import Any, ClassVar

from bluesky.protocols import Reading
from ophyd_async.core import AsyncStatus, SignalR, SignalRW, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.arrival import INVALID
from instruments.errors import NotArrived, NotMeasured


class Acquiring(StandardReadable, EpicsDevice):
    """Counts for *exposure* seconds when triggered; ``acquire`` ends when the counts are there."""

    exposure: A[SignalRW[float], PvSuffix("EXPOSURE"), Format.CONFIG_SIGNAL]
    acquire: A[SignalRW[bool], PvSuffix("ACQUIRE")]

    BRINGS: ClassVar[tuple[str, ...]]
    """The names of its signals that every exposure brings anew."""
    MARGIN_S = 60.0
    """How much longer than its exposure it may take before it counts as hung."""

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Take one exposure, and see that its counts came: new ones, and valid."""
        exposure_s = await self.exposure.get_value()
        brought: list[SignalR[Any]] = [getattr(self, name) for name in self.BRINGS]
        before = [await _now(counts) for counts in brought]
        limit_s = exposure_s + self.MARGIN_S
        try:
            await self.acquire.set(True, timeout=limit_s)
        except TimeoutError as error:
            raise NotArrived(
                f"{self.name}: asked for an exposure of {exposure_s:g} s, not done after "
                f"{limit_s:g} s"
            ) from error
        for counts, old in zip(brought, before, strict=True):
            _require_new(counts.name, await _now(counts), old)


async def _now(signal: SignalR[Any]) -> Reading[Any]:
    readings: dict[str, Reading[Any]] = await signal.read(cached=False)
    return readings[signal.name]


def _require_new(name: str, counts: Reading[Any], before: Reading[Any]) -> None:
    if counts.get("alarm_severity", 0) == INVALID:
        raise NotMeasured(f"{name}: its server says that the counts of this exposure are INVALID")
    if counts["timestamp"] == before["timestamp"]:
        raise NotMeasured(f"{name}: the exposure brought no new counts; what it shows is older")
