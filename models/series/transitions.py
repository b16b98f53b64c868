"""Where a ramp of diffraction patterns has transitions: lines split or merge there, all at once.

Within a phase lines move smoothly; at a transition their shapes change. So each line is compared
with itself after its position is taken away: by the distance between its two distributions of
intensity (Wasserstein's of order 2, in one dimension that of quantiles: Villani, Topics in Optimal
Transportation, 2003, theorem 2.18), as a strain. Lines that come or go are no lines of the sample
throughout: another substance's, or its own superstructure's, and are left out of the comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, peak_widths

from models.errors import SeriesError

Array = NDArray[np.float64]

STRONG = 0.05
"""Lines at least so strong, as a part of the strongest, are compared."""
LASTING = 0.3
"""A line is there throughout when it never falls below this part of its median."""
REACH = 2.0
"""Widths at half height to each side of a line that belong to it."""
QUANTILES = np.linspace(0.05, 0.95, 37)
FEW = 0.25
"""Part of the lines that aren't counted, whichever change most."""
QUIET = 0.25
"""Part of the intervals whose change is taken for noise."""
STANDS_OUT = 2.0
"""Times what drift and noise explain: a change that is more than that is a transition. Chosen on
14 ramps that were made up (benchmarks/ramp.py, seeds 100 to 113): from 1.5 to 3 all 42 of their
transitions are found and no other."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Between *low* and *high* (the ramp's unit); *times* what drift and noise would explain."""

    low: float
    high: float
    times: float

    @property
    def at(self) -> float:
        """The middle."""
        return 0.5 * (self.low + self.high)


def changes(axis: Array, patterns: Array) -> Array:
    """Return how much each of *patterns* (n x f, ordered) differs in shape from the next (n - 1).

    *axis* (f) is 2-theta or q, ascending; the change is a strain. The FEW lines that change most
    don't count: another substance's may lie on them, and a transition changes most lines. Raises
    SeriesError where no line is there throughout.
    """
    strayed = np.square(np.diff(_shapes(axis, patterns), axis=0)).mean(2)
    kept = strayed.shape[1] - int(FEW * strayed.shape[1])
    return np.asarray(np.sqrt(np.sort(strayed, axis=1)[:, :kept].mean(1)))


def next_place(places: Sequence[float], change: Array, tolerance: float) -> float | None:
    """Return where a pattern tells most of the transitions between *places* (n, ascending).

    *change* (n - 1) is that of ``changes``. In the middle of the two neighbours that differ most,
    of those that aren't within twice the *tolerance*; None if all are.
    """
    widths = np.diff(places)
    wanted = np.where(widths > 2.0 * tolerance * (1 + 1e-9), change, -1.0)
    if wanted.max(initial=-1.0) < 0.0:
        return None
    best = int(wanted.argmax())
    return 0.5 * (places[best] + places[best + 1])


def transitions(places: Sequence[float], change: Array, tolerance: float) -> list[Transition]:
    """Return the transitions between *places* (n), known to *tolerance*, in order.

    What drift and noise explain is the median rate of change with the interval's width, and the
    change of the quietest quarter of intervals. Of neighbours that both stand out, the one that
    does most is the transition.
    """
    widths = np.diff(places)
    rates = change / widths
    order = np.argsort(rates)
    middle = int(np.searchsorted(np.cumsum(widths[order]), 0.5 * widths.sum()))
    drift = float(rates[order][min(middle, len(order) - 1)])
    times = change / np.maximum(drift * widths + np.quantile(change, QUIET), 1e-300)
    found: list[Transition] = []
    for k in range(len(change)):
        around = times[max(0, k - 1) : k + 2]
        close = widths[k] <= 2.0 * tolerance * (1 + 1e-9)
        if close and times[k] >= STANDS_OUT and times[k] == around.max():
            found.append(Transition(places[k], places[k + 1], float(times[k])))
    return found


def _shapes(axis: Array, patterns: Array) -> Array:
    """Return the shapes of all lasting lines (n x lines x quantiles): strains from their middle."""
    windows = _windows(patterns)
    if not windows:
        raise SeriesError("no line is there throughout the ramp; nothing can be compared")
    return np.stack([_shape(axis[w], patterns[:, w]) for w in windows], axis=1)


def _windows(patterns: Array) -> list[slice]:
    """Return where the lines are that are there in all *patterns*."""
    mean = patterns.mean(0)
    peaks, _ = find_peaks(mean, height=STRONG * mean.max(), prominence=0.5 * STRONG * mean.max())
    if not len(peaks):
        return []
    half = peak_widths(mean, peaks, rel_height=0.5)[0] * REACH
    found = []
    for place, reach in zip(peaks, half, strict=True):
        window = slice(max(0, int(place - reach)), min(len(mean), int(place + reach) + 1))
        heights = patterns[:, window].max(1)
        if heights.min() >= LASTING * np.median(heights):
            found.append(window)
    return found


def _shape(axis: Array, lines: Array) -> Array:
    """Return the quantiles (n x quantiles) of *lines* (n x w) about their mean, as strains."""
    ends = np.linspace(0.0, 1.0, lines.shape[1])
    below = lines[:, :3].mean(1)[:, None] * (1 - ends) + lines[:, -3:].mean(1)[:, None] * ends
    heights = np.maximum(lines - below, 1e-12)
    summed = np.cumsum(heights, axis=1)
    shares = summed / summed[:, -1:]
    quantiles = np.stack([np.interp(QUANTILES, share, axis) for share in shares])
    return np.asarray((quantiles - quantiles.mean(1, keepdims=True)) / axis.mean())
