"""Shows how a campaign goes on: a bar in a terminal, a few lines anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from agents.protocols import Suggestion
from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignRevised,
    ConditionsHeld,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentLost,
    ExperimentResolved,
    FinalPlanRan,
    MeasuredAgain,
    MeasurementDoubted,
    ObservationAmended,
    ObservationMade,
    ObservationRetracted,
    ObservationTold,
    PointAwaited,
    PointProposed,
    SuggestionCleared,
    SuggestionMade,
    UpkeepRan,
)
from controller.journal import Record
from controller.outcome.wording import measured, point
from controller.state import CampaignState, best_observation

LINES = 20
"""So many lines at most, beside those that tell of a new best."""


class Display(Protocol):
    """A listener that shows what it hears."""

    def __call__(self, record: Record, state: CampaignState) -> None:
        """Take in what has happened."""
        ...

    def note(self, text: str) -> None:
        """Write a line that a person should read."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody else meanwhile."""
        ...


class Bar:
    """A progress bar with best so far and time left."""

    def __init__(self, progress: Progress, task: TaskID, noted: Callable[[Record], str]) -> None:
        self._progress = progress
        self._task = task
        self._noted = noted

    def __call__(self, record: Record, state: CampaignState) -> None:
        """Move the bar."""
        note = self._noted(record)
        if note:
            self.note(note)
        self._progress.update(
            self._task,
            completed=fraction_done(state),
            count=count_of(state),
            best=best_of(state),
        )

    def note(self, text: str) -> None:
        """Write a line above the bar."""
        self._progress.console.print(Text(text))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away meanwhile."""
        self._progress.stop()
        yield
        self._progress.start()


class Lines:
    """A line for each new best, and now and then."""

    def __init__(self, console: Console, noted: Callable[[Record], str]) -> None:
        self._console = console
        self._noted = noted
        self._best = ""
        self._told: int | None = None
        """The number of the last experiment that a line told of, or that went before all lines."""

    def __call__(self, record: Record, state: CampaignState) -> None:
        """Write a line where there is something to tell."""
        event = record.event
        note = self._noted(record)
        if note:
            self.note(note)
        if self._told is None:
            self._told = state.experiments - isinstance(event, ObservationMade)
        if not isinstance(event, ObservationMade):
            return
        best = best_of(state)
        every = max(1, (state.terms.experiments or LINES) // LINES)
        if best != self._best or len(state.observations) % every == 0:
            self.note(f"{count_of(state, self._told + 1)}: {best or 'nothing usable yet'}")
            self._told = state.experiments
        self._best = best

    def note(self, text: str) -> None:
        """Write a line."""
        self._console.print(Text(text), soft_wrap=True)

    def paused(self) -> AbstractContextManager[None]:
        """Nothing stands in anybody's way."""
        return nullcontext()


def fraction_done(state: CampaignState) -> float:
    """Return how much of the budget is used up (0 to 1)."""
    terms = state.terms
    parts = [0.0]
    if terms.experiments:
        parts.append(len(state.observations) / terms.experiments)
    if terms.duration_s:
        parts.append((state.latest - state.started) / terms.duration_s)
    return 1.0 if state.stop_reason else min(1.0, max(parts))


def count_of(state: CampaignState, first: int | None = None) -> str:
    """Return ``experiment 12/30``, without the limit where there is none.

    From *first* on, where that is an earlier one: ``experiments 10-12/30``.
    """
    limit, last = state.terms.experiments, state.experiments
    of = "" if limit is None else f"/{limit}"
    if first is None or first >= last:
        return f"experiment {last}{of}"
    return f"experiments {first}-{last}{of}"


def best_of(state: CampaignState) -> str:
    """Return the best value so far with its uncertainty; nothing before there is one."""
    best = best_observation(state)
    if best is None:
        return ""
    objective = state.terms.objectives[0]
    return f"best {objective.name} {measured(best.values[objective.name], objective.unit)}"


def note_of(record: Record) -> str:
    """Return what a person should know at once: a failed plan, a fallback; nothing otherwise."""
    told = (_of_the_gate, _of_the_bench, _of_the_campaign, _of_people)
    return next(filter(None, (tell(record) for tell in told)), "")


def note_beside_the_gate(record: Record) -> str:
    """Return the same where a gate in a process of its own tells of trips itself, and at once."""
    return "" if isinstance(record.event, BenchTripped) else note_of(record)


def _of_the_gate(record: Record) -> str:
    match record.event:
        case BenchTripped(cause=cause):
            return f"TRIPPED: {cause}"
        case BenchReleased(by=by, reason=reason):
            who = f" by {by}: {reason}" if by else ""
            return f"note: the bench was released{who}"
        case BenchHeld(reason=reason):
            return f"note: the bench holds: {reason}"
        case BenchWentOn(waited_s=waited):
            return f"note: the bench goes on, after {waited / 60:.0f} min"
        case SuggestionCleared(verdict=verdict) if verdict is not None and (
            verdict.found or not verdict.complete
        ):
            return f"note: pre-check: {verdict}"
    return ""


def _of_the_bench(record: Record) -> str:
    match record.event:
        case ExperimentFinished(unfit=why) if why:
            return f"note: measured under bad conditions, and it doesn't count: {why}"
        case ConditionsHeld(waited_s=waited):
            return f"note: the conditions hold again, after {waited / 60:.0f} min"
        case ExperimentLost(attempt=attempt, reason=reason):
            return f"note: attempt {attempt} was lost: {reason}"
        case ExperimentAbandoned(experiment_id=name, reason=reason):
            return f"note: experiment {name[:8]} was given up: {reason}"
        case UpkeepRan(succeeded=False, name=name, reason=reason):
            return f"note: upkeep {name} failed: {reason}"
        case MeasurementDoubted(reasons=reasons):
            return f"note: measured again, since it isn't sure: {'; '.join(reasons)}"
        case MeasuredAgain(succeeded=False, reason=reason):
            return f"note: it could not be measured again: {reason}"
    return ""


def _of_the_campaign(record: Record) -> str:
    match record.event:
        case ExperimentFinished(succeeded=False, reason=reason):
            return f"note: an experiment failed: {reason}"
        case FinalPlanRan(succeeded=False, plan=plan, reason=reason):
            return f"the final plan {plan} failed: {reason}; make the bench safe by hand"
        case SuggestionMade(suggestion=suggestion) if "fallback" in suggestion.model:
            return f"note: {suggestion.note}"
        case SuggestionMade(suggestion=suggestion) if _alarmed(suggestion):
            return f"note: {suggestion.note}"
    return ""


def _alarmed(suggestion: Suggestion) -> bool:
    return suggestion.grounds is not None and bool(suggestion.grounds.alarm)


def _of_people(record: Record) -> str:
    match record.event:
        case PointProposed(person=person, parameters=parameters, reason=reason):
            return f"note: {person} wants {point(parameters)} tried: {reason}"
        case PointAwaited():
            return "waiting for a person's point: heliostat suggest DIR --at NAME=VALUE --reason …"
        case ObservationTold(observation=told, person=person):
            return f"note: {person} told of experiment {told.experiment[:8]}"
        case ObservationAmended(experiment_id=name, person=person, reason=reason):
            return f"note: {person} amended experiment {name[:8]}: {reason}"
        case ObservationRetracted(experiment_id=name, person=person, reason=reason):
            return f"note: {person} retracted experiment {name[:8]}: {reason}"
        case ExperimentResolved(experiment_id=name, person=person, outcome=outcome):
            return f"note: {person} said of experiment {name[:8]}: {outcome.replace('_', ' ')}"
        case CampaignRevised(person=person, reason=reason):
            return f"note: {person} revised the campaign: {reason}"
    return ""


@contextmanager
def display(name: str, noted: Callable[[Record], str] = note_of) -> Iterator[Display]:
    """Show the campaign *name* on stderr while inside; *noted* says what is told of a record."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(console, noted)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[count]}"),
        TextColumn("[green]{task.fields[best]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(name, total=1.0, count="", best="")
        yield Bar(progress, task, noted)
