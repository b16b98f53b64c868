"""A problem: what may be tried, what comes out, and when it counts as solved.

Merit is a cost: less is better, what a table wants maximised has its sign turned. Agents of ours
are told values in the table's own sign.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agents.parameters import Parameter
from agents.protocols import Goal, Objective, Parameters, Value
from benchmarks.decisions.functions import hypervolume

Outcome = Mapping[str, float]
Kind = Literal["single", "noisy", "constrained", "multi", "pool"]

TUNING = ("hartmann6", "branin_currin", "crossed_barrel", "p3ht")
"""Settings of agents are chosen on these; all others are held out."""
ROUNDING = 1e-12
"""Means of replicates differ by so much, relatively, with the order in which they are summed."""


@dataclass(frozen=True)
class Wanted:
    """A measured quantity and what is wanted of it."""

    name: str
    goal: Goal = Goal.MINIMIZE
    target: float | None = None

    def cost(self, value: float) -> float:
        """Return *value* on a scale where less is better."""
        return -Objective(self.name, self.goal, target=self.target).score(value)


@dataclass(frozen=True)
class Frame:
    """What all problems state.

    ``budget`` counts the ``initial`` points too. A run is solved where its merit has come within
    ``tolerance`` of ``optimum``. ``constraints`` name outcomes that must be at or below 0.
    """

    name: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    wanted: tuple[Wanted, ...]
    initial: int
    budget: int
    optimum: float
    tolerance: float
    why: str
    constraints: tuple[str, ...] = ()
    reference: tuple[float, float] | None = None

    @property
    def half(self) -> str:
        """The half of the problems to which it belongs."""
        return "tuning" if self.name in TUNING else "held out"

    @property
    def group(self) -> str:
        """Whether it is synthetic or recorded."""
        return "recorded" if self.kind == "pool" else "synthetic"

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def regrets(self, curve: Sequence[float | None]) -> np.ndarray:
        """Return how far *curve* is from the optimum; infinite where nothing is feasible yet."""
        values = np.array([np.nan if value is None else value for value in curve], dtype=float)
        gaps = self.optimum - values if self.kind == "multi" else values - self.optimum
        return np.where(np.isnan(gaps), np.inf, gaps)

    def solved_after(self, curve: Sequence[float | None]) -> int | None:
        """Return the number of experiments after the initial ones until solved; None if never.

        0 where the initial points solve it already.
        """
        rounding = ROUNDING * (1 + abs(self.optimum))
        reached = np.flatnonzero(self.regrets(curve) <= self.tolerance + rounding)
        return max(0, int(reached[0]) + 1 - self.initial) if len(reached) else None


class Problem(ABC):
    """A problem that can be run; a problem is the same for every agent and every run."""

    frame: Frame
    pool: tuple[Parameters, ...] | None = None

    @abstractmethod
    def start(self, seed: int) -> list[dict[str, Value]]:
        """Return the initial points of run *seed*, the same for all who are compared."""

    @abstractmethod
    def truth(self, point: Parameters) -> Outcome:
        """Return what *point* gives without noise, in the quantities' own sign."""

    def observe(self, point: Parameters, chance: np.random.Generator) -> Outcome:
        """Return what an experiment at *point* shows."""
        return self.truth(point)

    def curve(self, seen: Sequence[Outcome], truths: Sequence[Outcome]) -> list[float | None]:
        """Return the merit after each experiment: the best cost so far, or the hypervolume.

        With constraints the best feasible cost, None before there is one; with noise the
        noiseless cost of the point that looks best.
        """
        wanted = self.frame.wanted
        if self.frame.reference is not None:
            pairs = [(truth[wanted[0].name], truth[wanted[1].name]) for truth in truths]
            ends = range(1, len(pairs) + 1)
            return [hypervolume(pairs[:end], self.frame.reference) for end in ends]
        costs = [wanted[0].cost(truth[wanted[0].name]) for truth in truths]
        looks = [wanted[0].cost(outcome[wanted[0].name]) for outcome in seen]
        allowed = [all(t[name] <= 0 for name in self.frame.constraints) for t in truths]
        best: int | None = None
        merits: list[float | None] = []
        for place, fine in enumerate(allowed):
            if fine and (best is None or looks[place] < looks[best]):
                best = place
            merits.append(None if best is None else costs[best])
        return merits


def unit_start(dimension: int, count: int, seed: int) -> np.ndarray:
    """Return the first *count* points (count x dimension) of run *seed*'s scrambled Sobol sequence.

    The seeds are those of earlier measurements of the peers, so that their runs pair with ours.
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(dimension, scramble=True, seed=1000 + seed)
    return engine.random_base2((count - 1).bit_length())[:count]
