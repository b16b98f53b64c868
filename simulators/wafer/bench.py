"""The wafer twin behind a diffraction station."""

from ophyd_async.core import set_mock_value

from instruments.beam import ShutterState
from instruments.diffraction.station import DiffractionStation
from simulators.linked_bench import Command, LinkedBench, Readback
from simulators.mock_bench import Listener
from simulators.wafer.twin import WaferTwin


class WaferBench(LinkedBench):
    """The wafer twin behind a diffraction station."""

    def __init__(self, station: DiffractionStation, twin: WaferTwin) -> None:
        self._station = station
        self._twin = twin
        shutter = station.shutter
        super().__init__(
            twin,
            {
                "x.setpoint": Command(station.x.setpoint),
                "y.setpoint": Command(station.y.setpoint),
                "shutter.open": Command(
                    shutter.command, (ShutterState.CLOSED, ShutterState.OPEN), shutter.status
                ),
            },
            {
                "x.readback": Readback(station.x.readback),
                "y.readback": Readback(station.y.readback),
            },
            {station.detector.acquire: self._expose},
        )

    @property
    def twin(self) -> WaferTwin:
        """The twin itself."""
        return self._twin

    def attach(self, listener: Listener) -> None:
        """Show the q of the patterns, then as any bench."""
        set_mock_value(self._station.detector.q, self._twin.q)
        super().attach(listener)

    async def _expose(self) -> None:
        detector = self._station.detector
        exposure_s = await detector.exposure.get_value()
        await self.expose(exposure_s)
        set_mock_value(detector.counts, self._twin.expose(exposure_s))
