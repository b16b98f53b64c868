"""What the gate is armed for: the next plan, and of whose limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arming:
    """Asked before each plan. *digest* is of the limits that whoever asks believes in force."""

    digest: str
    plan: str = ""
    effect: str = ""
    """What the plan does to the world: a word of ``instruments.effects.Effect``."""
    suggestion: str = ""
    """The digest of what is to be done: approvals are for it."""


NOTHING_ASKED = Arming("")
