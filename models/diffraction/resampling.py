"""Measured patterns on a model's own axis, with the standard uncertainty of every point."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.diffraction.grid import Grid
from models.diffraction.powder import Powder
from models.diffraction.radiation import FloatArray, Radiation
from models.errors import PatternError

LEAST_COVERED = 0.2
"""Less of the axis than this tells nothing."""
LEAST_NOISE = 3e-4
"""Of the highest line: patterns that were smoothed or computed have no noise to weigh them by."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A pattern on a grid: *intensity*, *variance* and *measured* (n each).

    Its angles are those of the grid's radiation; where it isn't measured, intensity is 0.
    """

    name: str
    intensity: FloatArray
    variance: FloatArray
    measured: NDArray[np.bool_]


def on_grid(pattern: Powder, grid: Grid, radiation: Radiation, measured: Radiation) -> Scan:
    """Return *pattern*, taken with *measured*, on *grid*, whose angles are of *radiation*.

    A point is the mean of the pattern over its step. Raises PatternError when too little of the
    grid was measured.
    """
    angles = pattern.two_theta(measured.wavelength)
    sine = np.sin(np.radians(angles / 2)) * radiation.wavelength / measured.wavelength
    kept = sine < 0.9999
    x, y = 2 * np.degrees(np.arcsin(sine[kept])), pattern.intensity[kept]
    edges = np.linspace(grid.start - grid.step / 2, grid.stop + grid.step / 2, grid.count + 1)
    inside = (edges[:-1] >= x[0] - grid.step) & (edges[1:] <= x[-1] + grid.step) if x.size else None
    if inside is None or inside.mean() < LEAST_COVERED:
        span = f"{x[0]:.4g} to {x[-1]:.4g}" if x.size else "none"
        raise PatternError(
            f"{pattern.name}: covers {span} degrees (of {radiation.wavelength:.5g} Å) of the "
            f"model's {grid.start:g} to {grid.stop:g}; give the --wavelength it was measured with"
        )
    intensity = _binned(x, y, edges)
    noise = _variance(y) * np.minimum(np.gradient(x) / grid.step, 1.0)
    variance = np.interp(grid.two_theta, x, noise)
    blank = ~inside
    intensity[blank], variance[blank] = 0.0, float(variance[inside].mean())
    return Scan(pattern.name, intensity, variance, inside)


def _binned(x: FloatArray, y: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the means (n) between *edges* (n + 1) of the straight lines through x, y."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (y[1:] + y[:-1]) * np.diff(x))])
    place = np.clip(edges, x[0], x[-1])
    low = np.clip(np.searchsorted(x, place, side="right") - 1, 0, len(x) - 2)
    gap = place - x[low]
    slope = (y[low + 1] - y[low]) / (x[low + 1] - x[low])
    whole = total[low] + gap * (y[low] + 0.5 * slope * gap)
    width = np.maximum(np.diff(place), 1e-9)
    return np.asarray(np.diff(whole) / width)


def _variance(y: FloatArray) -> FloatArray:
    """Return the variance of every point (n), from how much neighbours differ.

    The second difference of white noise has six times its variance, a smooth curve next to
    none; that is scaled as counts are where the pattern stands well above zero, as it does unless
    its background was taken away.
    """
    bend = np.abs(y[2:] - 2 * y[1:-1] + y[:-2])
    usual = max((float(np.median(bend)) / 0.6745) ** 2 / 6, (LEAST_NOISE * float(np.ptp(y))) ** 2)
    level = float(np.median(y))
    if level < 3 * np.sqrt(usual):
        return np.full_like(y, usual)
    return np.asarray(usual * np.clip(y / level, 0.3, None))
