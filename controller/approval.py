"""A person's word before each experiment: what `autonomy: approve_each` asks for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.protocols import Suggestion
from controller.errors import ConfigurationError
from controller.files.campaign import Autonomy, Campaign
from controller.loop import Clearance
from controller.terms import Stop
from controller.verdict import PlanVerdict

Approver = Callable[[Suggestion], bool]
"""Asks a person about a suggestion that the pre-check allows; True: it may run."""


@dataclass(frozen=True, slots=True)
class Approved:
    """Clears what *clearance* lets pass and a person approves of."""

    clearance: Clearance
    approve: Approver

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return why *suggestion* may not run; the person is asked only if it otherwise may."""
        reasons = self.clearance.refuses(suggestion)
        if reasons or self.approve(_told(suggestion, self.verdict(suggestion))):
            return reasons
        return (Stop.DECLINED.value,)

    def verdict(self, suggestion: Suggestion) -> PlanVerdict | None:
        """Return what a dry run said of *suggestion*, None without one."""
        return self.clearance.verdict(suggestion)

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        """Whether it and the final plan would end in time."""
        return self.clearance.in_time(suggestion, now)


def _told(suggestion: Suggestion, verdict: PlanVerdict | None) -> Suggestion:
    """Return *suggestion* as the person sees it, who is told of the dry run too."""
    if verdict is None:
        return suggestion
    parts = (suggestion.note, f"plan run dry: {verdict}")
    return replace(suggestion, note="; ".join(filter(None, parts)))


def clearance_of(campaign: Campaign, clearance: Clearance, approve: Approver | None) -> Clearance:
    """Return *clearance*, with a person's word before each experiment if *campaign* asks for it."""
    if campaign.autonomy is not Autonomy.APPROVE_EACH or approve is None:
        return clearance
    return Approved(clearance, approve)


def require_somebody(campaign: Campaign, approve: Approver | None) -> None:
    """Raise ConfigurationError when *campaign* wants a person's word and there is nobody to ask."""
    if campaign.autonomy is Autonomy.APPROVE_EACH and approve is None:
        raise ConfigurationError(
            f"campaign {campaign.name!r}: autonomy is approve_each, and nobody can be asked: "
            "stdin is no terminal. Run it in a terminal, or set another autonomy "
            f"({', '.join(a.value for a in Autonomy if a is not Autonomy.APPROVE_EACH)})"
        )
