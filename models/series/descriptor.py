"""A pattern as a few non-negative numbers: its mean intensity in bins of log q.

On such an axis a lattice that strains moves all lines of a phase by the same number of bins.
"""

import numpy as np
from numpy.typing import NDArray

from models.errors import SeriesError

Array = NDArray[np.float64]

BINS = 128


def binned(q: Array, pattern: Array, edges: Array) -> Array:
    """Return the mean of *pattern* (... x f) at *q* (f, ascending) between *edges* (b + 1).

    A bin without a point has what a straight line between its neighbours has there. Raises
    SeriesError where *q* doesn't reach over the edges.
    """
    if q[0] > edges[0] * (1 + 1e-6) or q[-1] < edges[-1] * (1 - 1e-6):
        raise SeriesError(
            f"the pattern goes from {q[0]:g} to {q[-1]:g}, wanted is {edges[0]:g} to {edges[-1]:g}"
        )
    places = np.searchsorted(edges, q, side="right") - 1
    inside = (places >= 0) & (places < len(edges) - 1)
    counts = np.bincount(places[inside], minlength=len(edges) - 1)
    sums = np.zeros((*pattern.shape[:-1], len(edges) - 1))
    for bin_ in np.flatnonzero(counts):
        sums[..., bin_] = pattern[..., places == bin_].mean(-1)
    empty = np.flatnonzero(counts == 0)
    centers = np.sqrt(edges[:-1] * edges[1:])
    for bin_ in empty:
        sums[..., bin_] = _between(q, pattern, float(centers[bin_]))
    return sums


def log_edges(low: float, high: float, bins: int = BINS) -> Array:
    """Return the edges (bins + 1) of bins that are equally wide in log q."""
    if not 0.0 < low < high:
        raise SeriesError(f"a range of q goes from above 0 upwards; got {low:g} to {high:g}")
    return np.geomspace(low, high, bins + 1)


def _between(q: Array, pattern: Array, at: float) -> Array:
    above = int(np.clip(np.searchsorted(q, at), 1, len(q) - 1))
    part = (at - q[above - 1]) / (q[above] - q[above - 1])
    return np.asarray((1.0 - part) * pattern[..., above - 1] + part * pattern[..., above])
