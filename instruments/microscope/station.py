"""The microscope: which devices it has."""

from dataclasses import dataclass, fields

from ophyd_async.core import Device

from instruments.microscope.devices import Axis, Imager, LoopMeter, Tip


@dataclass(frozen=True)
class MicroscopeStation:
    """A scanning probe over a sample, with a second imager that shows a tip check grating."""

    x: Axis
    y: Axis
    imager: Imager
    tip_imager: Imager
    loops: LoopMeter
    tip: Tip

    @classmethod
    def build(cls, prefix: str) -> "MicroscopeStation":
        """Build the station's devices on the EPICS *prefix*; nothing is connected yet."""
        return cls(
            x=Axis(f"{prefix}X:", name="x"),
            y=Axis(f"{prefix}Y:", name="y"),
            imager=Imager(f"{prefix}IMAGER:", name="imager"),
            tip_imager=Imager(f"{prefix}TIPCHECK:", name="tip_imager"),
            loops=LoopMeter(f"{prefix}LOOPS:", name="loops"),
            tip=Tip(f"{prefix}TIP:", name="tip"),
        )

    def devices(self) -> dict[str, Device]:
        """Return the station's devices by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
