"""A map of phases from the patterns of some places: what is where, how surely, and its pattern."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import SeriesError
from models.series.factorization import Factorization, checked_series, factorize
from models.series.field import Field, field_of
from models.series.rank import chosen_rank

Array = NDArray[np.float64]

FEWEST, MOST = 3, 12
"""So many components are tried at least and at most: few patterns show few of them apart."""
AGAIN = 1.3
"""The number of components is looked for again when there are so many times more patterns."""


@dataclass(frozen=True, slots=True)
class PhaseMap:
    """Patterns of some places as mixtures of components, and what they say of everywhere else.

    ``factorization`` is of patterns scaled to a sum of 1, ``mixtures`` the field of the components'
    shares, ``intensities`` that of the patterns themselves.
    """

    factorization: Factorization
    mixtures: Field
    intensities: Field

    def shares(self, at: Array) -> Array:
        """Return the share (m x k) of each component *at* places (m x d); rows sum to 1.

        Each is the part of a pattern's intensity: what isn't known of it is ``mixtures.sigma``.
        """
        found = np.maximum(self.mixtures.mean(at), 0.0)
        return np.asarray(found / np.maximum(found.sum(1, keepdims=True), 1e-12))

    def patterns(self, at: Array) -> Array:
        """Return the patterns (m x f) expected *at* places (m x d); each has a sum of 1."""
        return to_sum_one(np.maximum(self.intensities.mean(at), 0.0))


def phase_map(places: Array, patterns: Array, count: int, shift: int = 0) -> PhaseMap:
    """Return the map by *patterns* (n x f, non-negative) of *places* (n x d, unit cube).

    It has *count* components, each pattern's displaced by up to *shift* bins. Raises SeriesError
    for patterns that hold nothing.
    """
    scaled = to_sum_one(patterns)
    found = factorize(scaled, min(count, *patterns.shape), shift)
    return PhaseMap(found, field_of(places, found.shares), field_of(places, scaled))


def to_sum_one(patterns: Array) -> Array:
    """Return *patterns* (n x f) scaled to a sum of 1: thickness and beam don't matter."""
    patterns = checked_series(patterns)
    sums = patterns.sum(1, keepdims=True)
    if (sums <= 0).any():
        dark = ", ".join(map(str, np.flatnonzero(sums[:, 0] <= 0)[:5]))
        raise SeriesError(f"patterns {dark} (from 0) hold nothing; leave them out")
    return np.asarray(patterns / sums)


def steady_count(patterns: Array) -> int:
    """Return how many components *patterns* (n x f, in the order in which they came) have.

    Looked for at the first 6, and again when there are AGAIN times more of them: in between the
    number stays, so that maps one pattern apart can be compared, and costs nothing.
    """
    seen = patterns[: milestone(len(patterns))]
    return chosen_rank(to_sum_one(seen), MOST, fewest=min(FEWEST, len(seen))).count


def milestone(count: int, first: int = 6) -> int:
    """Return the last number of patterns up to *count* at which components were counted."""
    reached = first
    while np.ceil(reached * AGAIN) <= count:
        reached = int(np.ceil(reached * AGAIN))
    return min(reached, count)


def rows_of(patterns: Sequence[Sequence[float]]) -> Array:
    """Return *patterns* as an array (n x f); what noise left below zero is cut."""
    return np.maximum(np.asarray(patterns, dtype=np.float64), 0.0)
