"""What many recipes give, at once: the twin's kinetics on arrays.

For maps of the ground truth and for choosing a space; the campaign never sees it. It takes the
furnace as arrived and the sample as copper metal when the gases change, and lets the feed's two
lags (controller, cell) pass in pieces with constant pressures, the rest of the dwell in one exact
step. It agrees with :func:`simulators.copper.recipe.oxidise` to about 0.01 (tested).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulators.copper.kinetics import GAS_CONSTANT, ZERO_CELSIUS
from simulators.copper.options import CopperOptions, Step

_Array = NDArray[np.float64]

_PIECES_S = np.concatenate([np.arange(0.0, 60.0, 3.0), np.arange(60.0, 241.0, 15.0)])
"""Edges of the pieces in which the gas arrives; after the last it has arrived (e^−12 left)."""


@dataclass(frozen=True, slots=True)
class Recipes:
    """Arrays of one length `n`: degC, mL/min, mL/min, min."""

    temperature: _Array
    o2: _Array
    h2: _Array
    dwell: _Array


@dataclass(frozen=True, slots=True)
class _ChainRates:
    """Rate constants of the four steps, 1/s, each `n`."""

    k1: _Array
    k2: _Array
    r1: _Array
    r2: _Array


def fractions_after(recipes: Recipes, options: CopperOptions, total_flow: float = 100.0) -> _Array:
    """Return the fractions of Cu(0), Cu(I), Cu(II), `n x 3`, at the end of each recipe's dwell."""
    cu0, cu2 = np.ones_like(recipes.temperature), np.zeros_like(recipes.temperature)
    dwell_s = 60.0 * recipes.dwell
    for start, end in pairwise(_PIECES_S):
        rates = _rates(recipes, options, total_flow, _arrived(options, total_flow, start, end))
        cu0, cu2 = _propagate(cu0, cu2, rates, np.clip(dwell_s - start, 0.0, end - start))
    rates = _rates(recipes, options, total_flow, 1.0)
    cu0, cu2 = _propagate(cu0, cu2, rates, np.maximum(dwell_s - _PIECES_S[-1], 0.0))
    return np.stack([cu0, 1.0 - cu0 - cu2, cu2], axis=1)


def _arrived(options: CopperOptions, total_flow: float, start: float, end: float) -> float:
    """Return the share of the feed's change that has reached the cell: two lags in series."""
    seconds = 0.5 * (start + end)
    feed, cell = options.gas.controller_s, 60.0 * options.gas.cell_ml / total_flow
    if abs(cell - feed) < 1e-3 * cell:
        return float(1.0 - (1.0 + seconds / cell) * np.exp(-seconds / cell))
    left = cell * np.exp(-seconds / cell) - feed * np.exp(-seconds / feed)
    return float(1.0 - left / (cell - feed))


def _rates(
    recipes: Recipes, options: CopperOptions, total_flow: float, arrived: float
) -> _ChainRates:
    kelvin = recipes.temperature + ZERO_CELSIUS
    scale = options.gas.pressure_bar * arrived / total_flow
    o2, h2 = recipes.o2 * scale, recipes.h2 * scale
    steps = options.kinetics
    return _ChainRates(
        _rate(steps.oxidation_to_cu1, kelvin, o2),
        _rate(steps.oxidation_to_cu2, kelvin, o2),
        _rate(steps.reduction_to_cu0, kelvin, h2),
        _rate(steps.reduction_to_cu1, kelvin, h2),
    )


def _rate(step: Step, kelvin: _Array, bar: _Array) -> _Array:
    energy = step.activation_kj_mol * 1e3 / GAS_CONSTANT
    inverse = 1.0 / (step.reference_degc + ZERO_CELSIUS) - 1.0 / kelvin
    pressure = np.where(bar > 0.0, np.maximum(bar, 1e-300) ** step.order, 0.0)
    return np.asarray(step.rate_per_s * np.exp(energy * inverse) * pressure)


def _propagate(
    cu0: _Array, cu2: _Array, rates: _ChainRates, seconds: _Array
) -> tuple[_Array, _Array]:
    """The formula of :func:`simulators.copper.kinetics.propagate`, on arrays."""
    b, c = -rates.r1 * seconds, -rates.k2 * seconds
    a, d = b - rates.k1 * seconds, c - rates.r2 * seconds
    slope0 = a * cu0 + b * cu2 - b
    slope2 = c * cu0 + d * cu2 - c
    middle, spread = 0.5 * (a + d), np.sqrt(0.25 * (a - d) ** 2 + b * c)
    upper, lower = middle + spread, middle - spread
    phi, gap = _phi1(upper), upper - lower
    apart = gap > 1e-5
    slant = np.where(apart, (phi - _phi1(lower)) / np.where(apart, gap, 1.0), _phi1_slope(middle))
    new0 = cu0 + phi * slope0 + slant * ((a - upper) * slope0 + b * slope2)
    new2 = cu2 + phi * slope2 + slant * (c * slope0 + (d - upper) * slope2)
    new0 = np.clip(new0, 0.0, 1.0)
    return new0, np.clip(new2, 0.0, 1.0 - new0)


def _phi1(z: _Array) -> _Array:
    small = np.abs(z) <= 1e-12
    safe = np.where(small, 1.0, z)
    return np.where(small, 1.0 + 0.5 * z, np.expm1(safe) / safe)


def _phi1_slope(z: _Array) -> _Array:
    small = np.abs(z) <= 0.03
    safe = np.where(small, 1.0, z)
    series = 0.5 + z * (1 / 3 + z * (1 / 8 + z * (1 / 30 + z / 144)))
    return np.where(small, series, (np.exp(safe) * (safe - 1.0) + 1.0) / (safe * safe))
