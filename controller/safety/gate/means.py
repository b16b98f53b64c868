"""What a gate is given beside its limits and its record: hands, marker, clocks, thresholds."""

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from controller.safety.hands.hands import Hands
from controller.safety.scene.moment import Moment
from controller.safety.states.marker import Marker

LOW_WATER_BYTES = 512_000_000
"""With less room on the disk of the record the bench holds, so that it is never full."""
LOW_WATER_VARIABLE = "HELIOSTAT_LOW_WATER_MB"


def low_water_bytes() -> int:
    """Return how much room there must be on the disk: what the environment says, or the default."""
    said = os.environ.get(LOW_WATER_VARIABLE, "")
    return int(float(said) * 1e6) if said else LOW_WATER_BYTES


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk on which *folder* is."""

    folder: Path
    least_bytes: int = field(default_factory=low_water_bytes)

    def fault(self) -> str:
        """Return why there is too little room; empty when there is enough."""
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            return f"{self.folder}: can't be asked for its room ({error})"
        if free >= self.least_bytes:
            return ""
        return (
            f"{self.folder}: {free / 1e6:.0f} MB left on its disk, at least "
            f"{self.least_bytes / 1e6:.0f} MB are needed; make room"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the gate acts with, tells the time by, and holds itself to."""

    hands: Hands
    marker: Marker
    now: Callable[[], Moment]
    disk: Disk
    needed: frozenset[str] = frozenset()
    """Who must hold a lease; nobody where all is one process."""
    clock_fault: Callable[[], str] | None = None
    """Returns what is wrong with the computer's clock; None: it is compared with the record."""
    uncommissioned: Callable[[str], str] | None = None
    """Returns why the envelope of this digest doesn't count as commissioned, empty when it does;
    None where the bench isn't real."""
    forsaken: Callable[[], str] = lambda: ""
    """Returns whose death makes all others end (``the supervisor died``), empty while they live."""
    restored: bool = False
    """Whether the bench is a simulation that was put back to where the journal has it: nothing
    was left alone, whatever died."""
    boot: str = field(default_factory=lambda: secrets.token_hex(16))
    """Another one whenever a gate starts."""
