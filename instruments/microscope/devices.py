"""What a scanning probe microscope is made of: scanner axes, imager, loop meter, tip."""

from typing import Annotated as A

import numpy as np
from ophyd_async.core import (
    Array1D,
    AsyncStatus,
    SignalR,
    SignalRW,
    StandardReadable,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.acquiring import Acquiring
from instruments.arrival import Arrival, arrive, counted
from instruments.errors import NotArrived


class Axis(StandardReadable, EpicsDevice):
    """One axis of the scanner, in um. ``set`` is done when the readback has arrived."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    ARRIVAL = Arrival(tolerance=0.005, timeout_s=30.0)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Go to *value* um."""
        await self.setpoint.set(value)
        await arrive(self.readback, value, self.ARRIVAL)


class Imager(Acquiring):
    """Scans a frame, the whole of it or a *share* of its pixels, in *exposure* seconds.

    A frame is shown flat, row by row: ``image`` (0 where not measured) and ``measured`` (1 where
    it was), of ``rows`` times ``columns`` pixels.
    """

    share: A[SignalRW[float], PvSuffix("SHARE"), Format.CONFIG_SIGNAL]
    image: A[SignalR[Array1D[np.float64]], PvSuffix("IMAGE"), Format.UNCACHED_SIGNAL]
    measured: A[SignalR[Array1D[np.float64]], PvSuffix("MEASURED"), Format.UNCACHED_SIGNAL]
    rows: A[SignalR[int], PvSuffix("ROWS"), Format.UNCACHED_SIGNAL]
    columns: A[SignalR[int], PvSuffix("COLUMNS"), Format.UNCACHED_SIGNAL]

    BRINGS = ("image", "measured")


class LoopMeter(Acquiring):
    """A hysteresis loop where the tip stands: response (a.u.) at each voltage (V) of a cycle."""

    voltage: A[SignalR[Array1D[np.float64]], PvSuffix("VOLTAGE"), Format.UNCACHED_SIGNAL]
    response: A[SignalR[Array1D[np.float64]], PvSuffix("RESPONSE"), Format.UNCACHED_SIGNAL]

    BRINGS = ("response",)


class Tip(StandardReadable, EpicsDevice):
    """The tip, and the voltage pulses beside the sample that recondition it.

    ``set`` is done when a pulse of so many volts was given.
    """

    pulse: A[SignalRW[float], PvSuffix("PULSE"), Format.CONFIG_SIGNAL]
    fire: A[SignalRW[bool], PvSuffix("FIRE")]
    pulses: A[SignalR[int], PvSuffix("PULSES"), Format.HINTED_SIGNAL]
    """How many were given so far."""

    TIMEOUT_S = 60.0

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Give a pulse of *value* V."""
        await self.pulse.set(value)
        if not await counted(self.fire, self.pulses, self.TIMEOUT_S):
            raise NotArrived(f"{self.name}: asked for a pulse of {value:g} V, it gave none")
