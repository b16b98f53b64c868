"""What to do next: a pure function of the campaign's state."""

from dataclasses import dataclass, replace

from agents.protocols import Suggestion
from controller.events import ExperimentFinished, ExperimentResolved, PointProposed
from controller.standing import Running
from controller.state import CampaignState
from controller.stopping import (
    expects_too_little,
    gained_nothing,
    measured_enough,
    misses_too_little,
)
from controller.terms import FAILURES_IN_A_ROW, HALTED, LOSSES_IN_A_ROW, UNFIT_IN_A_ROW, Stop


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the agent for a suggestion (number *number*, counted from 1)."""

    number: int


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Make a person's point the next suggestion (number *number*)."""

    proposal: PointProposed
    number: int


@dataclass(frozen=True, slots=True)
class AwaitPoint:
    """Wait until a person says what to try."""


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
class Recover:
    """Find out how an attempt ended that was in flight when the campaign was cut off."""

    suggestion: Suggestion
    experiment_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Take an experiment for done without a result, for *reason*; *feasible*: the point is fine."""

    suggestion: Suggestion
    experiment_id: str
    runs: tuple[str, ...]
    reason: str
    feasible: bool


@dataclass(frozen=True, slots=True)
class AwaitConditions:
    """Wait until it may be measured again, for *suggestion*; *running*: it has begun already."""

    suggestion: Suggestion
    running: str = ""


@dataclass(frozen=True, slots=True)
class AwaitBench:
    """Wait until *then* can be run: the bench is latched or holds."""

    then: "Start | Recover | AwaitConditions | DoUpkeep | MeasureAgain | RunFinally"


@dataclass(frozen=True, slots=True)
class DoUpkeep:
    """Run the upkeep plan *name*, before *suggestion*; the campaign's *number*-th run of upkeep."""

    name: str
    number: int
    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class MeasureAgain:
    """Measure again what is at the bench; the campaign's *number*-th time."""

    suggestion: Suggestion
    experiment_id: str
    number: int


@dataclass(frozen=True, slots=True)
class AwaitWord:
    """Wait until a person has said what the rejected measurement of an experiment was."""

    experiment_id: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give up an experiment in flight that must not be repeated, or not now, for *reason*."""

    experiment_id: str
    reason: Stop


@dataclass(frozen=True, slots=True)
class Finish:
    """Take no further experiment, for *reason*."""

    reason: Stop


@dataclass(frozen=True, slots=True)
class RunFinally:
    """Run the campaign's final plan, the *number*-th time."""

    number: int


Action = (
    Ask
    | TakeUp
    | AwaitPoint
    | Clear
    | Report
    | Start
    | Reduce
    | Recover
    | Discard
    | AwaitConditions
    | AwaitBench
    | DoUpkeep
    | MeasureAgain
    | AwaitWord
    | Abandon
    | Finish
    | RunFinally
)


def goes_on(state: CampaignState) -> bool:
    """Whether a resumption has anything to do: also what it alone lets go on."""
    left = bool(state.final_failure or state.questioned)
    return left or next_action(state) is not None


def next_action(state: CampaignState) -> Action | None:
    """Return what to do now, or None when the campaign is over."""
    if state.halted is None:
        return _next(state)
    released = replace(state, stop_reason="") if state.stop_reason in HALTED else state
    action = _next(released)
    if isinstance(action, (Start, Recover, AwaitConditions, DoUpkeep, MeasureAgain, RunFinally)):
        return AwaitBench(action)
    return action


def _next(state: CampaignState) -> Action | None:
    if state.running is not None:
        return _on_the_running(state, state.running)
    for given_up in state.abandoned.values():
        if given_up.resolution is not None:
            return _on_the_running(state, given_up)
    if state.stop_reason:
        due = state.terms.final_plan is not None and not state.final_done
        return RunFinally(state.final_number) if due else None
    for suggestion_id, reasons in state.refused.items():
        return Report(state.suggestions[suggestion_id], reasons)
    reason = reason_to_stop(state)
    if reason is not None:
        return Finish(reason)
    return _to_begin(state)


def _to_begin(state: CampaignState) -> Action:
    if state.questioned and state.terms.hold_on_rejected:
        return AwaitWord(state.questioned)
    if state.cleared:
        return _before_the_next(state, state.suggestions[state.cleared[0]])
    if state.waiting:
        return Clear(state.suggestions[state.waiting[0]])
    return _to_decide(state)


def _to_decide(state: CampaignState) -> Action:
    number = len(state.suggestions) + 1
    if state.proposed:
        return TakeUp(state.proposed[0], number)
    return AwaitPoint() if state.awaited else Ask(number)


def _before_the_next(state: CampaignState, suggestion: Suggestion) -> Action:
    if state.unfit:
        return AwaitConditions(suggestion)
    upkeep = state.upkeep_due()
    if upkeep is not None:
        return DoUpkeep(upkeep.name, state.upkeep_runs + 1, suggestion)
    return Start(suggestion, state.experiments + 1)


def _on_the_running(state: CampaignState, running: Running) -> Action:
    suggestion = state.suggestions[running.suggestion_id]
    again = Start(suggestion, running.number, running.attempt + 1)
    if running.resolution is not None:
        return _as_resolved(running, running.resolution, again)
    if running.finished is not None and running.finished.unfit:
        return _unfit(state, running, running.finished, again)
    if running.finished is not None and running.doubted and state.terms.remeasure.at_most:
        return MeasureAgain(suggestion, running.experiment_id, state.again_runs + 1)
    if running.finished is not None:
        return Reduce(suggestion, running.finished)
    if not running.lost:
        return Recover(suggestion, running.experiment_id, running.attempt)
    if not running.repeatable:
        return Abandon(running.experiment_id, Stop.UNDECIDED)
    if running.losses >= LOSSES_IN_A_ROW:
        return Abandon(running.experiment_id, Stop.LOST)
    return again


def _as_resolved(running: Running, word: ExperimentResolved, again: Start) -> Action:
    """Return what a person's *word* says."""
    if word.outcome == "not_done":
        return again
    name, by = running.experiment_id, f"{word.person}: {word.reason}"
    if word.outcome == "discard":
        return Discard(again.suggestion, name, (), f"discarded by {by}", feasible=False)
    if not word.runs:  # what was lost says nothing against its point
        reason = f"done by the word of {by}; no data of it are on disk"
        return Discard(again.suggestion, name, (), reason, feasible=True)
    finished = ExperimentFinished(
        experiment_id=name, attempt=running.attempt, runs=word.runs, succeeded=True, reason=""
    )
    return Reduce(again.suggestion, finished)


def _unfit(
    state: CampaignState, running: Running, finished: ExperimentFinished, again: Start
) -> Action:
    """Return what follows a measurement that doesn't count: wait and repeat, where that may be."""
    name = running.experiment_id
    if not running.repeatable:
        return Discard(again.suggestion, name, finished.runs, finished.unfit, feasible=True)
    if _time_is_up(state):
        return Abandon(name, Stop.DURATION)
    if running.spoilt >= UNFIT_IN_A_ROW:
        return Abandon(name, Stop.UNFIT)
    return AwaitConditions(again.suggestion, name) if state.unfit else again


def _time_is_up(state: CampaignState) -> bool:
    limit = state.terms.duration_s
    return limit is not None and state.latest - state.started >= limit


def reason_to_stop(state: CampaignState) -> Stop | None:
    """Return why no further experiment is taken, None when one may be."""
    terms = state.terms
    if state.goal_reached():
        return Stop.GOAL
    if terms.experiments is not None and state.experiments >= terms.experiments:
        return Stop.EXPERIMENTS
    if _time_is_up(state):
        return Stop.DURATION
    if len(state.observations) >= FAILURES_IN_A_ROW and not any(
        observation.feasible for observation in state.observations[-FAILURES_IN_A_ROW:]
    ):
        return Stop.FAILURES
    if terms.advise and state.waiting:
        return Stop.ADVISED
    if any(one.required and one.name in state.upkept_in_vain for one in terms.upkeep):
        return Stop.UPKEEP
    return _not_worth_it(state)


def _not_worth_it(state: CampaignState) -> Stop | None:
    """Return which of the campaign's own rules says that going on isn't worth it."""
    rules, objective = state.terms.stop, state.terms.objectives[0]
    if not measured_enough(rules, objective, state.observations):
        return None
    suggestions = list(state.suggestions.values())
    if misses_too_little(rules, suggestions):
        return Stop.LITTLE_MISSED
    if expects_too_little(rules, suggestions):
        return Stop.LITTLE_TO_GAIN
    if gained_nothing(rules, objective, state.observations):
        return Stop.NOTHING_GAINED
    return None
