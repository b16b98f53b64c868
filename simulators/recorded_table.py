"""A recorded table as a bench: an experiment looks its outcome up among real measurements.

Rows with equal parameters are replicates of one point; one of them is drawn by seed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from simulators.errors import SimulatorError

Value = float | int | str
Kind = Literal["continuous", "integer", "discrete", "categorical"]
Goal = Literal["maximize", "minimize", "target"]


@dataclass(frozen=True, slots=True)
class TableParameter:
    """A column that was set; *low*, *high* and *values* are in *unit*."""

    name: str
    type: Kind
    unit: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableObjective:
    """A column that was measured, and what is wanted of it."""

    name: str
    goal: Goal
    unit: str = ""
    target: float | None = None

    def score(self, value: float) -> float:
        """Return *value* on a scale where more is always better."""
        if self.goal == "target" and self.target is not None:
            return -abs(value - self.target)
        return -value if self.goal == "minimize" else value


@dataclass(frozen=True, slots=True)
class RecordedTable:
    """All that a recorded bench knows: the distinct points in file order, and what each gave.

    ``outcomes[i]`` are the replicates of ``pool[i]``, each with a finite value for every
    objective. ``constraint`` and ``kind`` are prose, to be shown. ``notes`` say what isn't as
    ``meta.json`` states and does no harm (rows without a result, another number of rows).
    """

    name: str
    folder: Path
    parameters: tuple[TableParameter, ...]
    objectives: tuple[TableObjective, ...]
    pool: tuple[Mapping[str, Value], ...]
    outcomes: tuple[tuple[Mapping[str, float], ...], ...]
    kind: str = ""
    constraint: str = ""
    notes: tuple[str, ...] = ()
    _index: dict[tuple[Value, ...], int] = field(default_factory=dict, repr=False, compare=False)
    _scores: dict[str, list[float]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index.update({self._key(point): i for i, point in enumerate(self.pool)})

    def _key(self, point: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple(point[parameter.name] for parameter in self.parameters)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people should know of the table, in prose: nothing of it is read as a rule."""
        said = self.constraint.strip()
        stated = () if said.lower() in ("", "none") else (f"its constraint, in words: {said}",)
        return (*stated, *self.notes)

    def index_of(self, point: Mapping[str, Value]) -> int:
        """Return where *point* (exactly) is in the pool; SimulatorError where it isn't."""
        missing = [p.name for p in self.parameters if p.name not in point]
        if missing:
            raise SimulatorError(f"{self.name}: the point has no {', '.join(missing)}: {point}")
        try:
            return self._index[self._key(point)]
        except KeyError:
            raise SimulatorError(
                f"{self.name}: asked for {dict(point)}, which was never measured; a recorded "
                f"bench can only give one of its {len(self.pool)} points"
            ) from None

    def outcome(self, index: int, seed: int, draw: int) -> Mapping[str, float]:
        """Return one replicate of point *index*: the same for the same *seed* and *draw* number."""
        replicates = self.outcomes[index]
        if len(replicates) == 1:
            return replicates[0]
        generator = np.random.default_rng([seed, draw])
        return replicates[int(generator.integers(len(replicates)))]

    def mean(self, index: int, objective: str) -> float:
        """Return the mean of the replicates of point *index*, in the objective's unit."""
        replicates = self.outcomes[index]
        return math.fsum(replicate[objective] for replicate in replicates) / len(replicates)

    def scores(self, objective: str = "") -> list[float]:
        """Return the mean of each point in the pool, on a scale where more is better.

        *objective* is the first one where it isn't given.
        """
        wanted = self.objective(objective or self.objectives[0].name)
        if wanted.name not in self._scores:
            places = range(len(self.pool))
            self._scores[wanted.name] = [wanted.score(self.mean(i, wanted.name)) for i in places]
        return self._scores[wanted.name]

    def rank(self, index: int, objective: str = "") -> int:
        """Return the rank of point *index* by the mean of its replicates: 1 is the best."""
        scores = self.scores(objective)
        return 1 + sum(score > scores[index] for score in scores)

    def top_count(self, fraction: float = 0.05) -> int:
        """Return how many points are the best *fraction* of the pool (at least one)."""
        return max(1, round(fraction * len(self.pool)))

    def objective(self, name: str) -> TableObjective:
        """Return the objective *name*; SimulatorError where the table has none."""
        for objective in self.objectives:
            if objective.name == name:
                return objective
        accepted = ", ".join(objective.name for objective in self.objectives)
        raise SimulatorError(f"{self.name}: no objective {name!r}; there are: {accepted}")
