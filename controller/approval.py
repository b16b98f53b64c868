"""A person's word before an experiment: before each one, or where a model isn't to be trusted."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.protocols import Suggestion
from controller.errors import ConfigurationError
from controller.files.campaign import Autonomy, Campaign, OnAlarm
from controller.loop import Clearance
from controller.terms import Stop
from controller.verdict import PlanVerdict

Approver = Callable[[Suggestion], bool | None]
"""Asks a person about a suggestion that the pre-check allows; True: it may run; None: nobody is
there to be asked."""


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


@dataclass(frozen=True, slots=True)
class Heeding:
    """Clears what *clearance* lets pass; where its model isn't to be trusted, a person approves.

    Lowered autonomy: as long as the alarm lasts. Where nobody can be asked it goes on.
    """

    clearance: Clearance
    approve: Approver

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return why *suggestion* may not run; the person is asked only if it otherwise may."""
        reasons = self.clearance.refuses(suggestion)
        if reasons or suggestion.grounds is None or not suggestion.grounds.alarm:
            return reasons
        word = self.approve(_told(suggestion, self.verdict(suggestion)))
        return () if word is None or word else (Stop.DECLINED.value,)

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
    """Return *clearance*, with a person's word where *campaign* asks for it and one can be had."""
    if approve is None:
        return clearance
    if campaign.autonomy in (Autonomy.APPROVE_EACH, Autonomy.APPROVE_BY_EXCEPTION):
        return Approved(clearance, approve)
    return clearance if campaign.on_alarm is OnAlarm.GO_ON else Heeding(clearance, approve)


def require_somebody(campaign: Campaign, approve: Approver | None) -> None:
    """Raise ConfigurationError when *campaign* wants a person's word and there is nobody to ask."""
    if approve is not None:
        return
    asking = (Autonomy.APPROVE_EACH, Autonomy.APPROVE_BY_EXCEPTION)
    if campaign.autonomy in asking:
        others = ", ".join(a.value for a in Autonomy if a is not campaign.autonomy)
        raise ConfigurationError(
            f"campaign {campaign.name!r}: autonomy is {campaign.autonomy.value}, and nobody can be "
            "asked: stdin is no terminal. Run it in a terminal, have people told by `notify:`, or "
            f"set another autonomy ({others})"
        )
    if campaign.on_alarm is OnAlarm.ASK:
        raise ConfigurationError(
            f"campaign {campaign.name!r}: on_alarm is ask, and nobody can be asked: stdin is no "
            "terminal. Run it in a terminal, or set `on_alarm: go_on`"
        )
