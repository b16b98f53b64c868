"""What every peer can do here, and how one without recorded pools is given a pool."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.decisions.peers.question import Question, Row, Value

Outcome = Mapping[str, float]


class Adapter(ABC):
    """A library used as its own documentation shows it by default.

    ``told`` and ``outcomes`` hold all experiments so far, in order; ``tried`` the places of the
    pool that were measured.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.told: list[tuple[Value, ...]] = []
        self.outcomes: list[Outcome] = []
        self.tried: set[int] = set()
        self._places = {point: place for place, point in enumerate(question.pool)}
        self._units = question.units(question.pool) if question.pool else np.empty((0, 0))
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Set the library up for the question."""

    def tell(self, points: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        """Take in what was measured, at points of its own or of others."""
        rows = [tuple(point) for point in points]
        self.told += rows
        self.outcomes += outcomes
        if self.question.pool:
            self.tried |= {self._places[row] for row in rows}
        self.learn(rows, outcomes)

    def ask(self, count: int) -> list[Row]:
        """Return *count* points to try; of a pool, such as were not tried."""
        if not self.question.pool:
            return self.propose(count)
        free = [place for place in range(len(self.question.pool)) if place not in self.tried]
        return [self.question.pool[place] for place in self.choose(free, count)]

    def choose(self, free: Sequence[int], count: int) -> list[int]:
        """Return *count* of the places *free* in the pool: here those nearest to proposals.

        Numbers count by their place in their range; another option is as far as a whole range.
        """
        left = list(free)
        chosen = []
        for point in self.propose(count):
            distances = np.square(self._units[left] - self.question.units([point])).sum(axis=1)
            chosen.append(left.pop(int(distances.argmin())))
            self.give_up(tuple(point))
        return chosen

    @abstractmethod
    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        """Hand the library what was measured."""

    @abstractmethod
    def propose(self, count: int) -> list[Row]:
        """Return *count* points, wherever the library wants them."""

    def give_up(self, point: tuple[Value, ...]) -> None:  # noqa: B027 (most keep no account)
        """Let the library forget a proposal that will not be measured as it stands."""

    def costs(self, name: str) -> np.ndarray:
        """Return what was measured of *name*, in order."""
        return np.array([outcome[name] for outcome in self.outcomes])
