"""Mass-flow controllers."""

from typing import Annotated as A

from ophyd_async.core import AsyncStatus, SignalR, SignalRW, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.arrival import Arrival, arrive


class MassFlowController(StandardReadable, EpicsDevice):
    """One gas; flows in mL/min at standard conditions. ``set`` is done when it flows."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    ARRIVAL = Arrival(tolerance=0.2, settle_s=2.0, timeout_s=120.0)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Let *value* mL/min flow."""
        await self.setpoint.set(value)
        await arrive(self.readback, value, self.ARRIVAL)
