"""How good predictions were, by proper scores of the normal distribution they state."""

import math

import numpy as np

from models.surrogates.posterior import Posterior
from models.surrogates.training import Array

INNER_90 = 1.6448536269514722


def nll(predicted: Posterior, outcomes: Array) -> Array:
    """Return the negative log-likelihood (n, nats) of *outcomes* (n)."""
    z = (outcomes - predicted.mean) / predicted.sigma
    return np.asarray(0.5 * z**2 + np.log(predicted.sigma) + 0.5 * math.log(2 * math.pi))


def crps(predicted: Posterior, outcomes: Array) -> Array:
    """Return the continuous ranked probability score (n, in the outcomes' unit).

    sigma (z (2 Φ(z) - 1) + 2 φ(z) - 1/√π): Gneiting & Raftery, JASA 102, 2007, eq. 21.
    """
    from scipy.special import ndtr

    z = (outcomes - predicted.mean) / predicted.sigma
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.asarray(
        predicted.sigma * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    )


def within_90(predicted: Posterior, outcomes: Array) -> Array:
    """Return whether each of *outcomes* (n) lies in the normal 90 % interval (n)."""
    return np.asarray(np.abs(outcomes - predicted.mean) <= INNER_90 * predicted.sigma)
