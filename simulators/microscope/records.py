"""Units, precision and limits of the microscope's records, by dotted path; its safe values."""

from collections.abc import Mapping
from typing import Any

from simulators.records import Record

_PLACE = Record("um", 4, display=(-1.0, 10.0), drive=(-1.0, 10.0))
_SHARE = Record("", 3, display=(0.0, 1.0), drive=(0.001, 1.0))
_SECONDS = Record("s", 2, display=(0.0, 3600.0), drive=(0.01, 3600.0))
_PIXELS = Record("", 6, length=65_536)

RECORDS: dict[str, Record] = {
    "x.setpoint": _PLACE,
    "x.readback": _PLACE,
    "y.setpoint": _PLACE,
    "y.readback": _PLACE,
    "imager.share": _SHARE,
    "imager.exposure": _SECONDS,
    "imager.image": _PIXELS,
    "imager.measured": _PIXELS,
    "tip_imager.share": _SHARE,
    "tip_imager.exposure": _SECONDS,
    "tip_imager.image": _PIXELS,
    "tip_imager.measured": _PIXELS,
    "loops.exposure": _SECONDS,
    "loops.voltage": Record("V", 3),
    "loops.response": Record("", 8),
    "tip.pulse": Record("V", 2, display=(-10.0, 10.0), drive=(-10.0, 10.0)),
    "tip.pulses": Record("", 0),
}

SAFE: Mapping[str, Any] = {"tip.pulse": 0.0}
"""What the station's IOC writes by itself when the gate's lease lapses: no pulse is armed."""
