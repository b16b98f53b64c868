"""What of a campaign's journal and of its gate's record people must be told: pure.

Ids are made of what a notice came of, so that the same records give the same notices, whoever
reads them and how often.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.events import (
    BenchHeld,
    BenchWentOn,
    CampaignResumed,
    CampaignRevised,
    CampaignStarted,
    CampaignStopped,
    ExperimentFinished,
    ExperimentResolved,
    ObservationAmended,
    ObservationMade,
    ObservationRetracted,
    ObservationTold,
    PointAwaited,
    PointProposed,
    UpkeepRan,
)
from controller.files.notifying import Severity, Topic
from controller.journal import Record
from controller.notify.asked import Question
from controller.notify.notices import Notice, Over
from controller.outcome.progress import best_of, count_of
from controller.outcome.wording import duration, point
from controller.safety.states.machine import Input
from controller.state import CampaignState
from controller.terms import Stop

BEGINS = (CampaignStarted, CampaignResumed, CampaignRevised)
PROGRESS = (*BEGINS, ObservationMade, ObservationTold)
"""What counts as progress; so does a plan that succeeded."""
ANSWERS = (*BEGINS, ExperimentResolved, ObservationAmended, ObservationRetracted, PointProposed)
"""What a person says where a word was waited for."""
ILL = frozenset({Stop.FAILURES, Stop.LOST, Stop.UNFIT, Stop.UPKEEP, Stop.TRIPPED, Stop.HELD})
"""Ends that lose time until somebody has seen to the bench."""
WORDS: dict[str, tuple[str, str]] = {
    Stop.QUESTIONED: (
        "a measurement was rejected: a person must say what it was",
        "heliostat explain DIR; then heliostat amend or retract, or go on without it: heliostat "
        "resume DIR",
    ),
    Stop.UNDECIDED: (
        "an experiment not to be repeated was interrupted: a person must say if it was done",
        "heliostat resolve DIR, then heliostat resume DIR",
    ),
    Stop.NOBODY: (
        "a person's point is waited for",
        "heliostat suggest DIR --at NAME=VALUE --reason ..., then heliostat resume DIR if it ended",
    ),
}
"""What waits for a person to say something: what is told of it, and what is to be done."""

Change = Notice | Over


@dataclass(slots=True)
class _Quiet:
    """Since when (campaign seconds) nothing was measured, and after which record."""

    since: float
    record: int
    told: bool = False


class Story:
    """Hears the records of a campaign in their order, and yields what is to be told.

    *directory* is what people give to commands; *no_progress_s* after how many campaign seconds
    without a measurement it is told, None for never.
    """

    def __init__(self, directory: str, no_progress_s: float | None = None) -> None:
        self._directory = directory
        self._no_progress_s = no_progress_s
        self._quiet: _Quiet | None = None
        self._begun = 0
        """The number of the record with which it was begun or resumed last."""
        self._running = False
        self._open: dict[Topic, str] = {}
        """By topic: the id of what isn't over yet."""

    # --- the journal ----------------------------------------------------------------------------

    def journal(self, record: Record, state: CampaignState) -> Iterator[Change]:
        """Yield what *record* of the journal says; *state* is the campaign's after it."""
        if isinstance(record.event, PROGRESS) or _succeeded(record):
            yield from self._progress(record)
        if isinstance(record.event, BEGINS):
            self._begun, self._running = record.sequence, True
            yield from self._close(Topic.END, "the campaign goes on")
        if isinstance(record.event, ANSWERS) and not state.questioned:
            yield from self._close(Topic.WORD, _answer(record))
        if state.questioned and Topic.WORD not in self._open:
            yield from self._wanted(record, Stop.QUESTIONED, _questioned(state))
        match record.event:
            case BenchHeld(reason=reason):
                yield from self._held(record, reason)
            case BenchWentOn(waited_s=waited):
                yield from self._close(Topic.HOLD, f"it went on after {duration(waited)}")
            case PointAwaited():
                yield from self._wanted(record, Stop.NOBODY, "")
            case CampaignStopped(reason=reason):
                self._quiet, self._running = None, False
                yield from self._close(Topic.HOLD, "the campaign has ended")
                yield from self._ended(record, state, reason)

    def quiet(self, now: float) -> Iterator[Change]:
        """Yield that nothing was measured for too long at *now* (campaign seconds), once."""
        quiet, limit = self._quiet, self._no_progress_s
        if quiet is None or limit is None or quiet.told or now - quiet.since < limit:
            return
        quiet.told = True
        yield self._opened(
            Notice(
                id=f"no progress since {quiet.record}",
                topic=Topic.NO_PROGRESS,
                severity=Severity.WARNING,
                subject=f"nothing was measured for {duration(limit)}",
                text="(campaign time)",
                wants=f"look at it: heliostat safety status {self._directory}",
            )
        )

    def cut_off(self) -> Iterator[Change]:
        """Yield that what watched over the campaign has died; nothing where that had ended."""
        if self._running:
            yield self._opened(
                Notice(
                    id=f"cut off {self._begun}",
                    topic=Topic.END,
                    severity=Severity.ALARM,
                    subject="the campaign was cut off: what watched over it has died",
                    text="The gate makes the bench safe, then its processes end.",
                    wants=f"look at the bench, then: heliostat resume {self._directory}",
                )
            )

    def _progress(self, record: Record) -> Iterator[Change]:
        yield from self._close(Topic.NO_PROGRESS, "it goes on")
        self._quiet = _Quiet(record.stamp, record.sequence)

    def _held(self, record: Record, reason: str) -> Iterator[Change]:
        if Topic.HOLD in self._open:
            return
        yield self._opened(
            Notice(
                id=f"hold {record.sequence}",
                topic=Topic.HOLD,
                severity=Severity.WARNING,
                subject=f"the bench holds: {reason}",
                text="Nothing moves; the campaign waits and goes on by itself when that is over.",
                wants=f"see what holds it: heliostat safety status {self._directory}",
            )
        )

    def _wanted(self, record: Record, stop: Stop, text: str) -> Iterator[Change]:
        subject, wants = WORDS[stop]
        notice = Notice(
            id=f"word {record.sequence}",
            topic=Topic.WORD,
            severity=Severity.WARNING,
            subject=subject,
            text=text,
            wants=wants.replace("DIR", self._directory),
        )
        yield self._opened(notice)

    def _ended(self, record: Record, state: CampaignState, reason: str) -> Iterator[Change]:
        if reason in WORDS:
            if Topic.WORD not in self._open:
                yield from self._wanted(record, Stop(reason), _questioned(state))
            return
        goal, ill = reason == Stop.GOAL, reason in ILL
        again = f"see to the bench, then: heliostat resume {self._directory}"
        notice = Notice(
            id=f"end {record.sequence}",
            topic=Topic.GOAL if goal else Topic.END,
            severity=Severity.ALARM if ill else Severity.INFO,
            subject=f"the campaign has ended: {reason}",
            text=", ".join(filter(None, (count_of(state), best_of(state)))),
            wants=again if ill else "",
        )
        yield self._opened(notice) if ill else notice

    # --- what people are asked ------------------------------------------------------------------

    def asked(self, question: Question) -> Iterator[Change]:
        """Yield that *question* waits for an answer, or that it has one."""
        asked, answer = question.asked, question.answer
        if answer is not None:
            who = f"{answer.person}: " if answer.person else ""
            yield Over(id=question.notice, how=f"{who}{answer.reason}")
            return
        what = "yes|no"
        text = "It waits for a person's yes."
        if asked.period_s is not None:
            what = "no"
            text = (
                f"It runs {duration(asked.period_s)} after this was delivered, unless somebody "
                "objects."
            )
        yield Notice(
            id=question.notice,
            topic=Topic.APPROVAL,
            severity=Severity.WARNING,
            subject=asked.text,
            text=text,
            wants=f"heliostat answer {self._directory} {what} --reason ...",
        )

    # --- the gate's record ----------------------------------------------------------------------

    def gate(self, number: int, said: Mapping[str, Any]) -> Iterator[Change]:
        """Yield what record *number* of the gate says."""
        match said.get("kind"):
            case "step" | "started":
                yield from self._stepped(number, said)
            case "safe" if said.get("failed"):
                failed = "; ".join(f"{signal}: {why}" for signal, why in said["failed"].items())
                yield Notice(
                    id=f"not safe {number}",
                    topic=Topic.TRIP,
                    severity=Severity.ALARM,
                    subject="THE BENCH MAY NOT BE SAFE",
                    text=failed,
                    wants=f"see to it by hand; heliostat safety status {self._directory}",
                )

    def _stepped(self, number: int, said: Mapping[str, Any]) -> Iterator[Change]:
        cause = (said.get("trip") or {}).get("cause")
        if cause is None:
            how = f"reset by {said['by']}" if said.get("by") else "it was reset"
            yield from self._close(Topic.TRIP, how)
            return
        if said.get("input") == Input.ACKNOWLEDGE.value:
            yield from self._seen(Topic.TRIP, f"acknowledged by {said.get('by') or 'somebody'}")
        if Topic.TRIP not in self._open:
            rule = f"{cause['rule']}: " if cause.get("rule") else ""
            yield self._opened(
                Notice(
                    id=f"trip {number}",
                    topic=Topic.TRIP,
                    severity=Severity.ALARM,
                    subject=f"TRIPPED: {rule}{cause.get('reason')}",
                    text="The gate makes the bench safe; it stays so until people release it.",
                    wants=f"look at the bench, then: heliostat ack {self._directory} && heliostat "
                    f"reset {self._directory} --reason ...",
                )
            )

    # --- what is open ---------------------------------------------------------------------------

    def _opened(self, notice: Notice) -> Notice:
        self._open[notice.topic] = notice.id
        return notice

    def _seen(self, topic: Topic, how: str) -> Iterator[Over]:
        """Say that somebody has answered, while what the notice told of goes on."""
        if topic in self._open:
            yield Over(id=self._open[topic], how=how)

    def _close(self, topic: Topic, how: str) -> Iterator[Over]:
        yield from self._seen(topic, how)
        self._open.pop(topic, None)


def _succeeded(record: Record) -> bool:
    event = record.event
    return isinstance(event, (ExperimentFinished, UpkeepRan)) and event.succeeded


def _answer(record: Record) -> str:
    person = getattr(record.event, "person", "")
    return f"{person}: {getattr(record.event, 'reason', '')}" if person else "it goes on"


def _questioned(state: CampaignState) -> str:
    """Return which measurement a person must say something of, and why it was rejected."""
    asked = [one for one in state.observations if one.experiment == state.questioned]
    if not asked:
        return ""
    why = "; ".join(asked[0].quality.reasons)
    return f"experiment {asked[0].experiment[:8]} at {point(asked[0].parameters)}: {why}"
