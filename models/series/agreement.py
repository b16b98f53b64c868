"""How well two maps of phases agree, whatever each calls its phases."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def overlap(found: Array, published: Array) -> float:
    """Return the part of all material that both maps put into the same phase, from 0 to 1.

    *found* (n x k) and *published* (n x p) are fractions whose rows sum to 1; each phase of one
    stands for at most one of the other, whichever makes the most of it (Kuhn, 1955).
    """
    shared = np.minimum(found[:, :, None], published[:, None, :]).mean(0)
    rows, columns = linear_sum_assignment(-shared)
    return float(shared[rows, columns].sum())


def adjusted_rand(first: Labels, second: Labels) -> float:
    """Return how far two partitions of the same n agree: 1 wholly, 0 as by chance.

    Hubert & Arabie, J. Classif. 2, 193 (1985), eq. 5.
    """
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1.0)
    together = _pairs(table).sum()
    rows, columns = _pairs(table.sum(1)).sum(), _pairs(table.sum(0)).sum()
    expected = rows * columns / max(float(_pairs(np.array(float(len(first))))), 1.0)
    most = 0.5 * (rows + columns)
    if most == expected:
        return 1.0
    return float((together - expected) / (most - expected))


def _pairs(counts: Array) -> Array:
    return np.asarray(counts * (counts - 1.0) / 2.0)
