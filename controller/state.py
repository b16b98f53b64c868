"""The campaign as its events tell it, and what to do next: pure functions, no clock, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import singledispatch
from statistics import NormalDist
from typing import Any

from agents.protocols import Objective, Observation, Suggestion
from controller.events import (
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    Event,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentStarted,
    FinalPlanRan,
    ObservationMade,
    SuggestionCleared,
    SuggestionMade,
)
from instruments.effects import Effect

FAILURES_IN_A_ROW = 3
"""So many failed experiments, one after the other, say that the bench is ill, not the points."""


class Stop(StrEnum):
    """Why a campaign takes no further experiment."""

    GOAL = "goal reached"
    EXPERIMENTS = "budget: experiments used up"
    DURATION = "budget: time used up"
    UNTIL = "until: the next experiment could not end in time"
    POOL = "pool exhausted"
    FAILURES = f"{FAILURES_IN_A_ROW} experiments failed one after the other"
    ADVISED = "advise: suggestions were made, nothing is run"
    DECLINED = "declined by a person"
    UNDECIDED = "an irreversible experiment was interrupted: a person must say whether it was done"


@dataclass(frozen=True, slots=True)
class Target:
    """When an objective is good enough: on which side of *value*, with what *confidence*."""

    objective: str
    value: float
    at_least: bool
    confidence: float

    def reached(self, observation: Observation) -> bool:
        """Whether *observation* meets the target with the confidence asked for."""
        measured = observation.values.get(self.objective)
        if not observation.usable or measured is None:
            return False
        excess = measured.mean - self.value if self.at_least else self.value - measured.mean
        if measured.sigma <= 0:
            return excess >= 0
        return NormalDist(0.0, measured.sigma).cdf(excess) >= self.confidence


@dataclass(frozen=True, slots=True)
class Terms:
    """What the campaign was started with, as far as deciding what to do next needs it."""

    objectives: tuple[Objective, ...]
    experiments: int | None = None
    duration_s: float | None = None
    target: Target | None = None
    advise: bool = False
    final_plan: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The experiment in flight."""

    experiment_id: str
    suggestion_id: str
    attempt: int
    effect: Effect
    finished: ExperimentFinished | None = None


@dataclass(frozen=True, slots=True)
class CampaignState:
    """Everything that the events so far say. ``started`` and ``latest`` are campaign times (s)."""

    terms: Terms
    campaign_id: str = ""
    seed: int = 0
    limits: str = ""
    started: float = 0.0
    latest: float = 0.0
    suggestions: Mapping[str, Suggestion] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    """Suggestions made and not yet cleared."""
    cleared: tuple[str, ...] = ()
    """Suggestions that may run."""
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Suggestions that may not run, and why, until the agent is told (by an observation)."""
    running: Running | None = None
    experiments: int = 0
    observations: tuple[Observation, ...] = ()
    bench: Mapping[str, Any] = field(default_factory=dict)
    bench_time: float = 0.0
    stop_reason: str = ""
    final_plans: int = 0
    final_done: bool = False
    """Whether the final plan ran since the last experiment started."""

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of suggestions whose outcome isn't known yet, oldest first."""
        in_flight = (self.running.suggestion_id,) if self.running else ()
        return in_flight + self.cleared + self.waiting

    def goal_reached(self) -> bool:
        """Whether an observation has met the campaign's target."""
        target = self.terms.target
        return target is not None and any(map(target.reached, self.observations))


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the agent for a suggestion (number *number*, counted from 1)."""

    number: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Check whether a suggestion may run."""

    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the agent that a suggestion may not run."""

    suggestion: Suggestion
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start experiment number *number* (counted from 1), or its next attempt."""

    suggestion: Suggestion
    number: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Reduce:
    """Turn the documents of a finished experiment into an observation."""

    suggestion: Suggestion
    finished: ExperimentFinished


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give up an experiment in flight that must not be repeated."""

    experiment_id: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Take no further experiment, for *reason*."""

    reason: Stop


@dataclass(frozen=True, slots=True)
class RunFinally:
    """Run the campaign's final plan, the *number*-th time."""

    number: int


Action = Ask | Clear | Report | Start | Reduce | Abandon | Finish | RunFinally


def next_action(state: CampaignState) -> Action | None:
    """Return what to do now, or None when the campaign is over."""
    if state.running is not None:
        return _on_the_running(state, state.running)
    if state.stop_reason:
        due = state.terms.final_plan is not None and not state.final_done
        return RunFinally(state.final_plans + 1) if due else None
    for suggestion_id, reasons in state.refused.items():
        return Report(state.suggestions[suggestion_id], reasons)
    reason = _reason_to_stop(state)
    if reason is not None:
        return Finish(reason)
    if state.cleared:
        return Start(state.suggestions[state.cleared[0]], state.experiments + 1)
    if state.waiting:
        return Clear(state.suggestions[state.waiting[0]])
    return Ask(len(state.suggestions) + 1)


def _on_the_running(state: CampaignState, running: Running) -> Action:
    suggestion = state.suggestions[running.suggestion_id]
    if running.finished is not None:
        return Reduce(suggestion, running.finished)
    if running.effect in (Effect.READ_ONLY, Effect.REPEATABLE):
        return Start(suggestion, state.experiments, running.attempt + 1)
    return Abandon(running.experiment_id)


def _reason_to_stop(state: CampaignState) -> Stop | None:
    terms = state.terms
    if state.goal_reached():
        return Stop.GOAL
    if terms.experiments is not None and state.experiments >= terms.experiments:
        return Stop.EXPERIMENTS
    if terms.duration_s is not None and state.latest - state.started >= terms.duration_s:
        return Stop.DURATION
    if len(state.observations) >= FAILURES_IN_A_ROW and not any(
        observation.feasible for observation in state.observations[-FAILURES_IN_A_ROW:]
    ):
        return Stop.FAILURES
    if terms.advise and state.waiting:
        return Stop.ADVISED
    return None


def apply(state: CampaignState, event: Event, stamp: float) -> CampaignState:
    """Return *state* after *event*, which was journalled at campaign time *stamp* (s)."""
    return replace(_apply(event, state, stamp), latest=stamp)


@singledispatch
def _apply(event: Any, state: CampaignState, stamp: float) -> CampaignState:
    raise TypeError(f"{type(event).__name__} is not an event that a campaign knows at {stamp}")


@_apply.register
def _(event: CampaignStarted, state: CampaignState, stamp: float) -> CampaignState:
    return replace(
        state,
        campaign_id=event.campaign_id,
        seed=event.seed,
        limits=event.limits,
        started=stamp,
    )


@_apply.register
def _(event: SuggestionMade, state: CampaignState, stamp: float) -> CampaignState:
    suggestion = event.suggestion
    return replace(
        state,
        suggestions={**state.suggestions, suggestion.id: suggestion},
        waiting=(*state.waiting, suggestion.id),
    )


@_apply.register
def _(event: SuggestionCleared, state: CampaignState, stamp: float) -> CampaignState:
    waiting = tuple(name for name in state.waiting if name != event.suggestion_id)
    if event.allowed:
        return replace(state, waiting=waiting, cleared=(*state.cleared, event.suggestion_id))
    refused = {**state.refused, event.suggestion_id: event.reasons}
    return replace(state, waiting=waiting, refused=refused)


@_apply.register
def _(event: ExperimentStarted, state: CampaignState, stamp: float) -> CampaignState:
    running = Running(event.experiment_id, event.suggestion_id, event.attempt, event.effect)
    return replace(
        state,
        cleared=tuple(name for name in state.cleared if name != event.suggestion_id),
        running=running,
        experiments=state.experiments + (event.attempt == 1),
        final_done=False,
    )


@_apply.register
def _(event: ExperimentFinished, state: CampaignState, stamp: float) -> CampaignState:
    if state.running is None:
        raise ValueError(f"experiment {event.experiment_id} finished without having started")
    running = replace(state.running, finished=event)
    return replace(state, running=running, bench=event.bench, bench_time=stamp)


@_apply.register
def _(event: ExperimentAbandoned, state: CampaignState, stamp: float) -> CampaignState:
    return replace(state, running=None, stop_reason=event.reason)


@_apply.register
def _(event: ObservationMade, state: CampaignState, stamp: float) -> CampaignState:
    observation = event.observation
    running = state.running
    if running is not None and running.experiment_id == observation.experiment:
        running = None
    return replace(
        state,
        running=running,
        refused={k: v for k, v in state.refused.items() if k != observation.experiment},
        observations=(*state.observations, observation),
    )


@_apply.register
def _(event: FinalPlanRan, state: CampaignState, stamp: float) -> CampaignState:
    return replace(
        state,
        final_plans=state.final_plans + 1,
        final_done=True,
        bench=event.bench,
        bench_time=stamp,
    )


@_apply.register
def _(event: CampaignResumed, state: CampaignState, stamp: float) -> CampaignState:
    return state


@_apply.register
def _(event: CampaignStopped, state: CampaignState, stamp: float) -> CampaignState:
    return replace(state, stop_reason=event.reason)


def best_observation(state: CampaignState) -> Observation | None:
    """Return the usable observation with the best first objective, None before there is one."""
    objective = state.terms.objectives[0]
    return max(
        (o for o in state.observations if o.usable and objective.name in o.values),
        key=lambda o: objective.score(o.values[objective.name].mean),
        default=None,
    )
