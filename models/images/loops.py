"""Hysteresis loops: how far they open, and whether what was recorded is one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from models.values import Measured, Quality, Verdict

FloatArray = NDArray[np.float64]

LEAST_POINTS = 16
SPIKE = 8.0
"""A point so many robust deviations from the median of its neighbours is a fit that failed."""

NEIGHBOURS = 5
SUSPECT_SHARE, REJECTED_SHARE = 0.05, 0.2
"""Parts of a loop's points that may be spikes before it is suspect, and before it is none."""

ROUGH = 3.0
"""A loop goes up and down once: a path so many times longer is noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """What a loop says: *opening* (None where there is none), and whether to trust it."""

    quality: Quality
    opening: Measured | None = None


def read_loop(voltage: FloatArray, response: FloatArray, largest: float = np.inf) -> Loop:
    """Return the opening of a loop: the mean distance between its branches, in response's unit.

    *voltage* (n, V) runs through one cycle; points of *response* (n) beyond *largest* are taken
    for failed fits. A bad loop is a verdict, not an error.
    """
    v, r = np.asarray(voltage, dtype=np.float64), np.asarray(response, dtype=np.float64)
    if v.ndim != 1 or v.shape != r.shape or v.size < LEAST_POINTS:
        return _none(f"loop: {v.shape} voltages and {r.shape} responses; {LEAST_POINTS} are needed")
    span = float(np.ptp(v))
    if not (np.isfinite(v).all() and np.isfinite(r).all() and span > 0):
        return _none("loop: values that aren't finite, or a voltage that doesn't change")
    smooth = np.asarray(median_filter(r, size=NEIGHBOURS, mode="wrap"))
    stray = np.abs(r - smooth)
    noise = 1.4826 * float(np.median(stray)) + 0.01 * float(np.percentile(np.abs(r), 50))
    spikes = (np.abs(r) > largest) | (stray > SPIKE * max(noise, 1e-300))
    share = float(spikes.mean())
    rough = _roughness(smooth)
    scores = {"loop_spikes": share, "loop_roughness": rough}
    if share > REJECTED_SHARE:
        reason = f"loop: {spikes.sum()} of {r.size} points are spikes"
        return Loop(Quality(Verdict.REJECTED, (reason,), scores))
    if rough > ROUGH:
        reason = f"loop: its path is {rough:.1f} times that of one loop"
        return Loop(Quality(Verdict.REJECTED, (reason,), scores))
    kept = np.where(spikes, smooth, r)
    weights = 0.5 * (np.roll(v, -1) - np.roll(v, 1)) / span
    scatter = max(float(np.sqrt(np.mean((kept - smooth) ** 2))), noise / SPIKE)
    sigma = scatter * float(np.sqrt(weights @ weights))
    opening = Measured(abs(float(weights @ kept)), sigma)
    if share > SUSPECT_SHARE:
        reason = f"loop: {spikes.sum()} of {r.size} points were spikes and are smoothed over"
        wider = Measured(opening.mean, 3 * opening.sigma)
        return Loop(Quality(Verdict.SUSPECT, (reason,), scores), wider)
    return Loop(Quality(scores=scores), opening)


def _roughness(response: FloatArray) -> float:
    """Return the length of the path over that of one way up and one way down."""
    path = float(np.abs(np.diff(response, append=response[0])).sum())
    return path / max(2 * float(np.ptp(response)), 1e-300)


def _none(reason: str) -> Loop:
    return Loop(Quality(Verdict.REJECTED, (reason,)))
