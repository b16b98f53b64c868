"""What can go wrong when running a campaign.

ControllerError
├── ConfigurationError   a campaign, beamline or envelope file: mend the file
│   └── NoCampaign       a directory without a campaign: give the right one
├── ExpressionError      a constraint that can't be read: mend the expression
├── UnitError            a value in a unit that doesn't fit: mend the unit
├── CampaignInUse        another process holds the campaign's directory: wait, or use another
├── JournalError
│   ├── JournalBroken    the journal was changed or is damaged: restore a copy, look at `verify`
│   ├── JournalRefused   another writer was here: resume from what is on disk
│   └── JournalUnwritable  the disk is full or read-only: make room, then resume
├── BenchStands          the bench was made safe: acknowledge and reset it, then resume
├── EngineError          the bench could not do what a plan asked
│   └── ConnectionLost   a device's server is gone: wait until it is back
└── SafetyError
    ├── WriteRefused     a write outside the limits in force: nothing has moved
    │   └── NotArmed     one that came while nothing may be written: it says nothing about it
    │       ├── Latched  the gate has tripped: a person must acknowledge and reset
    │       └── Held     the bench holds: wait until it goes on, or let it
    ├── NotAllowed       what a person asked of the gate: the role, or the state, doesn't allow it
    ├── DeviceRefused    a device that the gate doesn't stand before: declare or change it
    └── GateLost         the gate has died or doesn't answer: look at the bench, then resume
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ControllerError(Exception):
    """Base of everything that the controller raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where it stands, what is there, what is accepted."""

    file: str
    message: str
    line: int | None = None
    """Counted from 1."""
    key: str = ""
    """The way to the value: ``space.temperature.low``."""
    value: str = ""
    accepted: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f"{self.key}: " if self.key else ""
        value = f" (is {self.value})" if self.value else ""
        accepted = f"; accepted: {self.accepted}" if self.accepted else ""
        return f"{place}: {key}{self.message}{value}{accepted}"


class ConfigurationError(ControllerError):
    """A file can't be used as it is: names file, key, value and what would be accepted.

    ``problems`` has one entry per thing to mend.
    """

    def __init__(self, message: str = "", problems: Sequence[Problem] = ()):
        self.problems = tuple(problems)
        super().__init__(message or "\n".join(str(problem) for problem in self.problems))


class ExpressionError(ControllerError):
    """An expression can't be read: says where it fails, and what is accepted."""


class UnitError(ControllerError):
    """A unit doesn't fit where it is used: names both."""


class NoCampaign(ConfigurationError):
    """A directory holds no campaign."""


class CampaignInUse(ControllerError):
    """Another process holds the campaign's directory."""


class JournalError(ControllerError):
    """Base of what can be wrong with a journal."""


class JournalBroken(JournalError):
    """A record was changed, is missing or can't be read; names the first one."""


class JournalRefused(JournalError):
    """Another writer has appended meanwhile; nothing was written."""


class JournalUnwritable(JournalError):
    """The record could not be made durable; what was written before is safe."""


class BenchStands(ControllerError):
    """The gate has latched, and nobody can release it while this process waits."""


class EngineError(ControllerError):
    """The bench could not do what a plan asked."""


class ConnectionLost(EngineError):
    """The way to a device is gone: nobody knows what became of what was asked."""


class SafetyError(ControllerError):
    """Base of the safety layer's refusals."""


class WriteRefused(SafetyError):
    """A write outside the limits in force: says who, what was asked, what is allowed."""


class NotArmed(WriteRefused):
    """A write that came while nothing may be written: it says nothing about what was asked."""


class Latched(NotArmed):
    """The gate has tripped and stays so until people release it; names cause and way out."""


class Held(NotArmed):
    """The bench holds: no new motion until what holds it is over; names it."""


class NotAllowed(SafetyError):
    """A person asked for what the role doesn't allow, or what can't be now; nothing has changed."""


class DeviceRefused(SafetyError):
    """A device has a way to write that the gate doesn't stand before; names it."""


class GateLost(SafetyError):
    """The gate has died or doesn't answer: nobody knows whether a write was done."""
