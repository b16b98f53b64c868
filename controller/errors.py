"""What can go wrong when running a campaign.

ControllerError
├── ConfigurationError   a campaign, beamline or envelope file: mend the file
├── CampaignInUse        another process holds the campaign's directory: wait, or use another
├── JournalError
│   ├── JournalBroken    the journal was changed or is damaged: restore a copy, look at `verify`
│   ├── JournalRefused   another writer was here: resume from what is on disk
│   └── JournalUnwritable  the disk is full or read-only: make room, then resume
├── EngineError          the bench could not do what a plan asked
└── SafetyError
    ├── WriteRefused     a write outside the limits in force: nothing has moved
    └── DeviceRefused    a device that the gate doesn't stand before: declare or change it
"""


class ControllerError(Exception):
    """Base of everything that the controller raises on purpose."""


class ConfigurationError(ControllerError):
    """A file can't be used as it is: names file, key, value and what would be accepted."""


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


class EngineError(ControllerError):
    """The bench could not do what a plan asked."""


class SafetyError(ControllerError):
    """Base of the safety layer's refusals."""


class WriteRefused(SafetyError):
    """A write outside the limits in force: says who, what was asked, what is allowed."""


class DeviceRefused(SafetyError):
    """A device has a way to write that the gate doesn't stand before; names it."""
