"""The microscope's twin behind its station."""

import numpy as np
from ophyd_async.core import set_mock_value

from instruments.microscope.devices import Imager
from instruments.microscope.station import MicroscopeStation
from simulators.linked_bench import Command, LinkedBench, Readback
from simulators.microscope.frames import load_frames
from simulators.microscope.twin import MicroscopeTwin, Scan
from simulators.mock_bench import Listener


class MicroscopeBench(LinkedBench):
    """The microscope's twin behind its station."""

    def __init__(self, station: MicroscopeStation, twin: MicroscopeTwin) -> None:
        load_frames()  # seconds in which a server's loop would answer nobody
        self._station = station
        self._twin = twin
        super().__init__(
            twin,
            {
                "x.setpoint": Command(station.x.setpoint),
                "y.setpoint": Command(station.y.setpoint),
                "tip.pulse": Command(station.tip.pulse),
            },
            {
                "x.readback": Readback(station.x.readback),
                "y.readback": Readback(station.y.readback),
            },
            {
                station.tip.fire: self._fire,
                station.tip_imager.acquire: self._check_tip,
                station.imager.acquire: self._survey,
                station.loops.acquire: self._loop,
            },
        )

    @property
    def twin(self) -> MicroscopeTwin:
        """The twin itself."""
        return self._twin

    def attach(self, listener: Listener) -> None:
        """Show the voltages of a loop and the count of pulses, then as any bench."""
        set_mock_value(self._station.loops.voltage, self._twin.map.voltage)
        set_mock_value(self._station.tip.pulses, self._twin.pulses)
        super().attach(listener)

    async def _fire(self) -> None:
        await self.expose(self._twin.options.pulse_s)
        self._twin.fire()
        set_mock_value(self._station.tip.pulses, self._twin.pulses)

    async def _check_tip(self) -> None:
        imager = self._station.tip_imager
        await self.expose(await imager.exposure.get_value())
        image = self._twin.check_tip()
        _show(imager, Scan(image, np.ones(image.shape, dtype=bool)))

    async def _survey(self) -> None:
        imager = self._station.imager
        share = await imager.share.get_value()
        await self.expose(await imager.exposure.get_value())
        _show(imager, self._twin.survey(share))

    async def _loop(self) -> None:
        loops = self._station.loops
        await self.expose(await loops.exposure.get_value())
        set_mock_value(loops.response, self._twin.loop())


def _show(imager: Imager, scan: Scan) -> None:
    rows, columns = scan.image.shape
    set_mock_value(imager.rows, rows)
    set_mock_value(imager.columns, columns)
    set_mock_value(imager.measured, scan.measured.ravel().astype(np.float64))
    set_mock_value(imager.image, scan.image.ravel())
