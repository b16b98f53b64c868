"""Where an outcome surely keeps its bound: pessimistic predictions, and how pessimistic they are.

Few experiments close together make a process too sure of itself: they differ little, so it takes
the outcome to vary little and slowly everywhere. So a fence is made of a cautious process. Its
standard deviation has a scaled inverse chi-squared prior, as if DOUBT outcomes had been seen that
lie as far from the others as the bound does: a bound is stated because it can be broken. Its
lengthscales are kept short until many experiments speak for longer ones (after Berkenkamp,
Schoellig & Krause, "No-regret Bayesian optimization with unknown hyperparameters", JMLR 20,
2019). Safety rests on such assumptions: Fiedler, Menn, Kreisköther & Trimpe, "On safety in safe
Bayesian optimization", TMLR 2024.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Acquisition
from agents.prospects import Bound
from models.surrogates.factor import solved
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.kernel import correlation

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

DOUBT = 5.0
"""The outcomes assumed to lie as far away as the bound."""
LONGEST = 0.5
"""The longest lengthscale, in diagonals of the unit cube, with ENOUGH experiments per parameter.

It grows in proportion to their number.
"""
ENOUGH = 3
STEEPNESS = 0.01
"""How much of a logarithm the acquisition loses near a fence: keeps searches on its inner side."""


@dataclass(frozen=True)
class Fence:
    """An outcome and its bound: safe is where it is kept by *reach* standard deviations.

    *process*, *bound* and *sign* (1: at most, -1: at least) are on the modelled scale; *widening*
    multiplies the process's standard deviations.
    """

    process: GaussianProcess
    widening: float
    bound: float
    sign: float
    reach: float

    def margins(self, places: Array) -> Array:
        """Return by how many sigma of one experiment the bound is kept (m) at *places* (m x d)."""
        mean, sigma = self.expected(places)
        return self.sign * (self.bound - mean) / sigma

    def expected(self, places: Array) -> tuple[Array, Array]:
        """Return mean and cautious sigma (m) of one experiment's outcome at *places* (m x d)."""
        mean, sigma = self.process.moments(places)
        return mean, self.widening * np.hypot(sigma, self.process.scatter)

    def slopes(self, places: Array) -> tuple[Array, Array]:
        """Return the margins (m) at *places* (m x d) with their gradients (m x d)."""
        ahead = self.process.slopes(places)
        total = np.hypot(ahead.sigma, self.process.scatter)
        margins = self.sign * (self.bound - ahead.mean[:, 0]) / (self.widening * total)
        by_mean = -self.sign / (self.widening * total)[:, None] * ahead.by_mean[:, 0, :]
        by_sigma = -(margins * ahead.sigma / np.square(total))[:, None] * ahead.by_sigma
        return margins, by_mean + by_sigma

    def learned(self, places: Array, targets: Array) -> Array:
        """Return the share (m x k) of the variance at *targets* (k x d) that *places* would take.

        An experiment at a place (m x d) tells of a target as far as the two correlate.
        """
        process = self.process
        inputs, lengths = process.training.inputs, process.column_lengths
        halves = [
            solved(process.factor, correlation(inputs, points, lengths)[0])
            for points in (places, targets)
        ]
        shared = correlation(places, targets, lengths)[0] - halves[0].T @ halves[1]
        own = [np.maximum(1.0 - np.square(half).sum(0), 1e-12) for half in halves]
        noisy = own[0] + process.scatter**2
        share = np.square(shared) / (noisy[:, None] * own[1][None, :])
        return np.asarray(np.minimum(share, 1.0))


def fence_of(bound: Bound, reach: float) -> Fence:
    """Return where what is believed of a *bound* keeps it by *reach* cautious sigma."""
    process = bound.belief.process
    training = process.training
    distinct = len(np.unique(training.inputs, axis=0))
    longest = LONGEST * math.sqrt(training.scales) * distinct / (ENOUGH * training.scales)
    cautious = GaussianProcess(training, np.minimum(process.lengths, longest), process.noise)
    apart = bound.modelled - float(training.outcomes.mean())
    seen = float((training.outcomes - cautious.mean) @ cautious.weights)
    variance = (DOUBT * apart**2 + max(seen, 0.0)) / (DOUBT + distinct)
    differ = bool(np.ptp(training.outcomes) > 0)
    widening = math.sqrt(max(variance, 1.0 if differ else 0.0, 1e-24))
    return Fence(cautious, widening, bound.modelled, bound.sign, reach)


def safe(fences: Sequence[Fence], places: Array) -> Bools:
    """Return at which of *places* (m x d) every one of *fences* holds."""
    held = np.ones(len(places), dtype=bool)
    for fence in fences:
        held &= fence.margins(places) > fence.reach
    return held


@dataclass(frozen=True)
class Inside:
    """An acquisition within *fences*: minus infinity where one of them doesn't hold.

    Near a fence a little less than *gain*, so that a search by gradient goes along it.
    """

    gain: Acquisition
    fences: Sequence[Fence]

    def values(self, points: Array) -> Array:
        """Return the acquisition (m) at *points* (m x d)."""
        total = self.gain.values(points)
        for fence in self.fences:
            total = total + _damping(fence.margins(points) - fence.reach)[0]
        return total

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d)."""
        total, slope = self.gain.slopes(points)
        for fence in self.fences:
            margins, by_place = fence.slopes(points)
            damping, by_slack = _damping(margins - fence.reach)
            total, slope = total + damping, slope + by_slack[:, None] * by_place
        return total, slope


def _damping(slack: Array) -> tuple[Array, Array]:
    """Return STEEPNESS log(slack / (1 + slack)) and its derivative; minus infinity below 0."""
    inside = np.maximum(slack, 1e-12)
    value = np.where(slack > 0, STEEPNESS * np.log(inside / (1 + inside)), -np.inf)
    return value, STEEPNESS / (inside * (1 + inside))
