"""A Gaussian process on the unit cube: fitted in closed form, small and quick.

Matérn-5/2 kernel with a lengthscale per parameter, unit variance, on standardised outcomes, with
the dimension-scaled priors of Hvarfner, Hellsten & Nardi ("Vanilla Bayesian Optimization
Performs Great in High Dimensions", ICML 2024), as BoTorch's SingleTaskGP has them. Noise is the
sum of what is known of each observation and one learned variance: a stated sigma need not be
all the scatter. The marginal likelihood and its gradient are written out (Rasmussen & Williams
2006, eqs. 2.30 and 5.9), several times quicker than by automatic differentiation.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models.surrogates.training import Array, FitError, Training

LENGTH_SPREAD = math.sqrt(3.0)
NOISE_PRIOR = (-4.0, 1.0)
LENGTH_BOUNDS = (2.5e-2, 1e3)
NOISE_BOUNDS = (2e-6, 10.0)
SQRT5 = math.sqrt(5.0)


def length_prior(dimension: int) -> tuple[float, float]:
    """Return location and scale of the log-normal prior of *dimension* lengthscales."""
    return math.sqrt(2.0) + math.log(dimension) / 2, LENGTH_SPREAD


def correlation(left: Array, right: Array, lengths: Array) -> tuple[Array, Array]:
    """Return Matérn-5/2 correlations (n x m), and their slope (n x m).

    The slope is -2 times the derivative by the squared scaled distance: a lengthscale l_j changes
    the correlation by slope * (x_j - x'_j)^2 / l_j^2 per unit of log l_j.
    """
    a, b = left / lengths, right / lengths
    square = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None, :] - 2 * a @ b.T
    distance = np.sqrt(np.maximum(square, 0.0)) * SQRT5
    decay = np.exp(-distance)
    value = (1 + distance + np.square(distance) / 3) * decay
    return value, 5 / 3 * (1 + distance) * decay


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process: lengthscales (p), learned noise variance, and its training set."""

    training: Training
    lengths: Array
    noise: float

    @property
    def column_lengths(self) -> Array:
        """The lengthscale of each column (d)."""
        return np.asarray(self.lengths[self.training.groups])

    @cached_property
    def _solved(self) -> tuple[Array, Array, float]:
        """Cholesky factor (n x n), weights (n) and constant mean."""
        kernel, _ = correlation(self.training.inputs, self.training.inputs, self.column_lengths)
        try:
            factor = _factor(kernel, self.training.known + self.noise)
        except np.linalg.LinAlgError as error:
            raise FitError(f"covariance of {len(kernel)} points is singular") from error
        return factor, *_weights(factor, self.training.outcomes)

    @property
    def mean(self) -> float:
        """The constant that the process returns to far from data (standardised)."""
        return self._solved[2]

    def imagining(self, points: Array, outcomes: Array) -> "GaussianProcess":
        """Return this surrogate as if *points* (m x d) had given *outcomes* (m, standardised)."""
        training = self.training
        extended = Training(
            np.vstack([training.inputs, points]),
            np.concatenate([training.outcomes, outcomes]),
            np.concatenate([training.known, np.zeros(len(points))]),
            training.groups,
        )
        return replace(self, training=extended)

    def posterior(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m) and standard deviation (m) of the process at *points* (m x d)."""
        from scipy.linalg import solve_triangular

        factor, weights, mean = self._solved
        cross, _ = correlation(points, self.training.inputs, self.column_lengths)
        spread = solve_triangular(factor, cross.T, lower=True)
        variance = np.maximum(1.0 - np.square(spread).sum(0), 1e-12)
        return mean + cross @ weights, np.sqrt(variance)


def _factor(kernel: Array, noise: Array) -> Array:
    """Return the Cholesky factor (n x n) of *kernel* (n x n) plus *noise* (n)."""
    return np.asarray(np.linalg.cholesky(kernel + np.diag(noise)), dtype=np.float64)


def _weights(factor: Array, outcomes: Array) -> tuple[Array, float]:
    """Return K^-1 (y - m) (n) and the generalised least-squares constant m."""
    from scipy.linalg import cho_solve

    ones, solved = cho_solve((factor, True), np.column_stack([np.ones_like(outcomes), outcomes])).T
    mean = float(solved.sum() / ones.sum())
    return solved - mean * ones, mean


def loss(log_parameters: Array, training: Training) -> tuple[float, Array]:
    """Return the negative log posterior of the hyperparameters and its gradient (p + 1).

    *log_parameters* are the logs of the lengthscales and of the learned noise. Infinite where
    the covariance can't be factorised.
    """
    from scipy.linalg import cho_solve

    inputs = training.inputs
    lengths, noise = np.exp(log_parameters[training.groups]), math.exp(log_parameters[-1])
    kernel, slope = correlation(inputs, inputs, lengths)
    try:
        factor = _factor(kernel, training.known + noise)
    except np.linalg.LinAlgError:
        return math.inf, np.zeros_like(log_parameters)
    weights, mean = _weights(factor, training.outcomes)
    # log p(y) = -1/2 r' K^-1 r - 1/2 log|K| - n/2 log 2 pi; d = 1/2 tr((w w' - K^-1) dK)
    evidence = -0.5 * (training.outcomes - mean) @ weights - np.log(np.diag(factor)).sum()
    evidence -= 0.5 * len(inputs) * math.log(2 * math.pi)
    inner = np.outer(weights, weights) - cho_solve((factor, True), np.eye(len(inputs)))
    moved = inner * slope
    square = np.square(inputs)
    by_column = (moved.sum(0) @ square - np.einsum("nd,nd->d", inputs, moved @ inputs)) / lengths**2
    by_length = np.bincount(training.groups, by_column, training.scales)
    by_noise = 0.5 * np.trace(inner) * noise
    prior, by_prior = _log_prior(log_parameters)
    return -(evidence + prior), -(np.append(by_length, by_noise) + by_prior)


def _log_prior(log_parameters: Array) -> tuple[float, Array]:
    """Return the log density of the priors and its gradient (p + 1) by the logs."""
    location, scale = length_prior(len(log_parameters) - 1)
    centre = np.append(np.full(len(log_parameters) - 1, location), NOISE_PRIOR[0])
    width = np.append(np.full(len(log_parameters) - 1, scale), NOISE_PRIOR[1])
    away = (log_parameters - centre) / width
    density = -0.5 * np.square(away) - log_parameters - np.log(width * math.sqrt(2 * math.pi))
    return float(density.sum()), -away / width - 1.0


def fit(training: Training) -> GaussianProcess:
    """Return the surrogate at the best hyperparameters found; the same for the same *training*.

    Bounded quasi-Newton searches from the prior's mode and from short lengthscales. FitError if
    none succeeds.
    """
    from scipy.optimize import minimize

    dimension = training.scales
    location, scale = length_prior(dimension)
    starts = [(location - scale**2, -5.0), (math.log(0.3 * math.sqrt(dimension)), -2.0)]
    lower, upper = np.log(LENGTH_BOUNDS), np.log(NOISE_BOUNDS)
    bounds = [tuple(lower)] * dimension + [tuple(upper)]
    best, least = None, math.inf
    for length, noise in starts:
        start = np.clip(np.append(np.full(dimension, length), noise), *np.array(bounds).T)
        found = minimize(
            loss, start, (training,), "L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": 200}
        )
        if math.isfinite(found.fun) and found.fun < least:
            best, least = found.x, float(found.fun)
    if best is None:
        raise FitError(f"no hyperparameters found from {len(starts)} starts")
    return GaussianProcess(training, np.exp(best[:-1]), math.exp(best[-1]))
