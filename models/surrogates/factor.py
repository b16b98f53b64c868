"""Cholesky factors of covariances: made at once, or grown by a row per observation."""

import numpy as np

from models.surrogates.training import Array, FitError

SMALLEST = 1e-10
"""The least variance that a new row may add: what is fully known already adds next to nothing."""


def factorised(kernel: Array, noise: Array) -> Array:
    """Return the Cholesky factor (n x n) of *kernel* (n x n) plus *noise* (n) on its diagonal.

    Raises numpy's LinAlgError where there is none.
    """
    covariance = kernel.copy()
    covariance.flat[:: len(kernel) + 1] += noise
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def solved(factor: Array, right: Array) -> Array:
    """Return L^-1 *right* (n or n x m) for the lower *factor* L."""
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(factor, right, lower=True, check_finite=False))


def solved_back(factor: Array, right: Array) -> Array:
    """Return L^-T *right* (n or n x m) for the lower *factor* L."""
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(factor, right, lower=True, trans="T", check_finite=False))


def grown(factor: Array, cross: Array, corner: Array) -> Array:
    """Return the factor ((n + m) x (n + m)) of [[A, cross], [cross', corner]], L L' = A.

    *cross* is n x m, *corner* m x m; what the corner adds to the rest is at least SMALLEST.
    FitError where it can't be factorised.
    """
    rows = solved(factor, cross)
    rest = corner - rows.T @ rows
    count = len(corner)
    lower = np.sqrt(np.maximum(rest, SMALLEST)) if count == 1 else _lower(rest)
    whole = np.zeros((len(factor) + count, len(factor) + count))
    whole[: len(factor), : len(factor)] = factor
    whole[len(factor) :, : len(factor)] = rows.T
    whole[len(factor) :, len(factor) :] = lower
    return whole


def _lower(covariance: Array) -> Array:
    """Return a Cholesky factor of *covariance* (m x m), with as little jitter as it needs."""
    jitter = SMALLEST
    while jitter < 1e-2:
        try:
            return np.asarray(np.linalg.cholesky(covariance + jitter * np.eye(len(covariance))))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise FitError(f"covariance of {len(covariance)} more points is singular")
