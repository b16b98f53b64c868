"""What comes of looking at rules: refusals, findings, readings; and who has approved."""

from dataclasses import dataclass
from typing import Protocol

from controller.safety.envelope.specs import Reaction
from controller.safety.scene.moment import Moment


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a write may not be made now; *rule* is ``limits`` where it may never be."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken now, or was and hasn't cleared: what it asks for and why."""

    rule: str
    reaction: Reaction
    reason: str
    signals: tuple[str, ...]
    over: bool = False
    """Whether it is kept again, and only hasn't cleared yet."""


@dataclass(frozen=True, slots=True)
class RuleReading:
    """How one rule stands, for people."""

    name: str
    kind: str
    kept: bool
    reason: str
    margin: float | None = None
    """How far it is from broken, in *unit*; None where that can't be said."""
    unit: str = ""
    used: float | None = None
    """How much of what it allows is used up: 0 to 1 and beyond. None where nothing is."""
    bypassed_until: Moment | None = None


class Approvals(Protocol):
    """Who has approved what is in force now; the gate keeps them, with their ends."""

    def who(self, role: str) -> frozenset[str]:
        """Return the names of the people of *role* whose approval is valid at this moment."""
        ...
