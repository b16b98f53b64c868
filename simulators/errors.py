"""What can go wrong behind the bench's back.

SimulatorError
├── CommandError    a command that the bench doesn't know, or a value without physical meaning: mend
│                   whoever sent it
├── ExposureError   energies or a time that can't be measured: mend the plan
├── SnapshotError   a snapshot that isn't of this simulator: restore another, or the same options
├── NotServed       a device that can't be served over Channel Access, or a port that is taken
├── FaultError      a fault that can't be injected there: choose another kind or signal
├── WriteFault      a write that an injected fault refuses
├── ScanDataError   recorded scans that can't be used: mend the folder
└── TableError      a recorded table that can't be used: mend data.csv or meta.json
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class SimulatorError(Exception):
    """Base of everything that simulators raise on purpose."""


class CommandError(SimulatorError):
    """A command is unknown or its value has no physical meaning; the bench is unchanged."""


class ExposureError(SimulatorError):
    """Energies or an exposure time can't be measured; says what can."""


class SnapshotError(SimulatorError):
    """A snapshot isn't of this simulator, version or options; nothing was restored."""


class NotServed(SimulatorError):
    """A device can't be served over Channel Access; says which, and why."""


class FaultError(SimulatorError):
    """A fault can't be injected; says what can. Nothing was injected."""


class WriteFault(SimulatorError):
    """A write was refused because somebody injected that; the bench is unchanged."""


class ScanDataError(SimulatorError):
    """Recorded scans can't be used; says which and what is missing."""


@dataclass(frozen=True, slots=True)
class TableProblem:
    """One thing wrong with a recorded table: where, what is there, and what is accepted."""

    file: Path
    message: str
    row: int | None = None
    """Line of the file, counted from 1, the header included."""
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = f"{self.file}" if self.row is None else f"{self.file}, line {self.row}"
        column = f", column {self.column!r}" if self.column else ""
        value = f": {self.value!r}" if self.value else ""
        return f"{place}{column}{value}: {self.message}"


class TableError(SimulatorError):
    """A recorded table can't be used; ``problems`` names each file, row, column and value."""

    def __init__(self, problems: Sequence[TableProblem]):
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
