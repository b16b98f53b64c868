"""What a peer is asked: plain data, and the unit cube for libraries that want numbers.

Importable in every environment: numpy is all it needs. All outcomes are to be minimised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = float | str
Row = Sequence[Value]


@dataclass(frozen=True)
class Axis:
    """A parameter: a range from *low* to *high*, or one of *options*."""

    name: str
    low: float = 0.0
    high: float = 1.0
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A problem as the peers see it; a point is one value per axis, in order.

    ``constraints`` are outcomes to be kept at or below 0; ``reference`` bounds the hypervolume.
    With a ``pool`` only its points may be chosen.
    """

    seed: int
    axes: tuple[Axis, ...]
    outcomes: tuple[str, ...]
    constraints: tuple[str, ...]
    reference: tuple[float, ...]
    noisy: bool
    initial: int
    pool: tuple[tuple[Value, ...], ...]

    @property
    def names(self) -> list[str]:
        """The axes' names, in order."""
        return [axis.name for axis in self.axes]

    def units(self, points: Sequence[Row]) -> np.ndarray:
        """Return *points* in the unit cube, one column per option where there are options."""
        columns = []
        for place, axis in enumerate(self.axes):
            if axis.options:
                columns += [[float(p[place] == option) for p in points] for option in axis.options]
            else:
                span = (axis.high - axis.low) or 1.0
                columns.append([(float(p[place]) - axis.low) / span for p in points])
        return np.array(columns).T

    def points(self, units: np.ndarray) -> list[list[Value]]:
        """Return the points at *units*; only for axes that are ranges."""
        lows = np.array([axis.low for axis in self.axes])
        highs = np.array([axis.high for axis in self.axes])
        inside = np.clip(units, 0.0, 1.0)
        return np.clip(lows + inside * (highs - lows), lows, highs).tolist()


def read_question(line: Mapping[str, Any]) -> Question:
    """Return the question written as *line*."""
    return Question(
        seed=int(line["seed"]),
        axes=tuple(Axis(**{**axis, "options": tuple(axis["options"])}) for axis in line["axes"]),
        outcomes=tuple(line["outcomes"]),
        constraints=tuple(line["constraints"]),
        reference=tuple(line["reference"]),
        noisy=bool(line["noisy"]),
        initial=int(line["initial"]),
        pool=tuple(map(tuple, line["pool"])),
    )
