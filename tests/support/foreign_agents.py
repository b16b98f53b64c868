"""Agents as users and other libraries write them: what the adapters are tested with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agents.history import History
from agents.protocols import Measured, Objective, Observation, Suggestion
from agents.sobol import SobolAgent, next_points
from agents.space import Space

Objectives = tuple[Objective, ...]


class _Walk:
    """Points of a space that were neither settled nor given out, in the order of a sequence."""

    def __init__(self, space: Space, seed: int) -> None:
        self.history = History(space)
        self.seed = seed
        self.open: dict[int, dict[str, Any]] = {}
        self._next = 0

    def give(self, point: Mapping[str, Any]) -> int:
        self._next += 1
        self.open[self._next] = {name: point[name] for name in self.history.space.names}
        return self._next

    def points(self, count: int) -> list[dict[str, Any]]:
        waiting = [Suggestion(point, "", "", 0, 0) for point in self.open.values()]
        return [dict(point) for point in next_points(self.history, count, waiting, self.seed)]

    def settle(self, number: int) -> None:
        self.history.tell([Observation(str(number), self.open.pop(number))])


class ListOptimizer:
    """An optimizer of blop's protocol; an id that it never gave, or is settled, is an error."""

    def __init__(self, space: Space, seed: int) -> None:
        self._walk = _Walk(space, seed)
        self.ingested: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []

    def suggest(self, num_points: int | None = None) -> Sequence[Mapping[str, Any]]:
        return self.register_suggestions(self._walk.points(num_points or 1))

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        for point in points:
            self._walk.settle(point["_id"] if "_id" in point else self._walk.give(point))
            self.ingested.append(dict(point))

    def register_suggestions(self, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**point, "_id": self._walk.give(point)} for point in points]

    def register_failures(self, points: Sequence[Mapping[str, Any]]) -> None:
        for point in points:
            self._walk.settle(point["_id"])
            self.failed.append(dict(point))


class TrialClient:
    """What is used of an Ax client, as strict: each trial is completed or fails once."""

    def __init__(self, space: Space, names: Sequence[str], seed: int) -> None:
        self._walk = _Walk(space, seed)
        self._names = set(names)
        self.completed: dict[int, Mapping[str, Any]] = {}

    def get_next_trials(self, max_trials: int) -> dict[int, dict[str, Any]]:
        return {self._walk.give(point): point for point in self._walk.points(max_trials)}

    def attach_trial(self, parameters: Mapping[str, Any]) -> int:
        if set(parameters) != set(self._walk.history.space.names):
            raise ValueError(f"not a point of the search space: {dict(parameters)}")
        return self._walk.give(parameters)

    def complete_trial(self, trial_index: int, raw_data: Mapping[str, Any]) -> None:
        for name, value in raw_data.items():
            mean, sem = value if isinstance(value, tuple) else (value, 0.0)
            if name not in self._names or not (math.isfinite(mean) and math.isfinite(sem)):
                raise ValueError(f"{name}: {value}")
        self._walk.settle(trial_index)
        self.completed[trial_index] = dict(raw_data)

    def mark_trial_failed(self, trial_index: int) -> None:
        self._walk.settle(trial_index)


class Whimsical:
    """An agent that fails where the sequence ``faults`` says so, one entry for each question."""

    def __init__(self, space: Space, objectives: Objectives, seed: int, faults: list[str]) -> None:
        self._steady = SobolAgent(space, objectives, seed)
        self._faults = faults
        self._asked = 0

    @property
    def name(self) -> str:
        return "whimsical/1"

    def tell(self, observations: Sequence[Observation]) -> None:
        self._steady.tell(observations)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> Any:
        fault = self._faults[self._asked] if self._asked < len(self._faults) else ""
        self._asked += 1
        if fault == "raise":
            raise RuntimeError("out of sorts")
        if fault == "none":
            return None
        if fault == "outside":
            return [Suggestion({"x": 1e9, "y": 0.0}, self.name, "", 0, 0)]
        if fault == "empty":
            return []
        return self._steady.ask(count, pending)

    def explain(self, suggestion: Suggestion) -> str:
        return self._steady.explain(suggestion)


def steady(space: Space, objectives: Objectives, seed: int) -> SobolAgent:
    """An agent of this project's own protocol."""
    return SobolAgent(space, objectives, seed)


def optimizer(space: Space, _objectives: Objectives, seed: int) -> ListOptimizer:
    """An optimizer of blop's protocol."""
    return ListOptimizer(space, seed)


def client(space: Space, objectives: Objectives, seed: int) -> TrialClient:
    """A client as Ax has it."""
    return TrialClient(space, [objective.name for objective in objectives], seed)


def whimsical(space: Space, objectives: Objectives, seed: int, faults: list[str]) -> Whimsical:
    """An agent that fails now and then."""
    return Whimsical(space, objectives, seed, faults)


def broken(_space: Space, _objectives: Objectives, _seed: int) -> None:
    """What can't be made."""
    raise ValueError("no such model")


def number(_space: Space, _objectives: Objectives, _seed: int) -> Measured:
    """What is no agent."""
    return Measured(1.0, 0.0)
