"""What to do next: a pure function of the campaign's state."""

from dataclasses import dataclass

from agents.protocols import Suggestion
from controller.events import ExperimentFinished
from controller.state import CampaignState, Running
from controller.terms import FAILURES_IN_A_ROW, Stop
from instruments.effects import Effect


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
        return RunFinally(state.final_number) if due else None
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
