"""The stations whose devices are known here, by the names that beamline files call them."""

from collections.abc import Mapping
from typing import Protocol, Self

from ophyd_async.core import Device

from instruments.diffraction.station import DiffractionStation
from instruments.microscope.station import MicroscopeStation
from instruments.powder.station import PowderStation
from instruments.xas_station import XasStation


class Station(Protocol):
    """Devices that belong together, each an attribute of the name that it goes by."""

    @classmethod
    def build(cls, prefix: str) -> Self:
        """Build the station's devices on the EPICS *prefix*; nothing is connected yet."""
        ...

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        ...


STATIONS: Mapping[str, type[Station]] = {
    "xas": XasStation,
    "powder": PowderStation,
    "microscope": MicroscopeStation,
    "diffraction": DiffractionStation,
}
