"""Expected hypervolume improvement of two objectives, exactly and with gradients.

A new point adds to the front, over every strip between two of its neighbours along the first
worth, min(f1, high) - low times f2 - floor, where both are positive. With independent outcomes
the expectation is a sum over strips of products of one-dimensional ones (Emmerich, Yang, Deutz,
Wang & Fonseca, "A Multicriteria Generalization of Bayesian Global Optimization", 2016, eq. 8).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import log_mean, weights_in
from agents.excess import Aim, Excess
from agents.outlook import Outlook

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEYOND = 0.1
"""A threshold that nobody stated lies below the front by this part of its extent."""


@dataclass(frozen=True)
class Strips:
    """The strips of each scenario (s x k): first worth *low* to *high*, second above *floor*.

    Scenarios with fewer strips are filled up with ones that aren't *there*.
    """

    low: Array
    high: Array
    floor: Array
    there: Bools


@dataclass(frozen=True)
class HypervolumeImprovement:
    """Log expected gain of the hypervolume that two outcomes dominate, mean over scenarios."""

    outlooks: tuple[Outlook, Outlook]
    aims: tuple[Aim, Aim]
    strips: Strips

    def values(self, points: Array) -> Array:
        """Return the log expected improvement (m) of *points* (m x d)."""
        (mean1, sigma1), (mean2, sigma2) = (outlook.at(points) for outlook in self.outlooks)
        along = self._along(mean1[:, :, None], sigma1[:, None, None])
        above = self.aims[1].excess(mean2[:, :, None], sigma2[:, None, None], self.strips.floor)
        return log_mean(_log_sum(self._joined(along, above)))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        first, second = (outlook.slopes(points) for outlook in self.outlooks)
        along = self._along(first.mean[:, :, None], first.sigma[:, None, None])
        above = self.aims[1].excess(
            second.mean[:, :, None], second.sigma[:, None, None], self.strips.floor
        )
        joined = self._joined(along, above)
        sums = _log_sum(joined)
        value = log_mean(sums)
        with np.errstate(invalid="ignore"):
            inner = np.nan_to_num(np.exp(joined - sums[:, :, None]))
        shares = weights_in(sums, value)[:, :, None] * inner
        slope = np.zeros_like(points)
        for ahead, part in ((first, along), (second, above)):
            by_mean = (shares * np.where(self.strips.there, part.by_mean, 0.0)).sum(2)
            by_sigma = (shares * np.where(self.strips.there, part.by_sigma, 0.0)).sum((1, 2))
            slope += np.einsum("ms,msd->md", by_mean, ahead.by_mean)
            slope += by_sigma[:, None] * ahead.by_sigma
        return value, slope

    def _along(self, mean: Array, sigma: Array) -> Excess:
        """Return log E[(min(f1, high) - low)+] (m x s x k) = log(E(low) - E(high))."""
        endless = ~np.isfinite(self.strips.high)
        low = self.aims[0].excess(mean, sigma, self.strips.low)
        high = self.aims[0].excess(
            mean, sigma, np.where(endless, self.strips.low, self.strips.high)
        )
        with np.errstate(invalid="ignore"):  # nothing less nothing, for a target out of reach
            ratio = np.exp(np.minimum(high.value - low.value, 0.0))
        ratio = np.where(endless, 0.0, np.nan_to_num(ratio))
        left = np.maximum(1 - ratio, 1e-15)

        def less(a: Array, b: Array) -> Array:
            return np.asarray((a - ratio * b) / left)

        return Excess(
            low.value + np.log(left),
            less(low.by_mean, high.by_mean),
            less(low.by_sigma, high.by_sigma),
        )

    def _joined(self, along: Excess, above: Excess) -> Array:
        joined = along.value + above.value
        return np.where(self.strips.there & ~np.isnan(joined), joined, -np.inf)


def _log_sum(logs: Array) -> Array:
    """Return log of the sum of exp(*logs*) over the last axis."""
    top = np.maximum(logs.max(axis=-1, keepdims=True), -1e300)
    return np.asarray(top[..., 0] + np.log(np.exp(logs - top).sum(axis=-1)))


def strips_of(worths: Array, thresholds: Array) -> Strips:
    """Return the strips above the fronts of *worths* (s x n x 2), beyond *thresholds* (2)."""
    each = [_strips_of_one(scenario, thresholds) for scenario in worths]
    width = max(len(low) for low, _, _ in each)
    filled = [
        [np.append(edge, np.full(width - len(edge), thresholds[0])) for edge in edges]
        for edges in each
    ]
    low, high, floor = (np.array([edges[place] for edges in filled]) for place in range(3))
    there = np.array([np.arange(width) < len(edges[0]) for edges in each])
    return Strips(low, high, floor, there)


def _strips_of_one(worths: Array, thresholds: Array) -> tuple[Array, Array, Array]:
    """Return lows, highs and floors (k) over the front of *worths* (n x 2)."""
    front = front_of(worths[np.all(worths > thresholds, axis=1)])
    edges = np.append(thresholds[0], front[:, 0])
    return edges, np.append(front[:, 0], np.inf), np.append(front[:, 1], thresholds[1])


def front_of(worths: Array) -> Array:
    """Return those of *worths* (n x k, more is better) that no other beats, by their first."""
    order = np.lexsort((-worths.sum(axis=1), -worths[:, 0]))
    kept: list[Array] = []
    for row in worths[order]:
        if not any((other >= row).all() for other in kept):
            kept.append(row)
    return np.array(kept[::-1]).reshape(-1, worths.shape[1])


def thresholds_of(worths: Array) -> Array:
    """Return thresholds (k) just beyond the front of *worths* (n x k), where nobody stated any."""
    front = front_of(worths)
    extent = np.ptp(front, axis=0)
    extent = np.where(extent > 0, extent, np.maximum(np.ptp(worths, axis=0), 1e-6))
    return np.asarray(front.min(axis=0) - BEYOND * extent)
