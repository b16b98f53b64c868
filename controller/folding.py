"""The campaign as its events tell it: a pure fold, no clock, no I/O, no randomness."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

from agents.operator import is_of_a_person
from agents.protocols import Observation, Quality, Verdict
from controller.events import (
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignResumed,
    CampaignRevised,
    CampaignStarted,
    CampaignStopped,
    ConditionsHeld,
    Event,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentLost,
    ExperimentResolved,
    ExperimentStarted,
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
from controller.files.campaign import Campaign
from controller.standing import Halt, Running, Upkept
from controller.state import CampaignState
from controller.terms import HALTED, TRIES, UNFIT_IN_A_ROW, Stop, terms_of


def apply(state: CampaignState, event: Event, stamp: float) -> CampaignState:
    """Return *state* after *event*, which was journalled at campaign time *stamp* (s)."""
    return replace(_apply(event, state, stamp), latest=stamp)


@singledispatch
def _apply(event: Any, _state: CampaignState, stamp: float) -> CampaignState:
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
def _(event: SuggestionMade, state: CampaignState, _stamp: float) -> CampaignState:
    suggestion = event.suggestion
    taken_up = 1 if is_of_a_person(suggestion) else 0
    return replace(
        state,
        proposed=state.proposed[taken_up:],
        suggestions={**state.suggestions, suggestion.id: suggestion},
        waiting=(*state.waiting, suggestion.id),
    )


@_apply.register
def _(event: PointProposed, state: CampaignState, _stamp: float) -> CampaignState:
    reason = "" if state.stop_reason == Stop.NOBODY else state.stop_reason
    proposed = (*state.proposed, event)
    return replace(state, proposed=proposed, awaited=False, stop_reason=reason)


@_apply.register
def _(_event: PointAwaited, state: CampaignState, _stamp: float) -> CampaignState:
    return replace(state, awaited=True)


@_apply.register
def _(event: SuggestionCleared, state: CampaignState, _stamp: float) -> CampaignState:
    waiting = tuple(name for name in state.waiting if name != event.suggestion_id)
    if event.allowed:
        return replace(state, waiting=waiting, cleared=(*state.cleared, event.suggestion_id))
    refused = {**state.refused, event.suggestion_id: event.reasons}
    return replace(state, waiting=waiting, refused=refused)


@_apply.register
def _(event: ExperimentStarted, state: CampaignState, _stamp: float) -> CampaignState:
    before = _in_flight(state, event.experiment_id)
    experiments = state.experiments + (before is None)
    running = Running(
        event.experiment_id,
        event.suggestion_id,
        event.attempt,
        event.effect,
        number=experiments if before is None else before.number,
        losses=0 if before is None else before.losses,
        spoilt=0 if before is None else before.spoilt,
    )
    return replace(
        state,
        cleared=tuple(name for name in state.cleared if name != event.suggestion_id),
        running=running,
        abandoned=_without(state.abandoned, event.experiment_id),
        begun={**state.begun, event.experiment_id: event.suggestion_id},
        experiments=experiments,
        used=_added(state.used, event.consumes),
        final_done=False,
    )


@_apply.register
def _(event: ExperimentFinished, state: CampaignState, stamp: float) -> CampaignState:
    if state.running is None:
        raise ValueError(f"experiment {event.experiment_id} finished without having started")
    spoilt = state.running.spoilt + 1 if event.unfit else 0
    running = replace(state.running, finished=event, losses=0, spoilt=spoilt)
    state = replace(state, running=running, bench=event.bench, bench_time=stamp)
    return _unfit(state, event.unfit, stamp)


@_apply.register
def _(event: MeasurementDoubted, state: CampaignState, _stamp: float) -> CampaignState:
    if state.running is None:
        raise ValueError(f"experiment {event.experiment_id} was doubted without being in flight")
    running = replace(state.running, doubts=state.running.doubts + 1, doubted=True)
    return replace(state, running=running)


@_apply.register
def _(event: MeasuredAgain, state: CampaignState, stamp: float) -> CampaignState:
    running = state.running
    if running is None or running.finished is None:
        raise ValueError(f"experiment {event.experiment_id} was measured again, and isn't there")
    finished = running.finished
    if event.succeeded and not event.unfit:
        finished = finished.model_copy(update={"runs": (*finished.runs, *event.runs)})
    return replace(
        state,
        running=replace(running, finished=finished, doubted=False),
        again_runs=state.again_runs + 1,
        bench=event.bench,
        bench_time=stamp,
    )


@_apply.register
def _(event: ExperimentLost, state: CampaignState, _stamp: float) -> CampaignState:
    if state.running is None:
        raise ValueError(f"experiment {event.experiment_id} was lost without having started")
    running = replace(state.running, lost=True, losses=state.running.losses + 1)
    return replace(state, running=running)


@_apply.register
def _(event: ExperimentAbandoned, state: CampaignState, _stamp: float) -> CampaignState:
    given_up = _in_flight(state, event.experiment_id)
    if given_up is None:
        raise ValueError(f"experiment {event.experiment_id} was given up without having started")
    left = replace(given_up, resolution=None)
    running = state.running
    return replace(
        state,
        running=None if running and running.experiment_id == event.experiment_id else running,
        abandoned={**state.abandoned, event.experiment_id: left},
        stop_reason=event.reason,
    )


@_apply.register
def _(event: ExperimentResolved, state: CampaignState, _stamp: float) -> CampaignState:
    one = _in_flight(state, event.experiment_id)
    if one is None:
        raise ValueError(f"experiment {event.experiment_id} is not one that waits for a word")
    resolved = replace(one, resolution=event, losses=0, spoilt=0)
    if state.running is not None and state.running.experiment_id == event.experiment_id:
        return replace(state, running=resolved, stop_reason="")
    abandoned = {**state.abandoned, event.experiment_id: resolved}
    return replace(state, abandoned=abandoned, stop_reason="")


@_apply.register
def _(_event: ConditionsHeld, state: CampaignState, _stamp: float) -> CampaignState:
    return replace(state, unfit="")


@_apply.register
def _(event: BenchTripped, state: CampaignState, stamp: float) -> CampaignState:
    halted = Halt(event.cause, stamp, latched=True, occurrence=event.occurrence)
    return replace(_cut_off(state, event), halted=halted, trips=state.trips + 1)


@_apply.register
def _(event: BenchHeld, state: CampaignState, stamp: float) -> CampaignState:
    return replace(_cut_off(state, event), halted=Halt(event.reason, stamp, latched=False))


@_apply.register(BenchReleased)
@_apply.register(BenchWentOn)
def _(_event: BenchReleased | BenchWentOn, state: CampaignState, _stamp: float) -> CampaignState:
    reason = "" if state.stop_reason in HALTED else state.stop_reason
    return replace(state, halted=None, stop_reason=reason)


@_apply.register
def _(event: UpkeepRan, state: CampaignState, stamp: float) -> CampaignState:
    begun = state.latest
    state = replace(
        state,
        upkeep_runs=state.upkeep_runs + 1,
        final_done=False,
        bench=event.bench,
        bench_time=stamp,
        latest=stamp,
    )
    before = state.upkept.get(event.name)
    now = _upkept(state, event, before or Upkept(stamp=state.started), stamp - begun)
    return replace(
        _unfit(state, event.unfit, stamp),
        upkept={**state.upkept, event.name: now},
        calibration={**state.calibration, **event.values},
    )


def _upkept(state: CampaignState, event: UpkeepRan, before: Upkept, lasted_s: float) -> Upkept:
    """Return how upkeep stands after *event*: cut off again and again, it has failed for good."""
    spoilt = before.spoilt + 1 if event.unfit else 0
    if event.unfit and spoilt < UNFIT_IN_A_ROW:
        return replace(before, spoilt=spoilt)
    failures = 0 if event.succeeded else TRIES if event.unfit else before.failures + 1
    return replace(state.upkept_now(failures), lasted_s=lasted_s)


@_apply.register
def _(event: ObservationMade, state: CampaignState, _stamp: float) -> CampaignState:
    observation = event.observation
    rejected = observation.runs and observation.quality.verdict is Verdict.REJECTED
    if rejected and state.terms.hold_on_rejected:
        state = replace(state, questioned=observation.experiment)
    return _observed(state, observation)


@_apply.register
def _(event: ObservationTold, state: CampaignState, _stamp: float) -> CampaignState:
    known = event.observation.experiment in state.abandoned
    reason = "" if known and state.stop_reason == Stop.UNDECIDED else state.stop_reason
    return _observed(replace(state, stop_reason=reason), event.observation)


@_apply.register
def _(event: ObservationAmended, state: CampaignState, _stamp: float) -> CampaignState:
    return _corrected(
        _answered(state, event.experiment_id),
        (
            _amended(one, event) if one.experiment == event.experiment_id else one
            for one in state.observations
        ),
    )


@_apply.register
def _(event: ObservationRetracted, state: CampaignState, _stamp: float) -> CampaignState:
    state = _answered(state, event.experiment_id)
    state = replace(state, retracted=(*state.retracted, event.experiment_id))
    return _corrected(
        state, (one for one in state.observations if one.experiment != event.experiment_id)
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
def _(_event: CampaignResumed, state: CampaignState, _stamp: float) -> CampaignState:
    running = state.running
    state = _answered(state, state.questioned)
    return replace(
        state,
        running=None if running is None else replace(running, losses=0, spoilt=0),
        resumptions=state.resumptions + 1,
        final_done=state.final_done and not state.final_failure,
    )


@_apply.register
def _(event: CampaignRevised, state: CampaignState, _stamp: float) -> CampaignState:
    campaign = Campaign.model_validate(event.campaign["campaign"])
    wanted = tuple(one.objective() for one in campaign.objectives) or state.terms.objectives
    undecided = state.stop_reason == Stop.UNDECIDED
    again = {name: _again(one, event) for name, one in state.abandoned.items()}
    return replace(
        state,
        terms=terms_of(campaign, wanted),
        seed=campaign.seed,
        limits=event.limits,
        waiting=(*state.cleared, *state.waiting),
        cleared=(),
        awaited=False,
        abandoned=again,
        upkept={name: replace(one, failures=0) for name, one in state.upkept.items()},
        stop_reason=state.stop_reason if undecided else "",
    )


@_apply.register
def _(event: CampaignStopped, state: CampaignState, _stamp: float) -> CampaignState:
    return replace(state, stop_reason=event.reason)


def _answered(state: CampaignState, experiment_id: str) -> CampaignState:
    """Return *state* without the question about the experiment, if it was the one asked about."""
    if not state.questioned or state.questioned != experiment_id:
        return state
    reason = "" if state.stop_reason == Stop.QUESTIONED else state.stop_reason
    return replace(state, questioned="", stop_reason=reason)


def _cut_off(state: CampaignState, event: BenchTripped | BenchHeld) -> CampaignState:
    """Return *state* without the attempt that *event* ended: lost, and nobody's fault."""
    if not event.experiment_id:
        return state
    if state.running is None:
        raise ValueError(f"experiment {event.experiment_id} was cut off without having started")
    return replace(state, running=replace(state.running, lost=True))


def _again(one: Running, event: CampaignRevised) -> Running:
    """Return the abandoned experiment *one*, to be done again if that needs nobody's word."""
    if not one.repeatable or one.resolution is not None:
        return one
    word = ExperimentResolved(
        experiment_id=one.experiment_id,
        outcome="not_done",
        person=event.person,
        reason=event.reason,
    )
    return replace(one, resolution=word, losses=0, spoilt=0)


def _in_flight(state: CampaignState, experiment_id: str) -> Running | None:
    return next((one for one in state.in_flight if one.experiment_id == experiment_id), None)


def _without(many: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in many.items() if key != name}


def _added(many: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    return {**many, **{name: many.get(name, 0.0) + amount for name, amount in more.items()}}


def _unfit(state: CampaignState, why: str, stamp: float) -> CampaignState:
    return replace(state, unfit=why, unfit_since=stamp) if why else state


def _observed(state: CampaignState, observation: Observation) -> CampaignState:
    running = state.running
    if running is not None and running.experiment_id == observation.experiment:
        running = None
    return replace(
        state,
        running=running,
        abandoned=_without(state.abandoned, observation.experiment),
        refused=_without(state.refused, observation.experiment),
        observations=(*state.observations, observation),
    )


def _amended(observation: Observation, event: ObservationAmended) -> Observation:
    """Return *observation* with the values that a person has given it, which are believed."""
    quality = Quality(
        reasons=(f"amended by {event.person}: {event.reason}",),
        scores=observation.quality.scores,
    )
    values = {**observation.values, **event.values}
    return replace(observation, values=values, quality=quality, feasible=True)


def _corrected(state: CampaignState, observations: Iterable[Observation]) -> CampaignState:
    """Return *state* with other *observations*; it goes on where they were why it had stopped."""
    state = replace(state, observations=tuple(observations))
    reached = state.stop_reason == Stop.GOAL and not state.goal_reached()
    return replace(state, stop_reason="") if reached else state
