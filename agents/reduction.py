"""How much an experiment would teach: the variance that it takes away, where it matters.

For a map, everywhere alike (integrated variance: Sacks, Welch, Mitchell & Wynn, Stat. Sci. 4,
1989; Cohn, Neural Networks 9, 1996). For a boundary, where the outcome may be at its level
(targeted: Picheny, Ginsbourger, Roustant, Haftka & Kim, J. Mech. Des. 132, 2010).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.surrogates.factor import solved
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.kernel import correlation

Array = NDArray[np.float64]

BLOCK = 1024
"""Candidates valued at once: bounds the memory, not the result."""
STEP = 1e-5
"""Of the unit cube: what a gradient is taken over."""


@dataclass(frozen=True)
class Reduction:
    """The variance that an experiment takes from *process* at *references* (r x d), by *weights*.

    *weights* (r) say how much it matters there; they needn't sum to 1.
    """

    process: GaussianProcess
    references: Array
    weights: Array

    def at(self, points: Array) -> Array:
        """Return the mean weighted reduction (m) by one experiment at *points* (m x d).

        cov(x, r)^2 / (var(x) + noise) is by how much the variance at r drops.
        """
        found = [np.empty(0)]
        for start in range(0, len(points), BLOCK):
            block = points[start : start + BLOCK]
            half = self._half(block)
            lengths = self.process.column_lengths
            shared = correlation(block, self.references, lengths)[0] - half.T @ self._halves
            noisy = np.maximum(1.0 - np.square(half).sum(0), 1e-12) + self.process.scatter**2
            found.append(np.square(shared) @ self.weights / noisy / len(self.weights))
        return np.concatenate(found)

    @cached_property
    def _halves(self) -> Array:
        return self._half(self.references)

    def _half(self, points: Array) -> Array:
        process = self.process
        cross, _ = correlation(process.training.inputs, points, process.column_lengths)
        return np.asarray(solved(process.factor, cross))


@dataclass(frozen=True)
class Learning:
    """The logarithm of what *reductions* come to together: an acquisition."""

    reductions: Sequence[Reduction]

    def values(self, points: Array) -> Array:
        """Return the logarithm (m) at *points* (m x d)."""
        total = np.sum([reduction.at(points) for reduction in self.reductions], axis=0)
        return np.asarray(np.log(np.maximum(total, 1e-300)))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d), by central differences."""
        count, dimension = points.shape
        steps = STEP * np.eye(dimension)
        around = (points[:, None, None, :] + np.stack([steps, -steps])[None]).reshape(-1, dimension)
        up, down = np.moveaxis(self.values(around).reshape(count, 2, dimension), 1, 0)
        return self.values(points), (up - down) / (2 * STEP)


def near_level(process: GaussianProcess, level: float, places: Array) -> Array:
    """Return the density (m) of the outcome at *level*, at *places* (m x d): the weight of each."""
    mean, sigma = process.moments(places)
    z = (level - mean) / sigma
    return np.asarray(np.exp(-0.5 * np.square(z)) / (sigma * math.sqrt(2 * math.pi)))
