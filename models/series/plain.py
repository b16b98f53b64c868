"""Non-negative factorisation of patterns that don't shift: the same steps, on small matrices.

Hierarchical alternating least squares in the form that needs the patterns once a round (Cichocki &
Phan, IEICE Trans. E92-A, 2009, algorithm 2).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SETTLED = 1e-4
"""Ends when a round lowers the residual by less than this part of it."""
UNMOVED = 1e-3
"""Weights that change by less than this part of the greatest are settled."""
TINY = 1e-12


def weighed(patterns: Array, components: Array, rounds: int, start: Array | None = None) -> Array:
    """Return the non-negative weights (n x k) of *components* (k x f) in *patterns* (n x f)."""
    overlaps, own = patterns @ components.T, components @ components.T
    weights = np.zeros(overlaps.shape) if start is None else start.copy()
    for _ in range(rounds):
        before = weights.copy()
        _round(weights, overlaps, own)
        if np.abs(weights - before).max() <= UNMOVED * max(float(weights.max()), TINY):
            break
    return weights


def alternated(
    patterns: Array, components: Array, weights: Array, rounds: int
) -> tuple[Array, Array]:
    """Return components (k x f) and weights (n x k) that fit *patterns* (n x f), from the given."""
    components, weights = components.copy(), weights.copy()
    total, before = float(np.square(patterns).sum()), np.inf
    for _ in range(rounds):
        _round(weights, patterns @ components.T, components @ components.T)
        overlaps, own = weights.T @ patterns, weights.T @ weights
        columns = components.T
        _round(columns, overlaps.T, own)
        components = columns.T
        left = total - 2.0 * float((overlaps * components).sum())
        left += float((own * (components @ components.T)).sum())
        if before - left <= SETTLED * max(left, TINY):
            break
        before = left
    return components, weights


def _round(weights: Array, overlaps: Array, own: Array) -> None:
    """Bring each column of *weights* (n x k) to its best, in place."""
    for k, length in enumerate(np.diag(own).tolist()):
        if length > TINY:
            step = (overlaps[:, k] - weights @ own[:, k]) / length
            weights[:, k] = np.maximum(weights[:, k] + step, 0.0)
