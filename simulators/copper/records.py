"""Units, precision and limits of the copper station's records, by dotted path; its safe values.

Alarms are the device's own, a little inside of what the safety envelope allows; drive limits are
what the hardware can do, far outside of it.
"""

from collections.abc import Mapping
from typing import Any

from instruments.beam import ShutterState
from simulators.records import Record

_FLOW = Record("mL/min", 2, display=(0.0, 50.0), drive=(0.0, 50.0))
_HOT = Record("degC", 1, display=(0.0, 900.0), warning=(-10.0, 850.0), alarm=(-20.0, 870.0))
_SECONDS = Record("s", 3, display=(0.0, 60.0), drive=(0.001, 3600.0))
_COUNTS = Record("counts", 0)

RECORDS: dict[str, Record] = {
    "furnace.setpoint": Record("degC", 1, display=(0.0, 900.0), drive=(0.0, 900.0)),
    "furnace.ramp_rate": Record("K/min", 2, display=(0.0, 50.0), drive=(0.01, 50.0)),
    "furnace.readback": _HOT,
    "o2.setpoint": _FLOW,
    "o2.readback": Record("mL/min", 2, (0.0, 50.0), (-1.0, 20.5), (-2.0, 25.0)),
    "h2.setpoint": _FLOW,
    "h2.readback": Record("mL/min", 2, (0.0, 50.0), (-1.0, 20.5), (-2.0, 25.0)),
    "he.setpoint": Record("mL/min", 1, (0.0, 200.0), drive=(0.0, 200.0)),
    "he.readback": Record("mL/min", 1, (0.0, 200.0), (-1.0, 201.0), (-2.0, 210.0)),
    "mono.energy": Record("eV", 2, (8800.0, 9500.0), drive=(8000.0, 12000.0)),
    "mono.readback": Record("eV", 2, (8800.0, 9500.0), (8799.0, 9501.0), (8700.0, 9600.0)),
    "detector.exposure": _SECONDS,
    "detector.i0": _COUNTS,
    "detector.fluorescence": _COUNTS,
    "spectrometer.exposure": _SECONDS,
    "spectrometer.energies": Record("eV", 2),
    "spectrometer.i0": _COUNTS,
    "spectrometer.fluorescence": _COUNTS,
    "dose.accumulated": Record("kGy", 2),
    "exhaust.flow": Record("L/min", 2, (0.0, 10.0), (3.0, 9.0), (2.0, 10.0)),
    "ring.current": Record("mA", 2, (0.0, 300.0), (50.0, 260.0), (10.0, 280.0)),
}

SAFE: Mapping[str, Any] = {
    "shutter.command": ShutterState.CLOSED,
    "furnace.setpoint": 40.0,
    "o2.setpoint": 0.0,
    "h2.setpoint": 0.0,
}
"""What the station's IOC writes by itself when the gate's lease lapses; helium flows on."""
