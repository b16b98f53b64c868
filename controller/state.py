"""The campaign as its events tell it: a pure fold, no clock, no I/O, no randomness."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

from agents.protocols import Observation, Suggestion
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
from controller.terms import Terms
from instruments.effects import Effect


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
    final_failure: str = ""
    """Why the final plan that ran last failed, empty when it didn't; a resumption tries again."""
    resumptions: int = 0

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of suggestions whose outcome isn't known yet, oldest first."""
        in_flight = (self.running.suggestion_id,) if self.running else ()
        return in_flight + self.cleared + self.waiting

    @property
    def final_number(self) -> int:
        """What the next final plan is counted as: no two have the same number."""
        return self.final_plans + self.resumptions + 1

    def goal_reached(self) -> bool:
        """Whether an observation has met the campaign's target."""
        target = self.terms.target
        return target is not None and any(map(target.reached, self.observations))


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
        final_failure="" if event.succeeded else event.reason or "no reason given",
        bench=event.bench,
        bench_time=stamp,
    )


@_apply.register
def _(event: CampaignResumed, state: CampaignState, stamp: float) -> CampaignState:
    return replace(
        state,
        resumptions=state.resumptions + 1,
        final_done=state.final_done and not state.final_failure,
    )


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
