"""A furnace with its own ramp generator."""

from typing import Annotated as A

from ophyd_async.core import AsyncStatus, SignalR, SignalRW, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.arrival import Arrival, arrive


class Furnace(StandardReadable, EpicsDevice):
    """Temperatures in degC, ramp rate in K/min. ``set`` is done when the sample has arrived."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    ramp_rate: A[SignalRW[float], PvSuffix("RAMP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    TOLERANCE_K = 2.0
    SETTLE_S = 30.0
    PATIENCE_S = 3600.0
    """Beyond what the ramp takes: cooling is slower than any ramp that is asked of it."""

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Go to *value* (degC) at the furnace's ramp rate and settle there."""
        start, rate = await self.readback.get_value(), await self.ramp_rate.get_value()
        await self.setpoint.set(value)
        ramp_s = 60.0 * abs(value - start) / max(rate, 0.1)
        await arrive(
            self.readback, value, Arrival(self.TOLERANCE_K, self.SETTLE_S, ramp_s + self.PATIENCE_S)
        )
