"""What a record says about its value: unit, precision, limits, and when it alarms."""

from dataclasses import dataclass
from math import isnan
from typing import Any

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Alarm:
    """EPICS alarm status and severity (0 none, 1 minor, 2 major, 3 invalid)."""

    status: int = 0
    severity: int = 0


HIHI, HIGH, LOLO, LOW = Alarm(3, 2), Alarm(4, 1), Alarm(5, 2), Alarm(6, 1)
COMMUNICATION, UNDEFINED = Alarm(9, 3), Alarm(17, 3)
"""The record can't reach its device; its value is not a number."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a PV's record carries besides its value; limits in its unit, None for no limits.

    ``display`` is LOPR and HOPR, ``drive`` DRVL and DRVH (a put beyond is made the nearest of the
    two, and succeeds), ``warning`` LOW and HIGH (minor), ``alarm`` LOLO and HIHI (major);
    a value at a limit is in alarm, as with EPICS' own records. ``length`` is how many elements an
    array, or characters a string, may have.
    """

    units: str = ""
    precision: int = 3
    display: Limits | None = None
    warning: Limits | None = None
    alarm: Limits | None = None
    length: int = 0
    drive: Limits | None = None

    def driven(self, value: Any) -> Any:
        """Return what a put of *value* becomes; not a number stays what it is, as with EPICS."""
        if self.drive is None or not isinstance(value, float) or isnan(value):
            return value
        return min(max(value, self.drive[0]), self.drive[1])

    def alarmed(self, value: Any) -> Alarm:
        """Return the alarm of the scalar *value*; arrays and words never alarm."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return Alarm()
        if isnan(value):
            return UNDEFINED
        for limits, low, high in ((self.alarm, LOLO, HIHI), (self.warning, LOW, HIGH)):
            if limits is not None and value <= limits[0]:
                return low
            if limits is not None and value >= limits[1]:
                return high
        return Alarm()
