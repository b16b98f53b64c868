"""An optimizer of the protocol of blop and bluesky-adaptive (suggest, ingest), as an agent.

What is asked of it (blop 1.2, ``blop.protocols.Optimizer``): ``suggest(n)`` returns mappings of
parameters, each with an ``_id`` if it likes; ``ingest`` takes mappings of parameters and outcomes,
with the ``_id`` of what it has suggested. ``register_suggestions`` and ``register_failures`` are
used where it has them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.errors import AgentError
from agents.parameters import Categorical, Integer
from agents.protocols import Measured, Objective, Observation, Parameters, Suggestion, Value
from agents.space import Key, Space

ID = "_id"


def mean_of(measured: Measured) -> float:
    """Return the outcome as the protocol has it: a number."""
    return measured.mean


class OptimizerAgent:
    """Asks *optimizer* for points, and tells it what came of them and of everybody else's.

    A point that it was asked for and that nobody ran (a fresher one was taken) is reported as
    failed. Asked again without being told anything, it isn't troubled: the answer is the same.
    """

    def __init__(
        self,
        optimizer: Any,
        name: str,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        outcome: Callable[[Measured], Any] = mean_of,
    ) -> None:
        self._optimizer = optimizer
        self._name = name
        self._space = space
        self._objectives = objectives
        self._seed = seed
        self._outcome = outcome
        self._known = 0
        self._open: dict[Key, Mapping[str, Any]] = {}
        """What the optimizer waits for the outcome of, with its ids."""
        self._answered: tuple[Any, list[Suggestion]] | None = None

    @property
    def name(self) -> str:
        """How it is called in the campaign."""
        return self._name

    def tell(self, observations: Sequence[Observation]) -> None:
        """Ingest *observations*; those that taught nothing are reported as failed."""
        for observation in observations:
            self._known += 1
            self._answered = None
            values = self._outcomes(observation)
            key = self._space.key(observation.parameters)
            known = self._open.pop(key, None)
            if len(values) == len(self._objectives):
                ids = {} if known is None or ID not in known else {ID: known[ID]}
                self._optimizer.ingest([{**ids, **observation.parameters, **values}])
            else:
                self._fail([known or self._registered(observation.parameters)])

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* of what it suggests, with those *pending* made known to it."""
        question = (count, tuple(self._space.key(one.parameters) for one in pending))
        if self._answered is not None and self._answered[0] == question:
            return list(self._answered[1])
        self._withdraw(set(question[1]))
        for one in pending:
            key = self._space.key(one.parameters)
            if key not in self._open:
                self._open[key] = self._registered(one.parameters)
        found = self._optimizer.suggest(count)
        suggestions = [self._suggestion(point, pending) for point in found]
        for point, one in zip(found, suggestions, strict=True):
            self._open[self._space.key(one.parameters)] = dict(point)
        self._answered = question, suggestions
        return list(suggestions)

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, as far as anybody knows."""
        return (
            f"{suggestion.note} It had ingested {suggestion.known} observations; why it prefers "
            "this point only the optimizer itself knows."
        )

    def _outcomes(self, observation: Observation) -> dict[str, Any]:
        """Return what *observation* says of the objectives; empty for one that teaches nothing."""
        if not observation.usable:
            return {}
        return {
            objective.name: self._outcome(value)
            for objective in self._objectives
            if (value := observation.values.get(objective.name)) is not None
            and math.isfinite(value.mean)
        }

    def _withdraw(self, wanted: set[Key]) -> None:
        """Report what is waited for and isn't *wanted* any more."""
        gone = [key for key in self._open if key not in wanted]
        self._fail([self._open.pop(key) for key in gone])

    def _fail(self, points: Sequence[Mapping[str, Any]]) -> None:
        named = [point for point in points if ID in point]
        if named and hasattr(self._optimizer, "register_failures"):
            self._optimizer.register_failures(named)

    def _registered(self, point: Parameters) -> Mapping[str, Any]:
        """Return *point* with the optimizer's id for it, where it takes points of others."""
        if not hasattr(self._optimizer, "register_suggestions"):
            return dict(point)
        [registered] = self._optimizer.register_suggestions([dict(point)])
        return dict(registered)

    def _suggestion(self, point: Any, pending: Sequence[Suggestion]) -> Suggestion:
        if not isinstance(point, Mapping):
            raise AgentError(f"{self._name}: suggested a {type(point).__name__}, not a mapping")
        return Suggestion(
            parameters=self._typed(point),
            agent=self._name,
            model=type(self._optimizer).__name__,
            seed=self._seed,
            known=self._known,
            pending=tuple(one.id for one in pending if one.id),
            note=f"Suggested by {self._name}.",
        )

    def _typed(self, point: Mapping[str, Any]) -> dict[str, Value]:
        """Return *point* with plain values, in the order of the space; what isn't of it stays."""
        given = {name: value for name, value in point.items() if name != ID}
        order = [*(n for n in self._space.names if n in given)]
        order += [name for name in given if name not in self._space.names]
        return {name: self._value(name, given[name]) for name in order}

    def _value(self, name: str, value: Any) -> Value:
        if name not in self._space.names:
            return str(value)
        parameter = self._space.parameter(name)
        if isinstance(parameter, Categorical):
            return str(value)
        number = float(value)
        return int(number) if isinstance(parameter, Integer) and number.is_integer() else number
