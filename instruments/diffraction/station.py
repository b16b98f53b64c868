"""The diffraction station: which devices it has."""

from dataclasses import dataclass, fields

from ophyd_async.core import Device

from instruments.beam import Shutter
from instruments.diffraction.devices import PatternDetector, WaferAxis


@dataclass(frozen=True)
class DiffractionStation:
    """A wafer on a stage in a synchrotron beam, and a detector behind it."""

    x: WaferAxis
    y: WaferAxis
    shutter: Shutter
    detector: PatternDetector

    @classmethod
    def build(cls, prefix: str) -> "DiffractionStation":
        """Build the station's devices on the EPICS *prefix*; nothing is connected yet."""
        return cls(
            x=WaferAxis(f"{prefix}X:", name="x"),
            y=WaferAxis(f"{prefix}Y:", name="y"),
            shutter=Shutter(f"{prefix}SHUTTER:", name="shutter"),
            detector=PatternDetector(f"{prefix}DET:", name="detector"),
        )

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
