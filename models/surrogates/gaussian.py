"""A Gaussian process on the unit cube: fitted in closed form, grown row by row, quick.

Matérn-5/2 kernel with a lengthscale per parameter and unit variance, on standardised outcomes.
Noise is the sum of what is known of each observation and one learned variance: a stated sigma
need not be all the scatter. Fitting is in ``models.surrogates.evidence``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.surrogates.evidence import length_prior, loss, weights_of
from models.surrogates.factor import factorised, grown, solved, solved_back
from models.surrogates.kernel import correlation
from models.surrogates.posterior import Posterior
from models.surrogates.training import Array, FitError, Training

if TYPE_CHECKING:
    from botorch.models.model import Model

LENGTH_BOUNDS = (2.5e-2, 1e3)
NOISE_BOUNDS = (1e-7, 10.0)
LEAST_VARIANCE = 1e-12
FEW = 100
"""Up to so many observations all of them enter each step of a fit."""
MANY = 500
POLISHING = 5
"""So many steps with up to MANY observations follow a fit to FEW of them, or begin near another."""
CHUNK = 2048
"""Points predicted at once: bounds the memory, not the result."""


@dataclass(frozen=True)
class Slopes:
    """What a process expects at m points, with the gradients (by d coordinates).

    ``mean`` (m x s, for s sets of outcomes) with ``by_mean`` (m x s x d); ``sigma`` (m), the
    standard deviation of the mean outcome, with ``by_sigma`` (m x d).
    """

    mean: Array
    sigma: Array
    by_mean: Array
    by_sigma: Array


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process: lengthscales (p), learned noise variance, and its training set."""

    training: Training
    lengths: Array
    noise: float

    @property
    def name(self) -> str:
        """What it is, as suggestions name it."""
        return "gp-matern52"

    @cached_property
    def column_lengths(self) -> Array:
        """The lengthscale of each column (d)."""
        return np.asarray(self.lengths[self.training.groups])

    @cached_property
    def factor(self) -> Array:
        """The Cholesky factor (n x n) of the covariance of the observations."""
        kernel, _ = correlation(self.training.inputs, self.training.inputs, self.column_lengths)
        try:
            return factorised(kernel, self.training.known + self.noise)
        except np.linalg.LinAlgError as error:
            raise FitError(f"covariance of {len(kernel)} points is singular") from error

    @cached_property
    def _weighted(self) -> tuple[Array, float]:
        return weights_of(self.factor, self.training.outcomes)

    @property
    def told(self) -> Array:
        """Whose constant each outcome has (1), and the outcomes (n x 2)."""
        return np.column_stack([np.ones_like(self.training.outcomes), self.training.outcomes])

    @cached_property
    def _forward(self) -> Array:
        """L^-1 of what was told (n x 2); a process that grows by a row takes it along."""
        return solved(self.factor, self.told)

    def ahead_of(self, longer: "GaussianProcess") -> tuple[float, float]:
        """Return what it expects of the experiment that *longer* has more: mean and sigma.

        Of the last row l' of the longer factor, l = L^-1 k, and the last diagonal element is the
        standard deviation, noise included: nothing of order n^2 is computed again.
        """
        row, (ones, outcomes) = longer.factor[-1], self._forward.T
        mean = float(ones @ outcomes / (ones @ ones))
        return mean + float(row[:-1] @ (outcomes - mean * ones)), float(row[-1])

    @property
    def inputs(self) -> Array:
        """What the process was conditioned on (n x d): here the training set's."""
        return self.training.inputs

    @property
    def residuals(self) -> Array:
        """The outcomes there, without their mean (n)."""
        return self.training.outcomes - self.mean

    def between(self, points: Array) -> tuple[Array, Array]:
        """Return the covariance of *points* (m x d) with the outcomes (m x n), and its slope."""
        return correlation(points, self.inputs, self.column_lengths)

    def cross(self, points: Array) -> Array:
        """Return the covariance of the outcomes with *points* (n x m)."""
        return correlation(self.inputs, points, self.column_lengths)[0]

    def means(self, points: Array) -> Array:
        """Return the mean (m) at *points* (m x d) alone, which is quicker."""
        return np.asarray(self.mean + self.weights @ self.cross(points))

    @property
    def weights(self) -> Array:
        """K^-1 (y - mean) (n)."""
        return self._weighted[0]

    @property
    def mean(self) -> float:
        """The constant that the process returns to far from data (standardised)."""
        return self._weighted[1]

    @property
    def likeness(self) -> Mapping[str, float]:
        """How earlier campaigns that it rests on correlate with this one, by name; here none."""
        return {}

    @property
    def scatter(self) -> float:
        """The standard deviation of one experiment: learned and, in the median, known noise."""
        return math.sqrt(self.noise + float(np.median(self.training.known)))

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        mean, sigma = self.moments(points)
        return Posterior(mean, sigma, np.full(len(points), self.scatter))

    def moments(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m) and standard deviation (m) of the process at *points* (m x d)."""
        means, sigmas = self.moments_of(points, self.weights[:, None])
        return means[:, 0], sigmas

    def moments_of(self, points: Array, weights: Array) -> tuple[Array, Array]:
        """Return means (m x s) for s sets of *weights* (n x s), and standard deviations (m)."""
        means, sigmas = [np.empty((0, weights.shape[1]))], [np.empty(0)]
        for start in range(0, len(points), CHUNK):
            block = points[start : start + CHUNK]
            cross = self.cross(block)
            means.append(self.mean + cross.T @ weights)
            sigmas.append(_sigma(np.square(solved(self.factor, cross)).sum(0)))
        return np.concatenate(means), np.concatenate(sigmas)

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m) and covariance (m x m) of the process at *points* (m x d)."""
        cross = self.cross(points)
        own, _ = correlation(points, points, self.column_lengths)
        spread = solved(self.factor, cross)
        return self.mean + self.weights @ cross, own - spread.T @ spread

    def slopes(self, points: Array, weights: Array | None = None) -> Slopes:
        """Return mean and standard deviation at *points* (m x d), with their gradients.

        *weights* (n x s) stand for s other sets of outcomes at the same inputs.
        """
        inputs, lengths = self.inputs, self.column_lengths
        many = self.weights[:, None] if weights is None else weights
        cross, slope = self.between(points)
        half = solved(self.factor, cross.T)
        back = solved_back(self.factor, half).T
        sigma = _sigma(np.square(half).sum(0))
        # dk_i/dx_j = -slope_i (x_j - X_ij) / l_j^2
        tilt = slope[:, :, None] * inputs[None, :, :]
        by_mean = np.swapaxes(np.swapaxes(tilt, 1, 2) @ many, 1, 2)
        by_mean = (by_mean - (slope @ many)[:, :, None] * points[:, None, :]) / lengths**2
        pull = back * slope
        by_variance = 2 * (pull.sum(1)[:, None] * points - pull @ inputs) / lengths**2
        return Slopes(self.mean + cross @ many, sigma, by_mean, by_variance / (2 * sigma[:, None]))

    def grown(self, points: Array, outcomes: Array, known: Array) -> "GaussianProcess":
        """Return this process with more observations, its hyperparameters kept.

        *points* (m x d), standardised *outcomes* (m) and their *known* noise variances (m).
        """
        longer = self._longer(points, outcomes, known, self.noise)
        if len(points) == 1:
            row = longer.factor[-1]
            last = (longer.told[-1] - row[:-1] @ self._forward) / row[-1]
            longer.__dict__["_forward"] = np.vstack([self._forward, last])
        return longer

    def imagining(self, points: Array, outcomes: Array) -> "GaussianProcess":
        """Return this process as if experiments at *points* (m x d) had given *outcomes* (m)."""
        return self._longer(points, outcomes, np.zeros(len(points)), self.noise)

    def supposing(self, points: Array, outcomes: Array) -> "GaussianProcess":
        """Return this process as if it truly were *outcomes* (m) at *points* (m x d), exactly."""
        return self._longer(points, outcomes, np.zeros(len(points)), 0.0)

    def _longer(
        self, points: Array, outcomes: Array, known: Array, noise: float
    ) -> "GaussianProcess":
        training = self.training
        longer = Training(
            np.vstack([training.inputs, points]),
            np.concatenate([training.outcomes, outcomes]),
            np.concatenate([training.known, known]),
            training.groups,
        )
        cross = self.cross(points)
        corner, _ = correlation(points, points, self.column_lengths)
        corner.flat[:: len(points) + 1] += known + noise
        process = replace(self, training=longer)
        process.__dict__["factor"] = grown(self.factor, cross, corner)
        return process

    def botorch(self) -> "Model":
        """Return the same process for BoTorch."""
        from models.surrogates.gaussian_torch import model_of

        return model_of(self.training, self.column_lengths, self.noise, self.mean)


def _sigma(explained: Array) -> Array:
    """Return the standard deviations that are left of the unit variance."""
    return np.sqrt(np.maximum(1.0 - explained, LEAST_VARIANCE))


def fit(training: Training, near: GaussianProcess | None = None) -> GaussianProcess:
    """Return the process at the best hyperparameters found; the same for the same arguments.

    Bounded quasi-Newton searches from the prior's mode and from short lengthscales; with a process
    that is *near*, one to a few observations less, a few steps from where it is. Of many
    observations a part, evenly spaced in order, is searched with first. FitError if none succeeds.
    """
    if near is not None:
        start = np.append(np.log(near.lengths), math.log(near.noise))
        return _at(training, _searched(_part(training, MANY), [start], POLISHING))
    dimension = training.scales
    location, scale = length_prior(dimension)
    starts = [(location - scale**2, -5.0), (math.log(0.3 * math.sqrt(dimension)), -2.0)]
    places = [np.append(np.full(dimension, length), noise) for length, noise in starts]
    found = _searched(_part(training, FEW), places, 200)
    if found is not None and len(training.outcomes) > FEW:
        found = _searched(_part(training, MANY), [found], POLISHING)
    return _at(training, found)


def _at(training: Training, found: Array | None) -> GaussianProcess:
    """Return the process at the logs of hyperparameters *found*; FitError for None."""
    if found is None:
        raise FitError("no hyperparameters found from any start")
    return GaussianProcess(training, np.exp(found[:-1]), math.exp(found[-1]))


def _part(training: Training, count: int) -> Training:
    """Return *count* of the observations, evenly spaced in order; all if there are no more."""
    size = len(training.outcomes)
    if size <= count:
        return training
    rows = np.linspace(0, size - 1, count).round().astype(np.int64)
    return Training(
        training.inputs[rows], training.outcomes[rows], training.known[rows], training.groups
    )


def _searched(training: Training, starts: list[Array], steps: int) -> Array | None:
    """Return the logs of the best hyperparameters (p + 1) found from *starts*; None if none is."""
    from scipy.optimize import minimize

    lower, upper = np.log(LENGTH_BOUNDS), np.log(NOISE_BOUNDS)
    bounds = [tuple(lower)] * training.scales + [tuple(upper)]
    best, least = None, math.inf
    for start in starts:
        inside = np.clip(start, *np.array(bounds).T)
        found = minimize(
            loss,
            inside,
            (training,),
            "L-BFGS-B",
            jac=True,
            bounds=bounds,
            options={"maxiter": steps, "maxfun": 2 * steps},
        )
        if math.isfinite(found.fun) and found.fun < least:
            best, least = np.asarray(found.x, dtype=np.float64), float(found.fun)
    return best
