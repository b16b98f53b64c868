"""How well hyperparameters of a Gaussian process explain what was measured, in closed form.

The dimension-scaled priors of the lengthscales are those of Hvarfner, Hellsten & Nardi ("Vanilla
Bayesian Optimization Performs Great in High Dimensions", ICML 2024), as BoTorch's SingleTaskGP
has them. The marginal likelihood and its gradient are written out (Rasmussen & Williams 2006,
eqs. 2.30 and 5.9), several times quicker than by automatic differentiation.
"""

import math

import numpy as np

from models.surrogates.factor import factorised
from models.surrogates.kernel import correlation
from models.surrogates.training import Array, Training

LENGTH_SPREAD = math.sqrt(3.0)
NOISE_PRIOR = (1.1, 30.0)
"""Shape and rate of the gamma prior of the noise variance: small, and as small as it may be.

A log-normal one, as for the lengthscales, holds back where there is no noise: the search for the
last digits of an optimum then takes several times as many experiments.
"""


def length_prior(dimension: int) -> tuple[float, float]:
    """Return location and scale of the log-normal prior of *dimension* lengthscales."""
    return math.sqrt(2.0) + math.log(dimension) / 2, LENGTH_SPREAD


def weights_of(factor: Array, outcomes: Array) -> tuple[Array, float]:
    """Return K^-1 (y - m) (n) and the generalised least-squares constant m."""
    from scipy.linalg import cho_solve

    pair = np.column_stack([np.ones_like(outcomes), outcomes])
    ones, solved = cho_solve((factor, True), pair, check_finite=False).T
    mean = float(solved.sum() / ones.sum())
    return solved - mean * ones, mean


def loss(log_parameters: Array, training: Training) -> tuple[float, Array]:
    """Return the negative log posterior of the hyperparameters and its gradient (p + 1).

    *log_parameters* are the logs of the lengthscales and of the learned noise. Infinite where
    the covariance can't be factorised.
    """
    from scipy.linalg.lapack import dpotri

    inputs = training.inputs
    lengths, noise = np.exp(log_parameters[training.groups]), math.exp(log_parameters[-1])
    kernel, slope = correlation(inputs, inputs, lengths)
    try:
        factor = factorised(kernel, training.known + noise)
    except np.linalg.LinAlgError:
        return math.inf, np.zeros_like(log_parameters)
    weights, mean = weights_of(factor, training.outcomes)
    # log p(y) = -1/2 r' K^-1 r - 1/2 log|K| - n/2 log 2 pi; d = 1/2 tr((w w' - K^-1) dK)
    evidence = -0.5 * (training.outcomes - mean) @ weights - np.log(np.diag(factor)).sum()
    evidence -= 0.5 * len(inputs) * math.log(2 * math.pi)
    inverse, _ = dpotri(factor.T, lower=0)  # the upper triangle of K^-1; below it, zeros
    by_noise = 0.5 * (weights @ weights - np.trace(inverse)) * noise
    inverse = inverse + inverse.T
    inverse.flat[:: len(inputs) + 1] /= 2
    moved = (np.outer(weights, weights) - inverse) * slope
    square = np.square(inputs)
    by_column = (moved.sum(0) @ square - np.einsum("nd,nd->d", inputs, moved @ inputs)) / lengths**2
    by_length = np.bincount(training.groups, by_column, training.scales)
    prior, by_prior = _log_prior(log_parameters)
    return -(evidence + prior), -(np.append(by_length, by_noise) + by_prior)


def _log_prior(log_parameters: Array) -> tuple[float, Array]:
    """Return the log density of the priors and its gradient (p + 1) by the logs."""
    lengths, noise = log_parameters[:-1], math.exp(log_parameters[-1])
    location, scale = length_prior(len(lengths))
    away = (lengths - location) / scale
    density = -0.5 * np.square(away) - lengths - math.log(scale * math.sqrt(2 * math.pi))
    shape, rate = NOISE_PRIOR
    of_noise = (shape - 1) * log_parameters[-1] - rate * noise
    of_noise += shape * math.log(rate) - math.lgamma(shape)
    slope = np.append(-away / scale - 1.0, shape - 1 - rate * noise)
    return float(density.sum() + of_noise), slope
