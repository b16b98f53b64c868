"""How many components a series of patterns has: as many as foretell what they weren't shown.

Bi-cross-validation (Owen & Perry, Ann. Appl. Stat. 3, 2009): components are learned from some of
the patterns; a pattern left out is weighed by some of its bins and foretold at the others. Bins are
left out in blocks wider than a line: neighbours of one bin would tell it. Of all that are as good
as the best within one standard error (Breiman et al., CART, 1984), or within a twentieth of its
error, the fewest: texture, which changes lines' heights from spot to spot, isn't a phase.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.series.factorization import Bins, checked_series, factorize, fitted

Array = NDArray[np.float64]

FOLDS = 4
ALIKE = 1.05
"""Errors within this factor of the least are as good; chosen on libraries that were made up."""
BLOCK = 12
"""Bins left out together."""
QUICK = 40
"""Rounds of a factorisation that only compares."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The number of components chosen, and the held-out ``errors`` of each number tried.

    An error is the root mean square of what isn't foretold, as a part of the patterns' own.
    """

    count: int
    errors: dict[int, float]


def chosen_rank(
    patterns: Array, most: int = 12, shift: int = 0, fewest: int = 1, patience: int = 3
) -> Rank:
    """Return how many components (*fewest* to *most*) *patterns* (n x f) have.

    Ends early when *patience* more components in a row haven't made it better.
    """
    patterns = checked_series(patterns)
    n = len(patterns)
    if n < 2 or patterns.shape[1] < 2:
        return Rank(1, {})
    folds = np.arange(n) % min(FOLDS, n)
    fewest = min(fewest, n - int(np.bincount(folds).max()), patterns.shape[1])
    most = max(fewest, min(most, n - int(np.bincount(folds).max()), patterns.shape[1]))
    losses: dict[int, Array] = {}
    for count in range(fewest, most + 1):
        losses[count] = _losses(patterns, count, shift, folds)
        best = min(losses, key=lambda k: float(losses[k].mean()))
        if count - best >= patience:
            break
    means = {count: float(loss.mean()) for count, loss in losses.items()}
    best = min(means, key=lambda count: means[count])
    enough = [
        count
        for count, loss in losses.items()
        if count <= best and (means[count] <= ALIKE**2 * means[best] or _level(loss, losses[best]))
    ]
    scale = float(np.square(patterns).mean())
    errors = {count: float(np.sqrt(mean / max(scale, 1e-300))) for count, mean in means.items()}
    return Rank(min(enough, default=best), errors)


def _level(loss: Array, best: Array) -> bool:
    """Whether *loss* (n) is above the *best* by no more than its standard error.

    That of the differences, pattern by pattern: how hard each pattern is cancels.
    """
    strayed = loss - best
    return bool(strayed.mean() <= strayed.std() / np.sqrt(len(strayed)))


def _losses(patterns: Array, count: int, shift: int, folds: NDArray[np.int64]) -> Array:
    """Return the mean square (n) of what *count* components don't foretell of each pattern."""
    width = patterns.shape[1]
    bins = (np.arange(width) // max(min(BLOCK, width // 4), 1)) % 2 == 0
    losses = np.zeros(len(patterns))
    for fold in range(int(folds.max()) + 1):
        left_out = folds == fold
        components = factorize(patterns[~left_out], count, shift, QUICK).components
        for shown in (bins, ~bins):
            losses[left_out] += _foretold(patterns[left_out], components, shift, shown)
    return losses


def _foretold(patterns: Array, components: Array, shift: int, shown: Bins) -> Array:
    """Return the mean square (m) over bins not *shown* (f) that the weights by the others leave."""
    rest = patterns - fitted(patterns, components, shift, shown).modelled()
    return np.asarray(np.square(rest[:, ~shown]).sum(1) / patterns.shape[1])
