"""What takes patterns of a film: the stage that carries the wafer, the area detector."""

from typing import Annotated as A

import numpy as np
from ophyd_async.core import Array1D, AsyncStatus, SignalR, SignalRW, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.acquiring import Acquiring
from instruments.arrival import Arrival, arrive


class WaferAxis(StandardReadable, EpicsDevice):
    """One axis of the wafer stage, in mm. ``set`` is done when the readback has arrived."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    ARRIVAL = Arrival(tolerance=0.02, timeout_s=120.0)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Go to *value* mm."""
        await self.setpoint.set(value)
        await arrive(self.readback, value, self.ARRIVAL)


class PatternDetector(Acquiring):
    """An area detector with its integration: counts at every q (nm^-1) of one exposure (s)."""

    q: A[SignalR[Array1D[np.float64]], PvSuffix("Q"), Format.UNCACHED_SIGNAL]
    counts: A[SignalR[Array1D[np.float64]], PvSuffix("COUNTS"), Format.UNCACHED_SIGNAL]

    BRINGS = ("counts",)
