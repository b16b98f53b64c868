"""Marginal likelihoods of processes with any kernel, and the search for the best; without torch."""

import math
from collections.abc import Callable

import numpy as np

from models.surrogates.training import Array, FitError


def evidence(covariance: Array, outcomes: Array, basis: Array) -> tuple[float, Array]:
    """Return the log marginal likelihood of *outcomes* (n), and 2 d/dK of it (n x n).

    log p = -1/2 r' K^-1 r - 1/2 log|K| - n/2 log 2 pi with r what is left of the outcomes after
    generalised least squares on *basis* (n x t); its derivative by a parameter is
    1/2 tr((w w' - K^-1) dK), w = K^-1 r (Rasmussen & Williams 2006, eqs. 2.30 and 5.9).
    Minus infinity where *covariance* can't be factorised.
    """
    from scipy.linalg import cho_solve

    try:
        factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    except np.linalg.LinAlgError:
        return -math.inf, np.zeros_like(covariance)
    means = means_of(factor, outcomes, basis)
    rest = outcomes - basis @ means
    weights = cho_solve((factor, True), rest)
    value = -0.5 * rest @ weights - np.log(np.diag(factor)).sum()
    value -= 0.5 * len(outcomes) * math.log(2 * math.pi)
    inverse = cho_solve((factor, True), np.eye(len(outcomes)))
    return float(value), np.outer(weights, weights) - inverse


def means_of(factor: Array, outcomes: Array, basis: Array) -> Array:
    """Return the generalised least-squares coefficients (t) of *outcomes* (n) on *basis* (n x t).

    A coefficient that only its prior knows is zero: with a variance of 1e6 for each.
    """
    from scipy.linalg import cho_solve, solve

    solved = cho_solve((factor, True), basis)
    normal = basis.T @ solved + 1e-6 * np.eye(basis.shape[1])
    return np.asarray(solve(normal, solved.T @ outcomes, assume_a="pos"))


def best(loss: Callable[[Array], tuple[float, Array]], starts: list[Array], bounds: Array) -> Array:
    """Return the parameters of least *loss* found from *starts* within *bounds* (p x 2).

    FitError where no search succeeds.
    """
    from scipy.optimize import minimize

    limits = [(float(low), float(high)) for low, high in bounds]
    found, least = None, math.inf
    for start in starts:
        result = minimize(
            loss, start, (), "L-BFGS-B", jac=True, bounds=limits, options={"maxiter": 150}
        )
        if math.isfinite(result.fun) and result.fun < least:
            found, least = result.x, float(result.fun)
    if found is None:
        raise FitError(f"no hyperparameters found from {len(starts)} starts")
    return np.asarray(found)
