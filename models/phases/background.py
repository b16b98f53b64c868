"""What a smooth background can be: splines, and the rise of air scatter at small angles."""

import numpy as np

from models.diffraction.grid import Grid
from models.diffraction.radiation import FloatArray

KNOT_DEG = 9.0


def background_columns(grid: Grid) -> FloatArray:
    """Return the columns (n x c): cubic B-splines of 9 degrees, and 1 / 2θ."""
    x = grid.two_theta
    intervals = max(3, round((grid.stop - grid.start) / KNOT_DEG))
    place = (x - grid.start) / (grid.stop - grid.start) * intervals
    columns = [_cubic(place - center) for center in range(-1, intervals + 2)]
    return np.stack([*columns, grid.start / x], axis=1)


def _cubic(t: FloatArray) -> FloatArray:
    """Return the cubic B-spline about 0 at *t*, of support -2 to 2."""
    u = np.abs(t)
    inner = 2 / 3 - u**2 + u**3 / 2
    outer = np.clip(2 - u, 0.0, None) ** 3 / 6
    return np.where(u < 1, inner, outer)
