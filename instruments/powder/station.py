"""The powder station: which devices it has."""

from dataclasses import dataclass, fields

from ophyd_async.core import Device

from instruments.beam import Shutter
from instruments.furnace import Furnace
from instruments.powder.devices import Diffractometer, Dispenser


@dataclass(frozen=True)
class PowderStation:
    """Solid-state synthesis: precursors are weighed, heated, cooled, and their powder measured."""

    dispenser: Dispenser
    furnace: Furnace
    shutter: Shutter
    diffractometer: Diffractometer

    @classmethod
    def build(cls, prefix: str) -> "PowderStation":
        """Build the station's devices on the EPICS *prefix*; nothing is connected yet."""
        return cls(
            dispenser=Dispenser(f"{prefix}DISPENSER:", name="dispenser"),
            furnace=Furnace(f"{prefix}FURNACE:", name="furnace"),
            shutter=Shutter(f"{prefix}SHUTTER:", name="shutter"),
            diffractometer=Diffractometer(f"{prefix}XRD:", name="diffractometer"),
        )

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
