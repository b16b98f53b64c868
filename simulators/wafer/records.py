"""Units, precision and limits of the diffraction station's records, by dotted path."""

from collections.abc import Mapping
from typing import Any

from instruments.beam import ShutterState
from simulators.records import Record

_PLACE = Record("mm", 3, display=(-5.0, 110.0), drive=(-5.0, 110.0))

RECORDS: dict[str, Record] = {
    "x.setpoint": _PLACE,
    "x.readback": _PLACE,
    "y.setpoint": _PLACE,
    "y.readback": _PLACE,
    "detector.exposure": Record("s", 1, display=(0.0, 3600.0), drive=(0.1, 3600.0)),
    "detector.q": Record("1/nm", 4),
    "detector.counts": Record("counts", 0),
}

SAFE: Mapping[str, Any] = {"shutter.command": ShutterState.CLOSED}
"""What the station's IOC writes by itself when the gate's lease lapses."""
