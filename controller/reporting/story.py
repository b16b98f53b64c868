"""What happened in a campaign, decision by decision, gathered from its events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agents.protocols import Observation, Parameters, Prediction, Suggestion, Verdict
from controller.benches import ranks_of
from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignResumed,
    ExperimentFinished,
    ExperimentStarted,
    FinalPlanRan,
    ObservationMade,
    SuggestionCleared,
    SuggestionMade,
)
from controller.journal import Record
from controller.outcome.summary import Ranks
from controller.outcome.wording import short_unit, value_text
from controller.recorded.recording import Recording
from controller.state import CampaignState
from controller.verdict import PlanVerdict


@dataclass(frozen=True, slots=True)
class Decision:
    """One suggestion and what became of it; times are campaign times in seconds since 1970."""

    number: int
    suggestion: Suggestion
    made: float
    refused: tuple[str, ...] = ()
    verdict: PlanVerdict | None = None
    """What came of running its plan dry."""
    experiment: str = ""
    """Empty where nothing was run."""
    began: float | None = None
    ended: float | None = None
    attempts: int = 0
    observation: Observation | None = None

    @property
    def outcome(self) -> str:
        """In one word: accepted, suspect, rejected, failed, refused or open."""
        if self.refused:
            return "refused"
        if self.observation is None:
            return "open"
        if not self.observation.feasible:
            return "failed"
        return self.observation.quality.verdict.value

    @property
    def alarmed(self) -> bool:
        """Whether the agent's model wasn't to be trusted when it was made."""
        grounds = self.suggestion.grounds
        return grounds is not None and bool(grounds.alarm)

    def expected(self, objective: str) -> Prediction | None:
        """Return what the agent's model predicted of *objective*, if it did."""
        return self.suggestion.predictions.get(objective)


@dataclass(frozen=True, slots=True)
class Final:
    """The final plan ran from ``began`` to ``ended`` (campaign times, s)."""

    began: float
    ended: float
    event: FinalPlanRan


@dataclass(frozen=True, slots=True)
class HaltTold:
    """The gate tripped or the bench held at the campaign time *began*; *ended* None: it still is.

    *how* says who has released it, where that is known.
    """

    began: float
    event: BenchTripped | BenchHeld
    ended: float | None = None
    how: str = ""

    def __str__(self) -> str:
        if isinstance(self.event, BenchTripped):
            what = f"Tripped: {self.event.cause}; the bench was made safe"
        else:
            what = f"Held: {self.event.reason}"
        if self.ended is None:
            return f"{what}. It still is."
        by = f" by {self.how}" if self.how else ""
        over = "released" if isinstance(self.event, BenchTripped) else "went on"
        return f"{what}; {over}{by} after {(self.ended - self.began) / 60:.0f} min."


@dataclass(frozen=True, slots=True)
class Story:
    """A campaign for its readers."""

    recording: Recording
    state: CampaignState
    decisions: tuple[Decision, ...]
    finals: tuple[Final, ...]
    resumed: tuple[CampaignResumed, ...]
    ranks: Ranks | None
    halts: tuple[HaltTold, ...] = ()

    @property
    def head(self) -> str:
        """The hash of the journal's last record."""
        return self.recording.records[-1].hash

    def counts(self) -> dict[str, int]:
        """Return how many decisions came to each outcome."""
        outcomes = [decision.outcome for decision in self.decisions]
        return {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}

    def of_experiment(self, experiment: str) -> Decision | None:
        """Return the decision that led to *experiment*."""
        found = (d for d in self.decisions if d.experiment == experiment)
        return next(found, None)

    def rejected(self) -> list[Decision]:
        """Return the decisions whose measurement was rejected, oldest first."""
        return [d for d in self.decisions if d.outcome == Verdict.REJECTED.value]


def tell(recording: Recording) -> Story:
    """Return the story of *recording*."""
    state = recording.state
    return Story(
        recording,
        state,
        tuple(_as_corrected(one, state) for one in decisions_of(recording.records)),
        finals_of(recording.records),
        tuple(r.event for r in recording.records if isinstance(r.event, CampaignResumed)),
        ranks_of(recording.words, state),
        halts_of(recording.records),
    )


def _as_corrected(decision: Decision, state: CampaignState) -> Decision:
    """Return *decision* with its observation as people have left it; None where it's retracted."""
    if decision.observation is None:
        return decision
    name = decision.observation.experiment
    now = next((one for one in state.observations if one.experiment == name), None)
    return replace(decision, observation=now)


def decisions_of(records: Iterable[Record]) -> tuple[Decision, ...]:
    """Return every decision in *records*, with what became of it."""
    found: dict[str, Decision] = {}
    suggested: dict[str, str] = {}
    for record in records:
        event = record.event
        if isinstance(event, SuggestionMade):
            suggestion = event.suggestion
            found[suggestion.id] = Decision(len(found) + 1, suggestion, record.stamp)
        elif isinstance(event, SuggestionCleared):
            decision = found[event.suggestion_id]
            found[event.suggestion_id] = replace(
                decision, refused=() if event.allowed else event.reasons, verdict=event.verdict
            )
        elif isinstance(event, ExperimentStarted):
            suggested[event.experiment_id] = event.suggestion_id
            found[event.suggestion_id] = _begun(found[event.suggestion_id], event, record.stamp)
        elif isinstance(event, ExperimentFinished):
            name = suggested[event.experiment_id]
            found[name] = replace(found[name], ended=record.stamp)
        elif isinstance(event, ObservationMade):
            experiment = event.observation.experiment
            name = suggested.get(experiment, experiment)
            if name in found:
                found[name] = replace(found[name], observation=event.observation)
    return tuple(found.values())


def halts_of(records: Iterable[Record]) -> tuple[HaltTold, ...]:
    """Return every trip and hold in *records*, oldest first."""
    found: list[HaltTold] = []
    for record in records:
        event = record.event
        if isinstance(event, (BenchTripped, BenchHeld)):
            found.append(HaltTold(record.stamp, event))
        elif isinstance(event, (BenchReleased, BenchWentOn)) and found:
            how = getattr(event, "by", "")
            why = getattr(event, "reason", "")
            told = f"{how} ({why})" if how and why else how
            found[-1] = replace(found[-1], ended=record.stamp, how=told)
    return tuple(found)


def ordered(parameters: Parameters, story: Story) -> Parameters:
    """Return *parameters* in the order of the space."""
    names = story.recording.words.space.names
    return {name: parameters[name] for name in names if name in parameters}


def with_units(parameters: Parameters, story: Story) -> str:
    """Return *parameters* in the order of the space, with their units."""
    space = story.recording.words.space
    return ", ".join(
        f"{name} {value_text(value)} {short_unit(space.parameter(name).unit)}".rstrip()
        for name, value in ordered(parameters, story).items()
    )


def _begun(decision: Decision, event: ExperimentStarted, stamp: float) -> Decision:
    began = stamp if decision.began is None else decision.began
    return replace(decision, experiment=event.experiment_id, began=began, attempts=event.attempt)


def finals_of(records: Iterable[Record]) -> tuple[Final, ...]:
    """Return when the final plan ran: from the record before it to its own."""
    finals = []
    before = 0.0
    for record in records:
        if isinstance(record.event, FinalPlanRan):
            finals.append(Final(before, record.stamp, record.event))
        before = record.stamp
    return tuple(finals)
