"""Whether the computer's clock can be believed: people read by it what happened when."""

import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_SANE = 1_767_225_600.0
"""2026-01-01 UTC, in seconds since 1970: a clock before that was never set."""
MOST_BACK_S = 60.0
"""So far the clock may have been set back since the last record (seconds)."""


@dataclass(frozen=True, slots=True)
class ClockCheck:
    """Compares *wall* time with that of the last record, both in seconds since 1970.

    Nothing that the gate decides hangs on it: whatever it counts, it counts by monotonic clocks.
    """

    last_record: float | None
    wall: Callable[[], float] = time.time

    def fault(self) -> str:
        """Return what is wrong with the clock; empty for nothing."""
        now = self.wall()
        if now < FIRST_SANE:
            return f"the computer's clock says {_said(now)}, which can't be: set it"
        if self.last_record is not None and now < self.last_record - MOST_BACK_S:
            return (
                f"the computer's clock says {_said(now)}, the last record was made at "
                f"{_said(self.last_record)}: it was set back"
            )
        return ""


def _said(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
