"""Local searches for the maximum of a smooth function on the unit cube, many at once.

In a box all searches step together (projected quasi-Newton steps: Bertsekas, SIAM J. Control
Optim. 20, 1982; BFGS updates, backtracking): one evaluation serves them all. Under linear
constraints each goes by itself (scipy's SLSQP).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]
Function = Callable[[Array], tuple[Array, Array]]
"""Values (m) and gradients (m x d) of points (m x d)."""

FIRST_STEP = 0.05
"""The length of the first step, in the unit cube."""
LONGEST = 0.5
SUFFICIENT = 1e-4
"""A step is taken if it gains this part of what its slope promises (Armijo)."""
HALVINGS = 6
GAIN = 1e-5
"""A search ends where two steps gained less."""


@dataclass(frozen=True)
class Rows:
    """Linear constraints on the unit cube: *equal* @ x = *sums*, *upper* @ x <= *limits*."""

    equal: Array
    sums: Array
    upper: Array
    limits: Array

    @property
    def any(self) -> bool:
        """Whether there is a constraint."""
        return bool(len(self.equal) or len(self.upper))


def climb(function: Function, starts: Array, free: Bools, steps: int) -> Array:
    """Return where searches from *starts* (m x d) end (m x d), inside the unit cube.

    Only the *free* columns (d) move.
    """
    points = np.clip(starts, 0.0, 1.0)
    values, slopes = _finite(*function(points), free)
    count, dimension = points.shape
    metric = np.repeat(np.eye(dimension)[None], count, axis=0)
    metric *= (FIRST_STEP / np.maximum(np.linalg.norm(slopes, axis=1), 1e-12))[:, None, None]
    active = np.isfinite(values)
    idle = np.zeros(count, dtype=np.int64)
    for step in range(steps):
        if not active.any():
            break
        rows = np.flatnonzero(active)
        ways = _directions(points[rows], slopes[rows], metric[rows], free)
        moved, value, slope = _line_search(
            function, points[rows], values[rows], slopes[rows], ways, free
        )
        gains = value - values[rows]
        _learn(metric, rows, moved - points[rows], slopes[rows] - slope, step == 0)
        points[rows], values[rows], slopes[rows] = moved, value, slope
        idle[rows] = np.where(gains > GAIN, 0, idle[rows] + 1)
        active[rows] = idle[rows] < 2
    return points


def _finite(values: Array, slopes: Array, free: Bools) -> tuple[Array, Array]:
    """Return *values* (NaN is minus infinity) and *slopes* without what isn't finite or free."""
    plain = np.where(np.isnan(values), -np.inf, values)
    return plain, np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0) * free


def _directions(points: Array, slopes: Array, metric: Array, free: Bools) -> Array:
    """Return ascent directions (m x d) that don't leave the cube where a point touches its side."""
    held = ((points <= 0) & (slopes < 0)) | ((points >= 1) & (slopes > 0)) | ~free
    inside = np.where(held, 0.0, slopes)
    ways = np.where(held, 0.0, np.einsum("mij,mj->mi", metric, inside))
    uphill = np.einsum("mi,mi->m", ways, inside) > 0
    ways = np.where(uphill[:, None], ways, inside)
    length = np.linalg.norm(ways, axis=1)
    return np.asarray(ways * np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))[:, None])


def _line_search(
    function: Function, points: Array, values: Array, slopes: Array, ways: Array, free: Bools
) -> tuple[Array, Array, Array]:
    """Return where steps along *ways* lead, and values and slopes there; none where none gains."""
    ends, best, turned = points.copy(), values.copy(), slopes.copy()
    left = np.arange(len(points))
    share = 1.0
    for _ in range(HALVINGS):
        tried = np.clip(points[left] + share * ways[left], 0.0, 1.0)
        value, slope = _finite(*function(tried), free)
        promised = np.einsum("mi,mi->m", slopes[left], tried - points[left])
        good = (value >= values[left] + SUFFICIENT * promised) & (promised > 0)
        done = left[good]
        ends[done], best[done], turned[done] = tried[good], value[good], slope[good]
        left = left[~good]
        if not len(left):
            break
        share /= 4.0
    return ends, best, turned


def _learn(metric: Array, rows: Indices, steps: Array, bends: Array, first: bool) -> None:
    """Update the inverse curvatures (m x d x d) of *rows* by BFGS, where the curvature is right.

    *bends* are the falls of the slopes over *steps*.
    """
    curved = np.einsum("mi,mi->m", steps, bends)
    good = curved > 1e-10 * np.linalg.norm(steps, axis=1) * np.linalg.norm(bends, axis=1)
    good &= curved > 1e-300
    if not good.any():
        return
    rows, s, y = rows[good], steps[good], bends[good]
    rho = 1 / curved[good]
    eye = np.eye(s.shape[1])
    if first:
        scale = curved[good] / np.einsum("mi,mi->m", y, y)
        metric[rows] = scale[:, None, None] * eye
    left = eye - rho[:, None, None] * s[:, :, None] * y[:, None, :]
    metric[rows] = left @ metric[rows] @ np.swapaxes(left, 1, 2)
    metric[rows] += rho[:, None, None] * s[:, :, None] * s[:, None, :]


def climb_within(function: Function, starts: Array, free: Bools, rows: Rows, steps: int) -> Array:
    """Return where searches from *starts* (m x d) end (m x d), keeping *rows* and the unit cube."""
    if not free.any():
        return starts
    return np.array([_climb_one(function, start, free, rows, steps) for start in starts])


def _climb_one(function: Function, start: Array, free: Bools, rows: Rows, steps: int) -> Array:
    from scipy.optimize import minimize

    held = start * ~free

    def whole(part: Array) -> Array:
        point = held.copy()
        point[free] = np.clip(part, 0.0, 1.0)
        return point

    def falling(part: Array) -> tuple[float, Array]:
        values, slopes = function(whole(part)[None, :])
        if not np.isfinite(values[0]):
            return 1e10, np.zeros(len(part))
        return -float(values[0]), -slopes[0, free]

    limits: list[Any] = []
    for kind, sign, factors, bounds in (
        ("eq", 1.0, rows.equal, rows.sums),
        ("ineq", -1.0, rows.upper, rows.limits),
    ):
        if len(factors):
            inner, rest = sign * factors[:, free], sign * (bounds - factors @ held)
            limits.append(
                {
                    "type": kind,
                    "fun": lambda part, inner=inner, rest=rest: inner @ part - rest,
                    "jac": lambda _, inner=inner: inner,
                }
            )
    found = minimize(
        falling,
        start[free],
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * int(free.sum()),
        constraints=limits,
        options={"maxiter": steps, "ftol": GAIN},
    )
    return whole(np.asarray(found.x)) if np.isfinite(found.x).all() else start
