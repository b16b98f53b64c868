"""A series of patterns as mixtures of archetypes, each itself a mixture of some of the patterns.

Archetypal analysis (Cutler & Breiman, Technometrics 36, 338 (1994)) with projected gradients, begun
at the most extreme patterns. Where factorisation finds components that nobody measured, archetypes
are what some patterns nearly show: easier to look at, poorer as a model of what lies between.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import SeriesError
from models.series.factorization import checked_series, extremes

Array = NDArray[np.float64]

ROUNDS = 300
SETTLED = 1e-6
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Archetypes:
    """Patterns (n x f) as mixtures: ``patterns`` (k x f) are archetypes, ``shares`` (n x k) theirs.

    ``made_of`` (k x n) says of which measured patterns each archetype is; rows of both sum to 1.
    """

    patterns: Array
    shares: Array
    made_of: Array


def archetypes(patterns: Array, count: int) -> Archetypes:
    """Return *count* archetypes of *patterns* (n x f, non-negative).

    The same patterns give the same. Raises SeriesError where there are fewer than *count*.
    """
    patterns = checked_series(patterns)
    if not 1 <= count <= len(patterns):
        raise SeriesError(
            f"{count} archetypes were asked of {len(patterns)} patterns; ask for 1 to "
            f"{len(patterns)}"
        )
    inner = patterns @ patterns.T
    made_of = np.zeros((count, len(patterns)))
    made_of[np.arange(count), extremes(patterns, count)] = 1.0
    shares = np.full((len(patterns), count), 1.0 / count)
    before = np.inf
    for _ in range(ROUNDS):
        own = made_of @ inner @ made_of.T
        shares = _stepped(shares, shares @ own - inner @ made_of.T, own)
        mixed = shares.T @ shares
        slope = mixed @ made_of @ inner - shares.T @ inner
        steepest = max(float(np.linalg.norm(mixed, 2) * np.linalg.norm(inner, 2)), TINY)
        made_of = on_simplex(made_of - slope / steepest)
        left = float(np.square(patterns - shares @ (made_of @ patterns)).sum())
        if before - left <= SETTLED * max(left, TINY):
            break
        before = left
    return Archetypes(made_of @ patterns, shares, made_of)


def on_simplex(rows: Array) -> Array:
    """Return the nearest rows (n x k) that are non-negative and sum to 1.

    Held, Wolfe & Crowder, Math. Program. 6, 62 (1974).
    """
    ordered = -np.sort(-rows, axis=1)
    above = (np.cumsum(ordered, axis=1) - 1.0) / np.arange(1, rows.shape[1] + 1)
    last = (ordered > above).sum(1) - 1
    return np.asarray(np.maximum(rows - above[np.arange(len(rows)), last][:, None], 0.0))


def _stepped(shares: Array, slope: Array, own: Array) -> Array:
    return on_simplex(shares - slope / max(float(np.linalg.norm(own, 2)), TINY))
