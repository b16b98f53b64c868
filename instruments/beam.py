"""What makes and measures the beam: monochromator, shutter, detectors, dose counter."""

from typing import Annotated as A

import numpy as np
from ophyd_async.core import (
    Array1D,
    AsyncStatus,
    SignalR,
    SignalRW,
    StandardReadable,
    StrictEnum,
    set_and_wait_for_other_value,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from instruments.acquiring import Acquiring
from instruments.arrival import Arrival, arrive


class ShutterState(StrictEnum):
    """The two states of a fast shutter."""

    OPEN = "Open"
    CLOSED = "Closed"


class Monochromator(StandardReadable, EpicsDevice):
    """Photon energy in eV. ``set`` is done when the readback has arrived."""

    energy: A[SignalRW[float], PvSuffix("E:SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("E:RBV"), Format.HINTED_SIGNAL]

    ARRIVAL = Arrival(tolerance=0.02, timeout_s=30.0)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Go to *value* eV."""
        await self.energy.set(value)
        await arrive(self.readback, value, self.ARRIVAL)


class Shutter(StandardReadable, EpicsDevice):
    """A fast shutter: what was commanded, what it says; ``set`` is done when both agree."""

    command: A[SignalRW[ShutterState], PvSuffix("CMD")]
    status: A[SignalR[ShutterState], PvSuffix("STATUS"), Format.CONFIG_SIGNAL]

    TIMEOUT_S = 10.0

    @AsyncStatus.wrap
    async def set(self, value: ShutterState) -> None:
        """Open or close, and see that it did."""
        await set_and_wait_for_other_value(
            self.command, value, self.status, value, timeout=self.TIMEOUT_S
        )


class PointDetector(Acquiring):
    """Ion chamber I0 and fluorescence channel: counts of one exposure (s) at one energy."""

    i0: A[SignalR[float], PvSuffix("I0"), Format.HINTED_SIGNAL]
    fluorescence: A[SignalR[float], PvSuffix("IF"), Format.HINTED_SIGNAL]

    BRINGS = ("i0", "fluorescence")


class Spectrometer(Acquiring):
    """Energy-dispersive read-out: counts of one exposure (s) at every energy (eV) of the grid."""

    energies: A[SignalRW[Array1D[np.float64]], PvSuffix("ENERGIES"), Format.UNCACHED_SIGNAL]
    i0: A[SignalR[Array1D[np.float64]], PvSuffix("I0"), Format.UNCACHED_SIGNAL]
    fluorescence: A[SignalR[Array1D[np.float64]], PvSuffix("IF"), Format.UNCACHED_SIGNAL]

    BRINGS = ("i0", "fluorescence")


class FrontEndState(StrictEnum):
    """Whether the ring's beam can come to the beamline at all."""

    OPEN = "Open"
    CLOSED = "Closed"


class StorageRing(StandardReadable, EpicsDevice):
    """The ring's current in mA; read only."""

    current: A[SignalR[float], PvSuffix("CURRENT"), Format.HINTED_SIGNAL]


class FrontEnd(StandardReadable, EpicsDevice):
    """The shutter between ring and beamline, closed while there is no beam; read only."""

    status: A[SignalR[FrontEndState], PvSuffix("STATUS"), Format.CONFIG_SIGNAL]


class FoilState(StrictEnum):
    """Where a reference foil is."""

    IN = "In"
    OUT = "Out"


class ReferenceFoil(StandardReadable, EpicsDevice):
    """A foil of known spectrum that is moved into the sample's place, and out again."""

    position: A[SignalRW[FoilState], PvSuffix("POSITION"), Format.CONFIG_SIGNAL]
    status: A[SignalR[FoilState], PvSuffix("STATUS"), Format.CONFIG_SIGNAL]

    TIMEOUT_S = 30.0

    @AsyncStatus.wrap
    async def set(self, value: FoilState) -> None:
        """Move it in or out, and see that it did."""
        await set_and_wait_for_other_value(
            self.position, value, self.status, value, timeout=self.TIMEOUT_S
        )


class DoseCounter(StandardReadable, EpicsDevice):
    """Photons absorbed by the sample since it was mounted."""

    accumulated: A[SignalR[float], PvSuffix("DOSE"), Format.HINTED_SIGNAL]
