"""How far spectra of one species stray from its reference, from the repeats of references."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.spectra.spectrum import FloatArray

SCATTER_WITHOUT_REPEATS = 0.03
"""How much of any other label a species measured once is taken to hold: the low end of what
repeats of one compound differ by (0.026 to 0.056 in copper oxides)."""

LEAST_SCATTER = 0.006
"""Spectra of one compound from two scans agree no better (root mean square, edge steps)."""

Owner = NDArray[np.int64]


def strays(scans: FloatArray, owner: Owner, means: FloatArray) -> tuple[FloatArray, ...]:
    """Return for each label its deviations, one standard deviation in all (each d x f).

    Of r repeats, the difference of a new one from their mean has the covariance of the repeats
    times 1 + 1/r. A label measured once strays towards the others.
    """
    return tuple(_strays(scans[owner == k], means, k) for k in range(means.shape[0]))


def _strays(repeats: FloatArray, means: FloatArray, label: int) -> FloatArray:
    count = repeats.shape[0]
    if count == 1:
        others = np.delete(means, label, axis=0)
        return np.asarray(SCATTER_WITHOUT_REPEATS * (others - means[label]))
    return np.asarray((repeats - means[label]) * np.sqrt((1 + 1 / count) / (count - 1)))


def left_over(scans: FloatArray, owner: Owner, means: FloatArray) -> FloatArray:
    """Return what a repeat of each label leaves over when the others describe it (k; rms).

    The largest of its repeats; *scans* are aligned within each label. Labels measured once get
    the median of the other labels, at most twice ``LEAST_SCATTER``.
    """
    found = np.full(means.shape[0], np.nan)
    for label in range(means.shape[0]):
        repeats = scans[owner == label]
        if repeats.shape[0] > 1:
            others = np.delete(means, label, axis=0)
            found[label] = max(_misfit(repeats, i, others) for i in range(len(repeats)))
    known = found[np.isfinite(found)]
    usual = min(float(np.median(known)), 2 * LEAST_SCATTER) if known.size else LEAST_SCATTER
    return np.where(np.isfinite(found), found, usual)


def _misfit(repeats: FloatArray, index: int, others: FloatArray) -> float:
    columns = np.vstack([np.delete(repeats, index, axis=0), others]).T
    weights, _ = nnls(columns, repeats[index])
    return float(np.sqrt(np.mean((repeats[index] - columns @ weights) ** 2)))
