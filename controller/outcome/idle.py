"""How long the bench stood idle because nobody had decided yet, from the journal's stamps."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignResumed,
    CampaignRevised,
    CampaignStarted,
    ConditionsHeld,
    Event,
    ExperimentFinished,
    ExperimentLost,
    ExperimentResolved,
    ExperimentStarted,
    FinalPlanRan,
    MeasuredAgain,
    PointAwaited,
    PointProposed,
    SuggestionCleared,
    UpkeepRan,
)
from controller.files.campaign import Autonomy
from controller.journal import Record
from controller.outcome.wording import duration

BUSY = (ConditionsHeld, UpkeepRan, MeasuredAgain, FinalPlanRan)
"""What the bench did, or waited for, between two experiments: the time before isn't deciding."""
CUT = (CampaignResumed, CampaignRevised, ExperimentLost, ExperimentResolved)
"""Something broke off: how long it took to go on isn't the deciding's fault."""
AWAITED, SAID = (PointAwaited, BenchTripped), (PointProposed, BenchReleased)
"""From here on a person alone can let it go on, and has done so."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds of campaign time between experiments, and in them.

    ``deciding_s``: reducing, asking and clearing, over ``gaps`` gaps; ``people_s``: waiting for a
    person, who has to approve, to propose a point, or to release the gate; ``held_s``: while the
    bench was held between experiments. What people resolve isn't waited for.
    """

    deciding_s: float = 0.0
    people_s: float = 0.0
    measuring_s: float = 0.0
    gaps: int = 0
    held_s: float = 0.0
    ready_s: float = field(default=0.0, compare=False)
    """Of ``deciding_s`` what passed once it was decided and cleared: syncing, and beginning."""

    @property
    def fraction(self) -> float | None:
        """The share of the bench's time that deciding took; None where no time can have passed.

        On a virtual clock time stands still while a decision is made.
        """
        if self.deciding_s <= 0 or self.measuring_s <= 0:
            return None
        return self.deciding_s / (self.deciding_s + self.measuring_s)

    def __str__(self) -> str:
        if self.gaps and self.fraction is None:
            return "not applicable on a virtual clock"
        if self.fraction is None:
            return f"there was no next experiment to wait for{self.apart}"
        each = duration(self.deciding_s / self.gaps)
        ready = f", {duration(self.ready_s / self.gaps)} of it to begin" * (self.ready_s > 0)
        return f"{self.fraction:.2%} of its time, {each} between two experiments{ready}{self.apart}"

    @property
    def apart(self) -> str:
        """What the bench waited for besides, as the end of a sentence; empty for nothing."""
        people = f"waiting for a person took {duration(self.people_s)}"
        held = f"it was held for {duration(self.held_s)}"
        parts = [people] * (self.people_s > 0) + [held] * (self.held_s > 0)
        return "".join(f"; {part} besides" for part in parts)


def idle_of(records: Iterable[Record]) -> Idle:
    """Return the idle time in *records*: from each experiment's end to the next one's beginning.

    What comes before the first and after the last experiment isn't counted, nor gaps in which the
    campaign was interrupted.
    """
    fold = _Fold()
    for record in records:
        fold.take(record)
    return Idle(fold.deciding, fold.people, fold.measuring, fold.gaps, fold.held, fold.ready)


@dataclass(slots=True)
class _Fold:
    deciding: float = 0.0
    people: float = 0.0
    measuring: float = 0.0
    gaps: int = 0
    held: float = 0.0
    ready: float = 0.0
    _awaited: bool = False
    """Whether a person alone can let it go on."""
    _holds: bool = False
    _approves: bool = False
    _stamp: float = 0.0
    _began: float | None = None
    _gap: float | None = None
    """Deciding so far since the last experiment; None where that doesn't count."""
    _approval: float = 0.0

    def take(self, record: Record) -> None:
        """Take in one record after the other."""
        event, passed = record.event, record.stamp - self._stamp
        self._stamp = record.stamp
        if isinstance(event, (CampaignStarted, CampaignRevised)):
            self._approves = _asks_people(event.campaign)
        if self._waited(event, passed):
            passed = 0.0
        if isinstance(event, ExperimentStarted):
            self._end_gap(passed)
            self._began = record.stamp
        elif isinstance(event, ExperimentFinished) and self._began is not None:
            self.measuring += record.stamp - self._began
            self._began, self._gap, self._approval = None, 0.0, 0.0
        elif isinstance(event, CUT):
            self._began = self._gap = None
        elif isinstance(event, SuggestionCleared) and self._approves:
            self._approval += passed
        elif self._gap is not None and not isinstance(event, BUSY):
            self._gap += passed

    def _waited(self, event: Event, passed: float) -> bool:
        """Count what *passed* before *event* apart; return whether it was such a wait."""
        waited = self._began is None and (self._awaited or self._holds)
        if isinstance(event, (CampaignResumed, CampaignRevised, ExperimentStarted)):
            self._awaited = self._holds = False
            return waited  # by nobody: it was interrupted
        if waited and self._awaited:
            self.people += passed
        elif waited:
            self.held += passed
        if isinstance(event, (*AWAITED, *SAID)):
            self._awaited = isinstance(event, AWAITED)
        if isinstance(event, (BenchHeld, BenchWentOn)):
            self._holds = isinstance(event, BenchHeld)
        if isinstance(event, (BenchTripped, BenchHeld)) and event.experiment_id:
            self._began = None
        return waited

    def _end_gap(self, passed: float) -> None:
        if self._gap is not None:
            self.deciding += self._gap + passed
            self.ready += passed
            self.people += self._approval
            self.gaps += 1
        self._gap = None


def _asks_people(resolved: dict[str, Any]) -> bool:
    campaign = resolved.get("campaign")
    return isinstance(campaign, dict) and campaign.get("autonomy") == Autonomy.APPROVE_EACH
