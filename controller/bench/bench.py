"""The bench as the loop sees it: a suggestion goes in, finished runs come out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.protocols import Suggestion
from agents.space import Space
from controller.documents import HEAD_KEY, finished_runs, read_run, runs_of
from controller.engine import BenchHooks, Engine, PlanOutcome, Supervision
from controller.errors import BenchStands, EngineError
from controller.parts import Halting, Ran, Released
from controller.plans.planning import Calls, PlannedCall
from controller.safety.envelope.envelope import Envelope
from controller.seam import Ids
from controller.verdict import PlanVerdict
from controller.watching import Watch, waiting
from instruments.effects import Effect
from instruments.plans import Plan
from instruments.recipes import Recipe
from models.values import Documents


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated behind the devices, if anything is."""

    hooks: BenchHooks
    snapshot: Callable[[], Mapping[str, Any]] = dict
    """Returns the state of the simulated bench; an empty one for a real bench."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What ties runs to their campaign: ids, the directory, what every start document carries."""

    campaign_id: str
    directory: Path
    ids: Ids
    metadata: Mapping[str, Any]
    head: Callable[[], str]
    """Returns the hash of the journal's last record."""
    writes: Callable[[], str]
    """Returns the hash of the last record of what was written."""


@dataclass(frozen=True, slots=True)
class Routine:
    """What a campaign of days does beside its experiments, and when it may measure."""

    upkeep: Mapping[str, PlannedCall] = field(default_factory=dict)
    settle: PlannedCall | None = None
    """Runs once the measuring conditions hold again."""
    watch: Watch | None = None
    """The measuring conditions, if there are any."""


class EngineBench:
    """Runs the campaign's plans on the engine, in the words of the loop."""

    def __init__(
        self,
        engine: Engine,
        station: Any,
        calls: Calls,
        world: World,
        identity: Identity,
        routine: Routine | None = None,
    ) -> None:
        self._engine = engine
        self._station = station
        self._call, self._final = calls
        self._world = world
        self._identity = identity
        self._routine = routine or Routine()

    @property
    def plan(self) -> str:
        """The name of the plan that does an experiment."""
        return self._call.spec.name

    @property
    def effect(self) -> Effect:
        """What that plan does to the world."""
        return self._call.spec.effect

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        """Return the parameters as applied: as suggested, since the gate never edits a value."""
        return suggestion.parameters

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        """Say that nothing stands against the next plan: nobody is asked here."""
        del suggestion, upkeep
        return None

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Raise BenchStands: nobody can release anything while this process waits."""
        del patience_s
        raise BenchStands(halting.reason)

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion* to its end, whatever that is."""
        about = _about(suggestion, experiment_id, attempt)
        return self._run(self._call, suggestion.parameters, f"{experiment_id}/{attempt}", about)

    def final(self, number: int) -> Ran:
        """Run the campaign's final plan; only an operator who interrupts twice ends it early."""
        if self._final is None:
            return self._ran(PlanOutcome(()))
        name = f"{self._identity.campaign_id}/final/{number}"
        about = {"final_plan": number}
        try:
            return self._run(self._final, {}, name, about, insistence=2, watch=None)
        except KeyboardInterrupt:
            why = "interrupted by the operator, twice"
            return replace(self._ran(PlanOutcome((), why)), interrupted=True)

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return how a lost attempt ended, None when nobody can know.

        A twin in this process has forgotten what it did since its last snapshot: there is
        nothing to be found out, and the attempt is repeated as if it had never been.
        """
        if self._world.snapshot():
            return None
        wanted = {"experiment_id": experiment_id, "attempt": attempt}
        runs = finished_runs(self._identity.directory, wanted)
        if len(runs) == self._call.spec.runs:
            return self._ran(PlanOutcome(runs))
        return self._looked_up(suggestion, experiment_id, attempt)

    def upkeep(self, name: str, number: int, experiment_id: str = "") -> Ran:
        """Run the upkeep plan *name*; raises KeyError when the campaign has none of that name."""
        namespace = f"{self._identity.campaign_id}/upkeep/{name}/{number}"
        about: dict[str, Any] = {"upkeep": name, "upkeep_number": number}
        if experiment_id:
            about = {"experiment_id": experiment_id, "measured_again": number}
        return self._run(self._routine.upkeep[name], {}, namespace, about)

    def await_conditions(self, patience_s: float = math.inf) -> bool:
        """Wait until the measuring conditions have held long enough, at most *patience_s*."""
        watch = self._routine.watch
        rounds = count(1)
        while watch is not None:
            if not self._held(watch, patience_s):
                return False
            if self._settled(next(rounds)):
                break
        return True

    def documents(self, run: str) -> Documents:
        """Return the documents of a finished run."""
        return read_run(self._identity.directory, run)

    def _run(
        self,
        call: PlannedCall,
        parameters: Mapping[str, Any],
        namespace: str,
        about: Mapping[str, Any],
        **supervised: Any,
    ) -> Ran:
        try:
            recipe = call.recipe(parameters)
        except ValidationError as error:
            return self._ran(PlanOutcome((), first_fault(error)))
        supervision = Supervision(
            limit_s=OVERTIME * call.spec.duration_s(recipe) + MARGIN_S,
            replayable=call.spec.effect in (Effect.READ_ONLY, Effect.REPEATABLE),
            **{"watch": self._routine.watch, **supervised},
        )
        known = (about.get("experiment_id", ""),) if call.spec.identified else ()
        plan = partial(call.spec.run, self._station, recipe, *known)
        about = {**about, "plan": call.spec.name, "plan_name": call.spec.name}
        return self._ran(self._do(plan, namespace, about, supervision))

    def _do(
        self,
        plan: Callable[[], Plan],
        namespace: str,
        about: Mapping[str, Any],
        supervision: Supervision,
    ) -> PlanOutcome:
        self._identity.ids.begin(namespace)
        metadata = {**self._identity.metadata, **about, HEAD_KEY: self._identity.head()}
        try:
            made = plan()
        except ValidationError as error:
            return PlanOutcome((), first_fault(error))
        return self._engine.run(made, metadata, self._world.hooks, supervision)

    def _looked_up(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return what the instrument itself knows of an attempt, None when it knows nothing."""
        look_up = self._call.spec.look_up
        if look_up is None:
            return None
        about = {**_about(suggestion, experiment_id, attempt), "looked_up": True}
        before = runs_of(self._identity.directory, about)
        name = f"{experiment_id}/{attempt}/looked up/{len(before)}/{self._identity.head()}"
        plan = partial(look_up, self._station, experiment_id)
        outcome = self._do(plan, name, about, Supervision(limit_s=MARGIN_S))
        return self._ran(outcome) if outcome.succeeded and outcome.runs else None

    def _held(self, watch: Watch, patience_s: float) -> bool:
        """Return whether the conditions came to hold."""
        answers: list[bool] = []
        name = f"{self._identity.campaign_id}/wait/{self._identity.head()}"
        plan = partial(_noted, partial(waiting, watch, patience_s), answers)
        outcome = self._do(plan, name, {}, Supervision(replayable=True, watch=watch))
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not answers:
            raise EngineError(f"the measuring conditions could not be awaited: {outcome.reason}")
        return answers[-1]

    def _settled(self, attempt: int) -> bool:
        """Run the settling plan, once more if it fails; False when the conditions failed."""
        settle = self._routine.settle
        if settle is None:
            return True
        name = f"{self._identity.campaign_id}/settle/{self._identity.head()}/{attempt}"
        for again in ("", "/again"):
            ran = self._run(settle, {}, name + again, {"settling": True})
            if ran.interrupted:
                raise KeyboardInterrupt
            if ran.succeeded or ran.unfit:
                return not ran.unfit
        raise EngineError(f"the settling plan failed twice: {ran.reason}")

    def _ran(self, outcome: PlanOutcome) -> Ran:
        return Ran(
            outcome.runs,
            outcome.succeeded,
            outcome.reason,
            self._world.snapshot(),
            self._identity.writes(),
            interrupted=outcome.interrupted,
            lost=outcome.lost,
            unfit=outcome.unfit,
        )


def _about(suggestion: Suggestion, experiment_id: str, attempt: int) -> dict[str, Any]:
    return {
        "experiment_id": experiment_id,
        "suggestion_id": suggestion.id,
        "attempt": attempt,
        "agent": suggestion.agent,
    }


def _noted(plan: Callable[[], Plan], answers: list[Any]) -> Plan:
    answers.append((yield from plan()))


OVERTIME = 1.5
"""So much longer than the longest time it says may a plan take before it is ended."""
MARGIN_S = 600.0
"""And so many campaign seconds more."""


@dataclass(frozen=True, slots=True)
class Precheck:
    """Clears suggestions: space, plan arguments, limits in force, and time until the end."""

    space: Space
    calls: Calls
    envelope: Envelope
    until: float | None = None

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return every reason why *suggestion* may not run."""
        reasons = list(self.space.check(suggestion.parameters))
        try:
            recipe = self.calls[0].recipe(suggestion.parameters)
        except ValidationError as error:
            return (*reasons, first_fault(error))
        return (*reasons, *self._outside_limits(recipe, suggestion))

    def verdict(self, suggestion: Suggestion) -> PlanVerdict | None:
        """Return nothing: no plan is run dry for this."""
        del suggestion
        return None

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        """Whether it and the final plan would end before the campaign's ``until``."""
        if self.until is None:
            return True
        call, final = self.calls
        try:
            needed = call.spec.duration_s(call.recipe(suggestion.parameters))
        except ValidationError:
            return True
        if final is not None:
            needed += final.spec.duration_s(final.recipe({}))
        return now + needed <= self.until

    def _outside_limits(self, recipe: Recipe, suggestion: Suggestion) -> list[str]:
        spec = self.calls[0].spec
        values = {**recipe.model_dump(), **(recipe.model_extra or {})}
        return [
            f"{name} = {values[name]}: {signal}: {reason}"
            for name in suggestion.parameters
            if (signal := spec.signal(name))
            and (reason := self.envelope.reason_against(signal, values[name]))
        ]


def first_fault(error: ValidationError) -> str:
    """Return what is wrong with a plan's arguments, in one line."""
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"])) or "arguments"
    return f"{place}: {str(fault['msg']).removeprefix('Value error, ')}"
