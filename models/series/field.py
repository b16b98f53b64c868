"""Several quantities over a space, learned together: where they are known, and where they vary.

One Gaussian process for all of them (a shared Matérn 3/2 kernel: phase fractions have kinks where
one field ends and the next begins), its length and noise by marginal likelihood. What is left out
and foretold says where the quantities vary more than elsewhere: there the process is less sure
than its distances say (as cross-validation guides designs: Liu, Cai & Ong, Comput. Chem. Eng.
106, 171 (2017)).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

LENGTHS = np.geomspace(0.06, 1.5, 11)
"""Of the kernel, in the unit cube."""
NOISES = (1e-3, 1e-2, 5e-2, 0.2)
"""Variance of one measurement, as a part of the field's."""
TYPICAL, SPREAD = 0.4, 1.0
"""Prior of the length: log-normal around TYPICAL; few points say little of it."""
NEAR = 0.5
"""Of a length: as far as one place's surprise speaks of its surroundings."""
LEAST = 0.1
"""Of the mean variation: what is allowed for where nothing was surprising."""


@dataclass(frozen=True, slots=True)
class Field:
    """What *values* (n x k) at *places* (n x d, unit cube) say of everywhere else."""

    places: Array
    center: Array
    length: float
    noise: float
    variance: float
    factor: Array
    """Lower Cholesky factor (n x n) of the kernel with the noise, for a variance of 1."""
    solved: Array
    """The inverse kernel times the centred values (n x k)."""

    def mean(self, at: Array) -> Array:
        """Return the expected values (m x k) *at* places (m x d)."""
        return np.asarray(self.center + kernel(at, self.places, self.length) @ self.solved)

    def covariance(self, at: Array) -> Array:
        """Return the covariance (m x m) of what isn't known *at* places, for a variance of 1."""
        half = self._half(at)
        return np.asarray(kernel(at, at, self.length) - half.T @ half)

    def sigma(self, at: Array) -> Array:
        """Return the standard deviation (m) of what isn't known of each value *at* places."""
        half = self._half(at)
        left = np.maximum(1.0 - np.square(half).sum(0), 0.0)
        return np.asarray(np.sqrt(self.variance * left))

    def variation(self, at: Array) -> Array:
        """Return how much the values vary around places (m), as a part of the mean over those.

        A variance would be surer of flat places than few measurements can be: its square root.
        From each measured place's surprise when it is left out, spread over its surroundings.
        """
        residual, variance = self.left_out()
        surprise = np.square(residual).sum(1) / variance
        away = _distances(at, self.places) / (NEAR * self.length)
        weights = np.exp(-0.5 * np.square(away)) + 1e-9
        local = weights @ surprise / weights.sum(1)
        return np.asarray(np.sqrt(LEAST + local / max(float(local.mean()), 1e-300)))

    def left_out(self) -> tuple[Array, Array]:
        """Return by how much each place (n x k) strays from what the others say, and the variance
        (n) expected of that, for a variance of 1 (Rasmussen & Williams, GPML, 2006, eq. 5.12).
        """
        inverse = solve_triangular(self.factor, np.eye(len(self.places)), lower=True)
        diagonal = np.square(inverse).sum(0)
        return self.solved / diagonal[:, None], 1.0 / diagonal

    def _half(self, at: Array) -> Array:
        cross = kernel(self.places, at, self.length)
        return np.asarray(solve_triangular(self.factor, cross, lower=True))


def field_of(places: Array, values: Array) -> Field:
    """Return the field that *values* (n x k) at *places* (n x d) make likeliest."""
    center = values.mean(0)
    strays = values - center
    found: list[tuple[float, Field]] = []
    distances = _distances(places, places)
    for length in LENGTHS.tolist():
        shape = matern(distances / length)
        for noise in NOISES:
            found.append(_likelihood(places, strays, center, (shape, length, noise)))
    return max(found, key=lambda entry: entry[0])[1]


def _likelihood(
    places: Array, strays: Array, center: Array, chosen: tuple[Array, float, float]
) -> tuple[float, Field]:
    """Return the log posterior of one length and noise, the variance at its likeliest."""
    shape, length, noise = chosen
    n, k = strays.shape
    factor = np.linalg.cholesky(shape + (noise + 1e-9) * np.eye(n))
    half = solve_triangular(factor, strays, lower=True)
    variance = max(float(np.square(half).sum()) / (n * k), 1e-300)
    score = -0.5 * n * k * np.log(variance) - k * np.log(np.diag(factor)).sum()
    score -= 0.5 * (np.log(length / TYPICAL) / SPREAD) ** 2
    solved = solve_triangular(factor, half, lower=True, trans="T")
    kept = np.asarray(factor, dtype=np.float64)
    return float(score), Field(places, center, length, noise, variance, kept, solved)


def kernel(first: Array, second: Array, length: float) -> Array:
    """Return the Matérn 3/2 correlations (n x m) of places (n x d) and (m x d)."""
    return matern(_distances(first, second) / length)


def matern(distances: Array) -> Array:
    """Return the Matérn 3/2 correlations at *distances* in lengths."""
    scaled = np.sqrt(3.0) * distances
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _distances(first: Array, second: Array) -> Array:
    return np.asarray(cdist(first, second))
