"""What a dry run of a plan says of a suggestion: advice; the gate judges each write again."""

from dataclasses import dataclass
from typing import Literal

REFUSED, TRIP, HOLD = "refused", "trip", "hold"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the safety layer would not have let pass.

    ``refused`` is a write that would not be made, ``trip`` and ``hold`` a rule that would be broken
    while the plan runs.
    """

    kind: Literal["refused", "trip", "hold"]
    rule: str
    reason: str
    message: int
    """The number of the plan's message, counted from 1."""
    campaign_s: float
    """Campaign time since the plan's beginning."""

    def __str__(self) -> str:
        what = {REFUSED: "is refused", TRIP: "would trip", HOLD: "would hold"}[self.kind]
        return (
            f"pre-check: message {self.message}, after {self.campaign_s:.0f} s: "
            f"{what}: {self.rule}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class PlanVerdict:
    """How far a plan was run dry, and what was found."""

    complete: bool
    messages: int = 0
    campaign_s: float = 0.0
    """How long it would take."""
    stopped: str = ""
    """Why it isn't complete: what it depends on from there, or what failed."""
    found: tuple[Found, ...] = ()
    unjudged: tuple[str, ...] = ()
    """Rules that nothing could be said of, and why: signals that nobody knows before the plan runs,
    or rules that are broken at present, whatever the point."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the point may not run; holds pass by themselves and are no reason."""
        return tuple(str(one) for one in self.found if one.kind != HOLD)

    def __str__(self) -> str:
        length = f"{self.messages} messages, {self.campaign_s / 60:.0f} min"
        how_far = "complete" if self.complete else f"up to message {self.messages}"
        why = f": {self.stopped}" if self.stopped else f" ({length})"
        found = f"; {'; '.join(map(str, self.found))}" if self.found else "; nothing is refused"
        left = f"; not judged: {'; '.join(self.unjudged)}" if self.unjudged else ""
        return f"{how_far}{why}{found}{left}"
