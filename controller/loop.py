"""The loop: receive, journal, apply, dispatch. It decides nothing; ``controller.state`` does."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agents.protocols import Agent, Observation, Quality, Reducer, Suggestion, Verdict
from controller.actions import (
    Abandon,
    Action,
    Ask,
    Clear,
    Finish,
    Reduce,
    Report,
    RunFinally,
    Start,
    next_action,
)
from controller.clock import Clock
from controller.errors import EngineError, JournalError, JournalRefused
from controller.events import (
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
from controller.interrupts import held_back
from controller.journal import Journal, Record
from controller.seam import derived_id
from controller.state import CampaignState, apply
from controller.terms import Stop
from instruments.effects import Effect
from models.values import Documents

Listener = Callable[[Record, CampaignState], None]
"""Hears every event once it is durable and applied: progress bars, consoles, tests."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a plan ended; the state of a simulated bench and the head of the gate's record then."""

    runs: tuple[str, ...]
    succeeded: bool
    reason: str
    bench: Mapping[str, Any]
    writes: str = ""
    interrupted: bool = False
    """Whether it ended because the operator would not wait."""
    lost: bool = False
    """Whether what ran it has died or hung: nobody knows yet how far it came. ``recover`` says
    more, and until then it is neither a success nor a failed experiment."""
    unfit: str = ""
    """Why what was measured doesn't count (the measuring conditions failed during an exposure);
    empty when it does. The plan was ended, its clean-up has run; it can be repeated once
    ``await_conditions`` returns."""


class Bench(Protocol):
    """Where experiments are done. Called from the loop's thread, one call at a time."""

    @property
    def plan(self) -> str:
        """The name of the plan that does an experiment."""
        ...

    @property
    def effect(self) -> Effect:
        """What that plan does to the world."""
        ...

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        """Return the parameters as they will be applied."""
        ...

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion* to its end, whatever that is."""
        ...

    def final(self, number: int) -> Ran:
        """Run the campaign's final plan; only an operator who interrupts twice ends it early."""
        ...

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return how the attempt ended that was lost, or None when nobody can know.

        What is looked at: the documents on disk (a finished run that succeeded and carries this
        experiment and attempt is adopted) and, for reconcilable plans that can, the instrument.
        None leaves it to the plan's effect: repeat it, or ask a person. Nothing is moved; may be
        called again, and long after.
        """
        ...

    def upkeep(self, name: str, number: int) -> Ran:
        """Run the upkeep plan *name* to its end, the campaign's *number*-th run of upkeep.

        Raises KeyError for a name that the campaign doesn't have.
        """
        ...

    def await_conditions(self, patience_s: float = math.inf) -> bool:
        """Wait until it may be measured again, then run the settling plan if there is one.

        True when it may (at once when the campaign has no measuring conditions). False when they
        don't hold after *patience_s* of campaign time; while they hold, but not for long enough
        yet, it is waited on: the caller looks at the time, and asks again. An interrupt ends the
        wait with KeyboardInterrupt. Raises EngineError when the bench can't be asked any more, or
        the settling plan fails for another reason than the conditions (then it is waited again).
        """
        ...

    def documents(self, run: str) -> Documents:
        """Return the documents of a finished run."""
        ...


class Clearance(Protocol):
    """Says whether a suggestion may run: before it does, and without moving anything."""

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return every reason why *suggestion* may not run (a person's no included)."""
        ...

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        """Whether it and the final plan would end before the campaign's ``until``; *now* in s."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the loop dispatches to."""

    clock: Clock
    journal: Journal
    agent: Agent
    reducer: Reducer
    bench: Bench
    clearance: Clearance


class Loop:
    """Carries out what ``next_action`` says until there is nothing left to do."""

    def __init__(self, parts: Parts, state: CampaignState, listener: Listener) -> None:
        self._parts = parts
        self._listener = listener
        self._untold = state.observations
        self.state = state

    def run(self) -> None:
        """Run the campaign to its end.

        Whatever ends it early (the operator's interrupt, an error of ours) the final plan runs
        before it is raised again, unless another process has taken the campaign over; the
        campaign can then be resumed.
        """
        try:
            self._remind()
            while (action := next_action(self.state)) is not None:
                self._carry_out(action)
        except JournalRefused:
            raise
        except (Exception, KeyboardInterrupt) as error:
            self._finish_early(error)
            raise

    def record(self, event: Event) -> None:
        """Make *event* durable and apply it, in one; then let the listener know."""
        with held_back():
            record = self._parts.journal.append(self._parts.clock.now(), event)
            self.state = apply(self.state, event, record.stamp)
        self._listener(record, self.state)

    def _remind(self) -> None:
        if self._untold:
            self._parts.agent.tell(self._untold)
        self._untold = ()

    def _finish_early(self, error: BaseException) -> None:
        if self.state.terms.final_plan is None or self.state.final_done:
            return
        try:
            self._run_finally(self.state.final_number)
        except (JournalError, EngineError) as why:
            error.add_note(f"the final plan could not run: {why}")

    def _carry_out(self, action: Action) -> None:
        match action:
            case Ask(number):
                self._ask(number)
            case Clear(suggestion):
                self._clear(suggestion)
            case Report(suggestion, reasons):
                self._observe(_refused(suggestion, reasons))
            case Start(suggestion) if not self._in_time(suggestion):
                self._out_of_time()
            case Start(suggestion, number, attempt):
                self._experiment(suggestion, number, attempt)
            case Reduce(suggestion, finished):
                self._observe(self._reduced(suggestion, finished))
            case Abandon(experiment_id):
                self.record(ExperimentAbandoned(experiment_id=experiment_id, reason=Stop.UNDECIDED))
            case Finish(reason):
                self.record(CampaignStopped(reason=reason))
            case RunFinally(number):
                self._run_finally(number)

    def _ask(self, number: int) -> None:
        pending = [self.state.suggestions[name] for name in self.state.pending]
        suggestions = self._parts.agent.ask(1, pending)
        if not suggestions:
            self.record(CampaignStopped(reason=Stop.POOL))
            return
        named = replace(
            suggestions[0],
            id=derived_id(self.state.campaign_id, "suggestion", number),
            pending=self.state.pending,
        )
        self.record(SuggestionMade(suggestion=named, digest=named.digest(self.state.limits)))

    def _in_time(self, suggestion: Suggestion) -> bool:
        return self._parts.clearance.in_time(suggestion, self._parts.clock.now())

    def _out_of_time(self) -> None:
        running = self.state.running
        if running is None:
            self.record(CampaignStopped(reason=Stop.UNTIL))
        else:
            self.record(ExperimentAbandoned(experiment_id=running.experiment_id, reason=Stop.UNTIL))

    def _clear(self, suggestion: Suggestion) -> None:
        if not self._in_time(suggestion):
            self._out_of_time()
            return
        reasons = self._parts.clearance.refuses(suggestion)
        self.record(
            SuggestionCleared(suggestion_id=suggestion.id, allowed=not reasons, reasons=reasons)
        )

    def _experiment(self, suggestion: Suggestion, number: int, attempt: int) -> None:
        bench = self._parts.bench
        experiment_id = derived_id(self.state.campaign_id, "experiment", number)
        self.record(
            ExperimentStarted(
                experiment_id=experiment_id,
                suggestion_id=suggestion.id,
                plan=bench.plan,
                effect=bench.effect,
                attempt=attempt,
            )
        )
        with held_back():  # an interrupt that comes too late to stop it doesn't discard it
            ran = bench.experiment(suggestion, experiment_id, attempt)
            self.record(
                ExperimentFinished(
                    experiment_id=experiment_id,
                    attempt=attempt,
                    runs=ran.runs,
                    succeeded=ran.succeeded,
                    reason=ran.reason,
                    bench=dict(ran.bench),
                    writes=ran.writes,
                )
            )

    def _reduced(self, suggestion: Suggestion, finished: ExperimentFinished) -> Observation:
        applied = self._parts.bench.applied(suggestion)
        if not finished.succeeded or not finished.runs:
            reason = finished.reason or "the plan made no run"
            return _failed(finished.experiment_id, applied, finished.runs, (reason,))
        reduced = self._parts.reducer.reduce(self._parts.bench.documents(finished.runs[-1]))
        return Observation(
            experiment=finished.experiment_id,
            parameters=applied,
            values=reduced.values,
            quality=reduced.quality,
            runs=finished.runs,
        )

    def _observe(self, observation: Observation) -> None:
        self.record(ObservationMade(observation=observation))
        self._parts.agent.tell([observation])

    def _run_finally(self, number: int) -> None:
        ran = self._parts.bench.final(number)
        self.record(
            FinalPlanRan(
                plan=self.state.terms.final_plan or "",
                runs=ran.runs,
                succeeded=ran.succeeded,
                reason=ran.reason,
                bench=dict(ran.bench),
                writes=ran.writes,
            )
        )
        if ran.interrupted:
            raise KeyboardInterrupt


def _refused(suggestion: Suggestion, reasons: tuple[str, ...]) -> Observation:
    return _failed(suggestion.id, suggestion.parameters, (), reasons)


def _failed(
    experiment: str, parameters: Mapping[str, Any], runs: tuple[str, ...], reasons: tuple[str, ...]
) -> Observation:
    quality = Quality(verdict=Verdict.REJECTED, reasons=reasons)
    return Observation(
        experiment=experiment, parameters=parameters, quality=quality, runs=runs, feasible=False
    )
