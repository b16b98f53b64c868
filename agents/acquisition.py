"""What a point is worth trying for: terms with values and gradients, that add up as logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.excess import Aim
from agents.outlook import Outlook
from agents.steady import SteadyOutlook

Array = NDArray[np.float64]

SHARE = 2**22
"""Numbers that one evaluation may hold at a time: bounds the memory, not the result."""


class Acquisition(Protocol):
    """The logarithm of what points are worth trying for; a function of points in the unit cube.

    Plain numbers, the same for the same points; never NaN, minus infinity where nothing is
    to be had.
    """

    def values(self, points: Array) -> Array:
        """Return the acquisition (m) of *points* (m x d), each by itself."""
        ...

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the acquisition (m) of *points* (m x d) and its gradients (m x d)."""
        ...


@dataclass(frozen=True)
class Improvement:
    """Log expected improvement of one outcome over the best of each scenario.

    ``best`` (s) is the worth of the incumbent by scenario, on the modelled scale.
    """

    outlook: Outlook | SteadyOutlook
    aim: Aim
    best: Array

    def values(self, points: Array) -> Array:
        """Return the log expected improvement (m) of *points* (m x d)."""
        mean, sigma = self.outlook.at(points)
        return log_mean(self.aim.excess(mean, sigma[:, None], self.best).value)

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        ahead = self.outlook.slopes(points)
        found = self.aim.excess(ahead.mean, ahead.sigma[:, None], self.best)
        value = log_mean(found.value)
        shares = weights_in(found.value, value)
        by_mean = np.einsum("ms,msd->md", shares * found.by_mean, ahead.by_mean)
        by_sigma = (shares * found.by_sigma).sum(1)
        return value, by_mean + by_sigma[:, None] * ahead.by_sigma


@dataclass(frozen=True)
class Feasibility:
    """Log probability that an outcome is at most (or, with sign -1, at least) its *bound*."""

    outlook: Outlook
    bound: float
    sign: float = 1.0

    def values(self, points: Array) -> Array:
        """Return the log probability (m) at *points* (m x d)."""
        from scipy.special import log_ndtr

        mean, sigma = self.outlook.at(points)
        return log_mean(log_ndtr(self.sign * (self.bound - mean) / sigma[:, None]))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        from scipy.special import log_ndtr

        ahead = self.outlook.slopes(points)
        sigma = ahead.sigma[:, None]
        z = self.sign * (self.bound - ahead.mean) / sigma
        each = log_ndtr(z)
        value = log_mean(each)
        # d log Phi / dz = phi / Phi, in logarithms
        hazard = np.exp(-0.5 * np.square(z) - 0.5 * np.log(2 * np.pi) - each)
        shares = weights_in(each, value) * hazard
        by_mean = np.einsum("ms,msd->md", shares * -self.sign / sigma, ahead.by_mean)
        by_sigma = (shares * -z / sigma).sum(1)
        return value, by_mean + by_sigma[:, None] * ahead.by_sigma


@dataclass(frozen=True)
class Total:
    """The sum of several logarithms: the product of what they stand for."""

    terms: Sequence[Acquisition]

    def values(self, points: Array) -> Array:
        """Return the sum (m) at *points* (m x d)."""
        return np.asarray(sum(term.values(points) for term in self.terms))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        parts = [term.slopes(points) for term in self.terms]
        return np.asarray(sum(p[0] for p in parts)), np.asarray(sum(p[1] for p in parts))


def log_mean(logs: Array) -> Array:
    """Return the logarithm (m) of the mean of exp(*logs*) (m x s) over the scenarios."""
    if logs.shape[1] == 1:
        return logs[:, 0]
    top = np.maximum(logs.max(axis=1, keepdims=True), -1e300)
    return np.asarray(top[:, 0] + np.log(np.exp(logs - top).mean(axis=1)))


def weights_in(logs: Array, mean: Array) -> Array:
    """Return each scenario's share (m x s) in the *mean* (m, a logarithm) of *logs* (m x s)."""
    if logs.shape[1] == 1:
        return np.ones_like(logs)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.exp(logs - mean[:, None]) / logs.shape[1]))
