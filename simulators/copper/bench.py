"""The copper twin behind an XAS station."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ophyd_async.core import set_mock_value

from instruments.beam import FoilState, FrontEndState, ShutterState
from instruments.xas_station import XasStation
from simulators.copper.twin import CopperTwin
from simulators.linked_bench import Command, LinkedBench, Readback


class CopperBench(LinkedBench):
    """The copper twin behind an XAS station."""

    def __init__(self, station: XasStation, twin: CopperTwin) -> None:
        self._station = station
        self._twin = twin
        super().__init__(
            twin,
            _commands(station),
            _readbacks(station),
            {
                station.detector.acquire: self._count,
                station.spectrometer.acquire: self._take_spectrum,
            },
        )

    @property
    def twin(self) -> CopperTwin:
        """The twin itself."""
        return self._twin

    def dump_beam(self, seconds: float) -> bool:
        """Lose the beam for *seconds*; 0 brings it back."""
        self.catch_up()
        self._twin.dump_beam(seconds)
        self.publish()
        return True

    def stop_exhaust(self, seconds: float) -> bool:
        """Let the exhaust stand still for *seconds*; 0 lets it run again."""
        self.catch_up()
        self._twin.stop_exhaust(seconds)
        self.publish()
        return True

    def readings(self) -> Mapping[str, float]:
        """Return what station, ring and exhaust show."""
        return {**self._twin.readbacks(), **self._twin.machine()}

    async def _count(self) -> None:
        """Count at the energy of the monochromator."""
        detector = self._station.detector
        energy = np.array([self._twin.readbacks()["mono.readback"]])
        i0, fluorescence = await self._counts(energy, await detector.exposure.get_value())
        set_mock_value(detector.i0, float(i0[0]))
        set_mock_value(detector.fluorescence, float(fluorescence[0]))

    async def _take_spectrum(self) -> None:
        """Count at every energy."""
        spectrometer = self._station.spectrometer
        energies = np.asarray(await spectrometer.energies.get_value())
        i0, fluorescence = await self._counts(energies, await spectrometer.exposure.get_value())
        set_mock_value(spectrometer.i0, i0)
        set_mock_value(spectrometer.fluorescence, fluorescence)

    async def _counts(self, energies: Any, exposure_s: float) -> tuple[Any, Any]:
        await self.expose(exposure_s)
        counts = self._twin.expose(energies, exposure_s)
        return counts.i0, counts.fluorescence


def _commands(station: XasStation) -> dict[str, Command]:
    shutter, foil = station.shutter, station.foil
    return {
        "furnace.setpoint": Command(station.furnace.setpoint),
        "furnace.ramp_rate": Command(station.furnace.ramp_rate),
        "o2.setpoint": Command(station.o2.setpoint),
        "h2.setpoint": Command(station.h2.setpoint),
        "he.setpoint": Command(station.he.setpoint),
        "mono.energy": Command(station.mono.energy),
        "shutter.open": Command(
            shutter.command, (ShutterState.CLOSED, ShutterState.OPEN), shutter.status
        ),
        "foil.in": Command(foil.position, (FoilState.OUT, FoilState.IN), foil.status),
    }


def _readbacks(station: XasStation) -> dict[str, Readback]:
    return {
        "furnace.readback": Readback(station.furnace.readback),
        "o2.readback": Readback(station.o2.readback),
        "h2.readback": Readback(station.h2.readback),
        "he.readback": Readback(station.he.readback),
        "mono.readback": Readback(station.mono.readback),
        "dose.accumulated": Readback(station.dose.accumulated),
        "ring.current": Readback(station.ring.current),
        "exhaust.flow": Readback(station.exhaust.flow),
        "front_end.open": Readback(
            station.front_end.status, (FrontEndState.CLOSED, FrontEndState.OPEN)
        ),
    }
