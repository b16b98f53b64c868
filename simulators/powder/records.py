"""Units, precision and limits of the powder station's records, by dotted path; its safe values."""

from collections.abc import Mapping
from typing import Any

from instruments.beam import ShutterState
from simulators.records import Record

RECORDS: dict[str, Record] = {
    "dispenser.ratio": Record("", 3, display=(0.0, 4.0), drive=(0.01, 4.0)),
    "dispenser.loaded": Record("", 0),
    "furnace.setpoint": Record("degC", 1, display=(0.0, 1200.0), drive=(0.0, 1200.0)),
    "furnace.ramp_rate": Record("K/min", 2, display=(0.0, 30.0), drive=(0.01, 30.0)),
    "furnace.readback": Record("degC", 1, (0.0, 1200.0), (-10.0, 1050.0), (-20.0, 1080.0)),
    "diffractometer.exposure": Record("s", 1, display=(0.0, 7200.0), drive=(1.0, 7200.0)),
    "diffractometer.two_theta": Record("deg", 3),
    "diffractometer.counts": Record("counts", 0),
}

SAFE: Mapping[str, Any] = {"shutter.command": ShutterState.CLOSED, "furnace.setpoint": 40.0}
"""What the station's IOC writes by itself when the gate's lease lapses."""
