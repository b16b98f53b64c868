"""A series of patterns as non-negative mixtures of few components, each free to shift a little.

Non-negative matrix factorisation by hierarchical alternating least squares (Cichocki & Phan, IEICE
Trans. E92-A, 2009, algorithm 2), begun at the most extreme patterns of the series (successive
projection: Araújo et al., Chemom. Intell. Lab. Syst. 57, 2001): pure phases are where a wafer or a
ramp goes to its extremes. Where lattices strain, lines move: on an axis of log q all lines of a
component move together, and a pattern may hold it displaced by whole bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import SeriesError
from models.series.plain import SETTLED, TINY, alternated, weighed

Array = NDArray[np.float64]
Steps = NDArray[np.int64]
Bins = NDArray[np.bool_]

SWEEPS = 200
"""So many rounds over all components at most."""


@dataclass(frozen=True, slots=True)
class Factorization:
    """Patterns (n x f) as ``weights`` (n x k) of ``components`` (k x f), both non-negative.

    Components have their greatest value at 1. ``shifts`` (n x k) says by how many bins each
    pattern holds each component displaced, ``residual`` (n) the root mean square of what each
    leaves over.
    """

    components: Array
    weights: Array
    shifts: Steps
    residual: Array

    @property
    def shares(self) -> Array:
        """The part (n x k) of each pattern's intensity that each component has; rows sum to 1."""
        held = self.weights * self.components.sum(1)
        return np.asarray(held / np.maximum(held.sum(1, keepdims=True), TINY))

    def sigma(self) -> Array:
        """Return the standard error (n x k) of the weights, for what each pattern leaves over.

        That of least squares: the residual, and how alike the components are.
        """
        own = self.components @ self.components.T
        alike = np.sqrt(np.maximum(np.diag(np.linalg.pinv(own)), 0.0))
        count, width = self.components.shape
        lost = np.sqrt(width / max(width - count, 1))
        return np.asarray(np.outer(self.residual * lost, alike))

    def modelled(self) -> Array:
        """Return the patterns (n x f) as the components make them up."""
        return _modelled(self.components, self.weights, self.shifts)


def factorize(patterns: Array, count: int, shift: int = 0, sweeps: int = SWEEPS) -> Factorization:
    """Return *patterns* (n x f) as mixtures of *count* components, displaced by *shift* at most.

    The same patterns give the same components. Raises SeriesError for patterns that hold a
    negative or a number that isn't finite, or where there are fewer than *count*.
    """
    patterns = checked_series(patterns)
    if not 1 <= count <= min(patterns.shape):
        raise SeriesError(
            f"{count} components were asked of {patterns.shape[0]} patterns with "
            f"{patterns.shape[1]} bins; ask for 1 to {min(patterns.shape)}"
        )
    components = patterns[extremes(patterns, count)].copy()
    components /= np.maximum(components.max(1, keepdims=True), TINY)
    return _alternated(patterns, components, shift, sweeps)


def fitted(
    patterns: Array, components: Array, shift: int = 0, shown: Bins | None = None
) -> Factorization:
    """Return *patterns* (n x f) as mixtures of the given *components* (k x f), which stay.

    Only the bins *shown* (f) are looked at; the residual is that of these.
    """
    patterns = checked_series(patterns)
    chosen = slice(None) if shown is None else shown
    if shift == 0:
        seen, parts = patterns[:, chosen], components[:, chosen]
        return _unshifted(seen, parts, components, weighed(seen, parts, SWEEPS))
    weights = np.zeros((len(patterns), len(components)))
    shifts = np.zeros(weights.shape, dtype=np.int64)
    banks = [_bank(component, shift) for component in components]
    rest, banks = patterns[:, chosen].copy(), [bank[:, chosen] for bank in banks]
    before = np.inf
    for _ in range(SWEEPS):
        for k, bank in enumerate(banks):
            rest += _held(bank, weights[:, k], shifts[:, k], shift)
            weights[:, k], shifts[:, k] = _weighed(rest, bank, shift)
            rest -= _held(bank, weights[:, k], shifts[:, k], shift)
        now = float(np.square(rest).sum())
        if before - now <= SETTLED * max(now, TINY):
            break
        before = now
    return Factorization(components, weights, shifts, _root_mean_square(rest))


def extremes(patterns: Array, count: int) -> Steps:
    """Return which *count* of *patterns* (n x f) are farthest from mixtures of one another.

    Successive projection of the patterns scaled to a sum of 1; dim ones (below a tenth of the
    median sum) come last, since scaling makes their noise large.
    """
    sums = patterns.sum(1)
    lit = sums > 0.1 * np.median(sums)
    scaled = patterns / np.maximum(sums[:, None], TINY)
    scaled[~lit] *= 1e-3
    chosen: list[int] = []
    for _ in range(count):
        lengths = np.square(scaled).sum(1)
        lengths[chosen] = -1.0
        chosen.append(int(lengths.argmax()))
        axis = scaled[chosen[-1]] / max(float(np.linalg.norm(scaled[chosen[-1]])), TINY)
        scaled = scaled - np.outer(scaled @ axis, axis)
    return np.array(chosen)


def checked_series(patterns: Array) -> Array:
    """Return *patterns* as an array (n x f) of floats; SeriesError if they can't be a series."""
    array = np.asarray(patterns, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise SeriesError(f"a series is a table of patterns (n x bins); got shape {array.shape}")
    if not np.isfinite(array).all() or array.min() < 0.0:
        rows = np.flatnonzero(~(np.isfinite(array) & (array >= 0.0)).all(1))
        raise SeriesError(
            f"patterns {', '.join(map(str, rows[:5]))} (from 0) hold values that are negative or "
            "no numbers; take their background away and cut what is below zero"
        )
    return array


def _alternated(patterns: Array, components: Array, shift: int, sweeps: int) -> Factorization:
    if shift == 0:
        weights = weighed(patterns, components, SWEEPS)
        components, weights = alternated(patterns, components, weights, sweeps)
        scales = components.max(1)
        scales[scales <= TINY] = 1.0
        components = components / scales[:, None]
        return _unshifted(patterns, components, components, weights * scales)
    start = fitted(patterns, components, shift)
    weights, shifts = start.weights.copy(), start.shifts.copy()
    rest = patterns - _modelled(components, weights, shifts)
    before = float(np.square(rest).sum())
    for _ in range(sweeps):
        for k in range(len(components)):
            bank = _bank(components[k], shift)
            rest += _held(bank, weights[:, k], shifts[:, k], shift)
            weights[:, k], shifts[:, k] = _weighed(rest, bank, shift)
            components[k], scale = _renewed(rest, weights[:, k], shifts[:, k], components[k])
            weights[:, k] *= scale
            bank = _bank(components[k], shift)
            rest -= _held(bank, weights[:, k], shifts[:, k], shift)
        now = float(np.square(rest).sum())
        if before - now <= SETTLED * max(now, TINY):
            break
        before = now
    return Factorization(components, weights, shifts, _root_mean_square(rest))


def _unshifted(seen: Array, parts: Array, components: Array, weights: Array) -> Factorization:
    """Return the factorisation of patterns of which *seen* was looked at, by *parts*."""
    residual = _root_mean_square(seen - weights @ parts)
    return Factorization(components, weights, np.zeros(weights.shape, dtype=np.int64), residual)


def _weighed(rest: Array, bank: Array, shift: int) -> tuple[Array, Steps]:
    """Return by how much (n) and how displaced (n) one component explains *rest* (n x f) best."""
    lengths = np.maximum(np.square(bank).sum(1), TINY)
    overlaps = np.maximum(rest @ bank.T, 0.0)
    best = np.argmax(np.square(overlaps) / lengths - TINY * np.abs(_range(shift)), axis=1)
    rows = np.arange(len(rest))
    return overlaps[rows, best] / lengths[best], best - shift


def _renewed(rest: Array, weights: Array, shifts: Steps, before: Array) -> tuple[Array, float]:
    """Return the component (f) that explains *rest* (n x f) best, and what weights gain by it."""
    total = np.zeros_like(before)
    for step in np.unique(shifts):
        chosen = shifts == step
        total += displaced(weights[chosen] @ rest[chosen], -int(step))
    component = np.maximum(total / max(float(np.square(weights).sum()), TINY), 0.0)
    scale = float(component.max())
    if scale <= TINY:  # nothing is left for it: it stays, with weights of 0
        return before, 1.0
    return component / scale, scale


def displaced(pattern: Array, step: int) -> Array:
    """Return *pattern* (f) moved up by *step* bins; what comes in from outside repeats its edge."""
    if step == 0:
        return pattern
    moved = np.roll(pattern, step)
    if step > 0:
        moved[:step] = pattern[0]
    else:
        moved[step:] = pattern[-1]
    return moved


def _range(shift: int) -> Steps:
    return np.arange(-shift, shift + 1)


def _bank(component: Array, shift: int) -> Array:
    """Return *component* (f) at every displacement (2 shift + 1 x f)."""
    return np.stack([displaced(component, int(step)) for step in _range(shift)])


def _held(bank: Array, weights: Array, shifts: Steps, shift: int) -> Array:
    return np.asarray(weights[:, None] * bank[shifts + shift])


def _modelled(components: Array, weights: Array, shifts: Steps) -> Array:
    shift = int(np.abs(shifts).max(initial=0))
    found = np.zeros((len(weights), components.shape[1]))
    for k, component in enumerate(components):
        found += _held(_bank(component, shift), weights[:, k], shifts[:, k], shift)
    return found


def _root_mean_square(rest: Array) -> Array:
    return np.asarray(np.sqrt(np.mean(np.square(rest), axis=1)))
