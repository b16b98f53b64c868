"""How long the bench stood idle because nobody had decided yet, from the journal's stamps."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.campaign import Autonomy
from controller.events import (
    CampaignResumed,
    CampaignRevised,
    ConditionsHeld,
    ExperimentFinished,
    ExperimentLost,
    ExperimentResolved,
    ExperimentStarted,
    FinalPlanRan,
    SuggestionCleared,
    UpkeepRan,
)
from controller.journal import Record

BUSY = (ConditionsHeld, UpkeepRan, FinalPlanRan)
"""What the bench did, or waited for, between two experiments: the time before isn't deciding."""
CUT = (CampaignResumed, CampaignRevised, ExperimentLost, ExperimentResolved)
"""Something broke off: how long it took to go on isn't the deciding's fault."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds of campaign time between experiments, and in them, over ``gaps`` gaps.

    ``deciding_s``: reducing, asking and clearing; ``people_s``: waiting for a person's approval.
    """

    deciding_s: float
    people_s: float
    measuring_s: float
    gaps: int

    @property
    def fraction(self) -> float | None:
        """The share of the bench's time that deciding took; None where no time can have passed.

        On a virtual clock time stands still while a decision is made.
        """
        if self.deciding_s <= 0 or self.measuring_s <= 0:
            return None
        return self.deciding_s / (self.deciding_s + self.measuring_s)


def idle_of(records: Iterable[Record], autonomy: Autonomy = Autonomy.AUTONOMOUS) -> Idle:
    """Return the idle time in *records*: from each experiment's end to the next one's beginning.

    What comes before the first and after the last experiment isn't counted, nor gaps in which the
    campaign was interrupted. A person is waited for where *autonomy* says that one is asked.
    """
    fold = _Fold(asks_people=autonomy is Autonomy.APPROVE_EACH)
    for record in records:
        fold.take(record)
    return Idle(fold.deciding, fold.people, fold.measuring, fold.gaps)


@dataclass(slots=True)
class _Fold:
    asks_people: bool
    deciding: float = 0.0
    people: float = 0.0
    measuring: float = 0.0
    gaps: int = 0
    _stamp: float = 0.0
    _began: float | None = None
    _gap: float | None = None
    """Deciding so far since the last experiment; None where that doesn't count."""
    _approval: float = 0.0

    def take(self, record: Record) -> None:
        """Take in one record after the other."""
        event, passed = record.event, record.stamp - self._stamp
        self._stamp = record.stamp
        if isinstance(event, ExperimentStarted):
            self._end_gap(passed)
            self._began = record.stamp
        elif isinstance(event, ExperimentFinished) and self._began is not None:
            self.measuring += record.stamp - self._began
            self._began, self._gap, self._approval = None, 0.0, 0.0
        elif isinstance(event, CUT):
            self._began = self._gap = None
        elif isinstance(event, SuggestionCleared) and self.asks_people:
            self._approval += passed
        elif self._gap is not None and not isinstance(event, BUSY):
            self._gap += passed

    def _end_gap(self, passed: float) -> None:
        if self._gap is not None:
            self.deciding += self._gap + passed
            self.people += self._approval
            self.gaps += 1
        self._gap = None
