"""A scattered field completed by a Gaussian process: the baseline, and the second opinion.

Kernel (squared exponential or Matérn 1/2, 3/2, 5/2), length and noise are those of the greatest
marginal likelihood; large fields are predicted window by window.
Source: Rasmussen & Williams, "Gaussian Processes for Machine Learning" (2006), eqs 2.23 to 2.30.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from models.images.frames import FloatArray

KERNELS = ("gaussian", "exponential", "matern32", "matern52")

LENGTHS = tuple(float(x) for x in np.geomspace(1.0, 60.0, 12))
"""Pixels."""

NOISES = (1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)
"""Noise variances, in variances of the field."""

WINDOW, AROUND = 48, 16
"""Pixels predicted at once, and around them whose values are used."""

NEIGHBOURS = 300
"""Values by which each of two likelihoods is judged: those nearest to two places."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A covariance of *variance* times a correlation of *length* pixels, and white *noise*."""

    name: str
    length: float
    noise: float
    variance: float
    mean: float

    def __call__(self, one: FloatArray, other: FloatArray) -> FloatArray:
        """Return the covariance of places *one* (n x 2) and *other* (m x 2)."""
        return self.variance * correlation(self.name, cdist(one, other) / self.length)


def correlation(name: str, r: FloatArray) -> FloatArray:
    """Return the correlation at scaled distances *r*."""
    if name == "gaussian":
        return np.asarray(np.exp(-0.5 * r**2))
    if name == "exponential":
        return np.asarray(np.exp(-r))
    if name == "matern32":
        return np.asarray((1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r))
    return np.asarray((1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r))


def likeliest_kernel(
    places: FloatArray, values: FloatArray, kernels: tuple[str, ...] = KERNELS
) -> Kernel:
    """Return the kernel under which *values* (n) at *places* (n x 2, pixels) are likeliest."""
    mean = float(values.mean())
    groups = [(places[near], values[near] - mean) for near in _groups(places)]
    best, kernel = -np.inf, Kernel("exponential", 1.0, 1.0, 1e-12, mean)
    for name in kernels:
        for length in LENGTHS:
            spectra = []
            for where, value in groups:
                size, turn = np.linalg.eigh(correlation(name, cdist(where, where) / length))
                spectra.append((np.maximum(size, 0), (turn.T @ value) ** 2))
            for noise in NOISES:
                likelihood, variance = _likelihood(spectra, noise)
                if likelihood > best:
                    best = likelihood
                    kernel = Kernel(name, length, noise * variance, variance, mean)
    return kernel


def krige(
    kernel: Kernel, places: FloatArray, values: FloatArray, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Return the mean and standard deviation (h x w) of the field, its noise not counted."""
    mean = np.full(shape, kernel.mean)
    sigma = np.full(shape, np.sqrt(kernel.variance))
    for top in range(0, shape[0], WINDOW):
        for left in range(0, shape[1], WINDOW):
            rows = np.arange(top, min(top + WINDOW, shape[0]))
            columns = np.arange(left, min(left + WINDOW, shape[1]))
            low = np.array([top - AROUND, left - AROUND])
            near = ((places >= low) & (places < low + WINDOW + 2 * AROUND)).all(axis=1)
            if not near.any():
                continue
            wanted = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
            told = _predicted(kernel, places[near], values[near], wanted.astype(np.float64))
            block = np.ix_(rows, columns)
            mean[block], sigma[block] = (each.reshape(rows.size, columns.size) for each in told)
    return mean, sigma


def _predicted(
    kernel: Kernel, places: FloatArray, values: FloatArray, wanted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    least = max(kernel.noise, 1e-6 * kernel.variance)
    covariance = kernel(places, places) + least * np.eye(values.size)
    factor = cho_factor(covariance, lower=True)
    across = kernel(wanted, places)
    mean = kernel.mean + across @ cho_solve(factor, values - kernel.mean)
    explained = np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
    return mean, np.sqrt(np.maximum(kernel.variance - explained, 0))


def _groups(places: FloatArray) -> list[NDArray[np.int64]]:
    """Return indices of the values nearest to two places; of all where there are few."""
    if len(places) <= NEIGHBOURS:
        return [np.arange(len(places))]
    low, high = places.min(axis=0), places.max(axis=0)
    centres = [low + (high - low) * part for part in (0.3, 0.7)]
    return [
        np.argsort(((places - centre) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]
        for centre in centres
    ]


def _likelihood(spectra: list[tuple[FloatArray, FloatArray]], noise: float) -> tuple[float, float]:
    """Return the log likelihood, and the variance that maximises it, for a relative *noise*."""
    count = sum(size.size for size, _ in spectra)
    square = sum(float((power / (size + noise)).sum()) for size, power in spectra)
    variance = max(square / count, 1e-300)
    volume = sum(float(np.log(size + noise).sum()) for size, _ in spectra)
    return -0.5 * (count * np.log(variance) + volume), variance
