"""What makes and measures a powder: the dispenser of precursors, the diffractometer."""

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
from instruments.arrival import counted
from instruments.errors import NotArrived


class Dispenser(StandardReadable, EpicsDevice):
    """Weighs two precursors into a fresh crucible, grinds them, and puts it into the furnace.

    ``ratio`` is moles of the first metal for each mole of the second. ``set`` is done when a new
    crucible stands in the furnace; what stood there before is gone.
    """

    ratio: A[SignalRW[float], PvSuffix("RATIO"), Format.CONFIG_SIGNAL]
    load: A[SignalRW[bool], PvSuffix("LOAD")]
    loaded: A[SignalR[int], PvSuffix("LOADED"), Format.HINTED_SIGNAL]
    """How many crucibles were loaded so far."""

    TIMEOUT_S = 900.0

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Load a crucible with *value* moles of the first metal for each of the second."""
        await self.ratio.set(value)
        if not await counted(self.load, self.loaded, self.TIMEOUT_S):
            raise NotArrived(
                f"{self.name}: asked for a crucible of ratio {value:g}, it has loaded none"
            )


class Diffractometer(Acquiring):
    """A powder pattern of what stands in the furnace: counts at every angle (2-theta, degrees).

    ``exposure`` is how long the whole scan takes (s).
    """

    two_theta: A[SignalR[Array1D[np.float64]], PvSuffix("2THETA"), Format.UNCACHED_SIGNAL]
    counts: A[SignalR[Array1D[np.float64]], PvSuffix("COUNTS"), Format.UNCACHED_SIGNAL]

    BRINGS = ("counts",)
