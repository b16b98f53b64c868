"""The powder twin behind a powder station."""

from ophyd_async.core import set_mock_value

from instruments.beam import ShutterState
from instruments.powder.station import PowderStation
from simulators.linked_bench import Command, LinkedBench, Readback
from simulators.mock_bench import Listener
from simulators.powder.twin import PowderTwin

TICK_S = 5.0
"""Experiments last hours, and nothing at this station changes within seconds."""


class PowderBench(LinkedBench):
    """The powder twin behind a powder station."""

    def __init__(self, station: PowderStation, twin: PowderTwin) -> None:
        self._station = station
        self._twin = twin
        shutter, furnace = station.shutter, station.furnace
        super().__init__(
            twin,
            {
                "dispenser.ratio": Command(station.dispenser.ratio),
                "furnace.setpoint": Command(furnace.setpoint),
                "furnace.ramp_rate": Command(furnace.ramp_rate),
                "shutter.open": Command(
                    shutter.command, (ShutterState.CLOSED, ShutterState.OPEN), shutter.status
                ),
            },
            {"furnace.readback": Readback(furnace.readback)},
            {
                station.dispenser.load: self._load,
                station.diffractometer.acquire: self._scan,
            },
        )
        self.tick_s = TICK_S

    @property
    def twin(self) -> PowderTwin:
        """The twin itself."""
        return self._twin

    def attach(self, listener: Listener) -> None:
        """Show the angles of the scans, and how many crucibles there were, then as any bench."""
        self._twin.prepare()
        set_mock_value(self._station.diffractometer.two_theta, self._twin.two_theta)
        set_mock_value(self._station.dispenser.loaded, self._twin.loaded)
        super().attach(listener)

    async def _load(self) -> None:
        await self.expose(self._twin.options.loading_s)
        self._twin.load()
        set_mock_value(self._station.dispenser.loaded, self._twin.loaded)

    async def _scan(self) -> None:
        detector = self._station.diffractometer
        exposure_s = await detector.exposure.get_value()
        await self.expose(exposure_s)
        set_mock_value(detector.counts, self._twin.expose(exposure_s))
