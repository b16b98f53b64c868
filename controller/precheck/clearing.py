"""Clears a suggestion by the whole of its plan, where the other checks let it pass."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agents.protocols import Suggestion
from controller.parts import Clearance
from controller.verdict import PlanVerdict

Rehearse = Callable[[Suggestion], PlanVerdict | None]
"""Runs the plan of a suggestion dry, from the bench's present state."""


@dataclass
class RunDry:
    """Clears what *clearance* lets pass and whose plan, run dry, nothing stands against."""

    clearance: Clearance
    rehearse: Rehearse
    _latest: tuple[str, PlanVerdict | None] = field(default=("", None), init=False)

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return every reason why *suggestion* may not run; its plan is run dry if it may."""
        self._latest = ("", None)
        reasons = self.clearance.refuses(suggestion)
        if reasons:
            return reasons
        verdict = self.rehearse(suggestion)
        self._latest = (suggestion.id, verdict)
        return () if verdict is None else verdict.reasons

    def verdict(self, suggestion: Suggestion) -> PlanVerdict | None:
        """Return what the dry run said of *suggestion*, if it was the last one asked about."""
        name, verdict = self._latest
        return verdict if name == suggestion.id else None

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        """Whether it and the final plan would end in time."""
        return self.clearance.in_time(suggestion, now)
