"""The bench as the loop sees it: a suggestion goes in, finished runs come out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.protocols import Suggestion
from agents.space import Space
from controller.documents import HEAD_KEY, read_run
from controller.engine import BenchHooks, Engine
from controller.loop import Ran
from controller.planning import Calls, PlannedCall
from controller.safety.gate import Gate
from controller.seam import Ids
from instruments.effects import Effect
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


class EngineBench:
    """Runs the campaign's plans on the engine, in the words of the loop."""

    def __init__(
        self,
        engine: Engine,
        station: Any,
        calls: Calls,
        world: World,
        identity: Identity,
    ) -> None:
        self._engine = engine
        self._station = station
        self._call, self._final = calls
        self._world = world
        self._identity = identity

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

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion* to its end, whatever that is."""
        about = {
            "experiment_id": experiment_id,
            "suggestion_id": suggestion.id,
            "attempt": attempt,
            "agent": suggestion.agent,
        }
        return self._run(self._call, suggestion.parameters, f"{experiment_id}/{attempt}", about)

    def final(self, number: int) -> Ran:
        """Run the campaign's final plan; only an operator who interrupts twice ends it early."""
        if self._final is None:
            return self._ran((), "")
        name = f"{self._identity.campaign_id}/final/{number}"
        try:
            return self._run(self._final, {}, name, {"final_plan": number}, insistence=2)
        except KeyboardInterrupt:
            why = "interrupted by the operator, twice"
            return replace(self._ran((), why), interrupted=True)

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return how a lost attempt ended, None when nobody can know."""
        return None

    def upkeep(self, name: str, number: int) -> Ran:
        """Run the upkeep plan *name*; raises KeyError when the campaign has none of that name."""
        raise KeyError(name)

    def await_conditions(self, patience_s: float = math.inf) -> bool:
        """Wait until the measuring conditions have held long enough, at most *patience_s*."""
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
        *,
        insistence: int = 1,
    ) -> Ran:
        self._identity.ids.begin(namespace)
        try:
            plan = call.spec.run(self._station, call.recipe(parameters))
        except ValidationError as error:
            return self._ran((), first_fault(error))
        metadata = {
            **self._identity.metadata,
            **about,
            "plan": call.spec.name,
            HEAD_KEY: self._identity.head(),
        }
        outcome = self._engine.run(plan, metadata, self._world.hooks, insistence)
        return self._ran(outcome.runs, outcome.reason)

    def _ran(self, runs: tuple[str, ...], reason: str) -> Ran:
        return Ran(runs, not reason, reason, self._world.snapshot(), self._identity.writes())


@dataclass(frozen=True, slots=True)
class Precheck:
    """Clears suggestions: space, plan arguments, limits in force, and time until the end."""

    space: Space
    calls: Calls
    gate: Gate
    until: float | None = None

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return every reason why *suggestion* may not run."""
        reasons = list(self.space.check(suggestion.parameters))
        try:
            recipe = self.calls[0].recipe(suggestion.parameters)
        except ValidationError as error:
            return (*reasons, first_fault(error))
        return (*reasons, *self._outside_limits(recipe, suggestion))

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
            and (reason := self.gate.reason_against(signal, values[name]))
        ]


def first_fault(error: ValidationError) -> str:
    """Return what is wrong with a plan's arguments, in one line."""
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"])) or "arguments"
    return f"{place}: {str(fault['msg']).removeprefix('Value error, ')}"
