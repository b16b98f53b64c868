"""The X-ray absorption station: which devices it has."""

from dataclasses import dataclass, fields

from ophyd_async.core import Device

from instruments.beam import (
    DoseCounter,
    FrontEnd,
    Monochromator,
    PointDetector,
    ReferenceFoil,
    Shutter,
    Spectrometer,
    StorageRing,
)
from instruments.exhaust import Exhaust
from instruments.furnace import Furnace
from instruments.gas import MassFlowController


@dataclass(frozen=True)
class XasStation:
    """In-situ X-ray absorption: a furnace in three gases, before a beam of chosen energy."""

    furnace: Furnace
    o2: MassFlowController
    h2: MassFlowController
    he: MassFlowController
    mono: Monochromator
    shutter: Shutter
    detector: PointDetector
    spectrometer: Spectrometer
    dose: DoseCounter
    foil: ReferenceFoil
    ring: StorageRing
    front_end: FrontEnd
    exhaust: Exhaust

    @classmethod
    def build(cls, prefix: str) -> "XasStation":
        """Build the station's devices on the EPICS *prefix*; nothing is connected yet."""
        return cls(
            furnace=Furnace(f"{prefix}FURNACE:", name="furnace"),
            o2=MassFlowController(f"{prefix}O2:", name="o2"),
            h2=MassFlowController(f"{prefix}H2:", name="h2"),
            he=MassFlowController(f"{prefix}HE:", name="he"),
            mono=Monochromator(f"{prefix}MONO:", name="mono"),
            shutter=Shutter(f"{prefix}SHUTTER:", name="shutter"),
            detector=PointDetector(f"{prefix}DET:", name="detector"),
            spectrometer=Spectrometer(f"{prefix}SPEC:", name="spectrometer"),
            dose=DoseCounter(prefix, name="dose"),
            foil=ReferenceFoil(f"{prefix}FOIL:", name="foil"),
            ring=StorageRing(f"{prefix}RING:", name="ring"),
            front_end=FrontEnd(f"{prefix}FE:", name="front_end"),
            exhaust=Exhaust(f"{prefix}EXHAUST:", name="exhaust"),
        )

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
