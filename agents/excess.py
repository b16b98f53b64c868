"""Expected excess of a normal outcome over a level, as a logarithm, with its slopes.

E max(f - level, 0) = sigma h(z), h(z) = phi(z) + z Phi(z), z = (mean - level) / sigma; its
logarithm keeps a slope where the value itself is lost (Ament et al., "Unexpected Improvements to
Expected Improvement for Bayesian Optimization", NeurIPS 2023, eqs. 8 to 9).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
FAR = -200.0
"""Below this a series is nearer to 1 - |z| times Mills' ratio than the difference is."""
LEAST = -1e150
NARROW = 0.03
"""A target's reach of less than so many sigma: the density doesn't change within it."""


@dataclass(frozen=True)
class Excess:
    """Logarithms of expected excesses (any shape), and their derivatives by mean and sigma."""

    value: Array
    by_mean: Array
    by_sigma: Array


def log_h(z: Array) -> tuple[Array, Array]:
    """Return log h(z) and its derivative Phi(z) / h(z)."""
    from scipy.special import erfcx, log_ndtr, ndtr

    z = np.maximum(z, LEAST)
    density = -0.5 * np.square(z) - LOG_ROOT_2PI
    near, low, far = np.maximum(z, -1.0), np.clip(z, FAR, -1.0), np.minimum(z, FAR)
    above = np.log(np.exp(-0.5 * np.square(near)) / math.sqrt(2 * math.pi) + near * ndtr(near))
    below = density + np.log1p(low * math.sqrt(math.pi / 2) * erfcx(-low / math.sqrt(2)))
    part = 1 / np.square(far)
    beyond = density - 2 * np.log(-far) + np.log1p(part * (15 * part - 3))
    value = np.where(z > -1.0, above, np.where(z < FAR, beyond, below))
    return value, np.where(
        z < FAR, -z - 2 / far, np.exp(log_ndtr(np.maximum(z, FAR)) - np.where(z < FAR, 0.0, value))
    )


def log_excess(mean: Array, sigma: Array, level: Array) -> Excess:
    """Return log E max(f - *level*, 0) of f ~ N(*mean*, *sigma*^2); the shapes broadcast."""
    z = (mean - level) / sigma
    value, slope = log_h(z)
    return Excess(value + np.log(sigma), slope / sigma, (1 - slope * z) / sigma)


def log_closeness(mean: Array, sigma: Array, reach: Array) -> Excess:
    """Return log E max(*reach* - abs(f), 0) of f ~ N(*mean*, *sigma*^2); shapes broadcast.

    The sum of three excesses, (f + reach)+ - 2 (f)+ + (f - reach)+, taken on the side where they
    are small; minus infinity where *reach* isn't positive.
    """
    mean, sigma, reach = np.broadcast_arrays(mean, sigma, reach)
    side = np.where(mean > 0, -1.0, 1.0)
    wide = np.maximum(reach, NARROW * sigma)
    parts = [log_excess(side * mean, sigma, step * wide) for step in (-1.0, 0.0, 1.0)]
    ratios = [np.exp(part.value - parts[0].value) for part in parts]
    left = np.maximum(1 - 2 * ratios[1] + ratios[2], 1e-300)
    factors = (1.0, -2.0, 1.0)

    def joined(slopes: list[Array]) -> Array:
        terms = zip(factors, ratios, slopes, strict=True)
        return np.asarray(sum(factor * ratio * slope for factor, ratio, slope in terms) / left)

    value = parts[0].value + np.log(left)
    by_mean = side * joined([part.by_mean for part in parts])
    by_sigma = joined([part.by_sigma for part in parts])
    z, narrow = mean / sigma, reach < NARROW * sigma
    reached = 2 * np.log(np.maximum(reach, 1e-300)) - np.log(sigma) - LOG_ROOT_2PI
    value = np.where(narrow, reached - 0.5 * np.square(z), value)
    return Excess(
        np.where(reach > 0, value, -np.inf),
        np.where(narrow, -z / sigma, by_mean),
        np.where(narrow, (np.square(z) - 1) / sigma, by_sigma),
    )


@dataclass(frozen=True)
class Aim:
    """What an outcome is worth on the modelled scale: *sign* times it, or nearness to *target*."""

    sign: float = 1.0
    target: float | None = None

    def worth(self, outcomes: Array) -> Array:
        """Return the worth of *outcomes* (any shape): more is better."""
        if self.target is None:
            return self.sign * outcomes
        return -np.abs(outcomes - self.target)

    def excess(self, mean: Array, sigma: Array, level: Array) -> Excess:
        """Return the log expected excess of the worth over *level*; the shapes broadcast."""
        if self.target is not None:
            return log_closeness(mean - self.target, sigma, -np.asarray(level))
        found = log_excess(self.sign * mean, sigma, level)
        return Excess(found.value, self.sign * found.by_mean, found.by_sigma)
