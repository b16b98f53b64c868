"""Outcomes made ready for a model: standardised, and straightened where they are skewed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEW = 8
"""With fewer outcomes their shape can't be told, and they are only standardised."""
STRAIGHT = 1.0
"""The exponent at which the Yeo-Johnson transform changes nothing."""
NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class OutcomeScale:
    """The way from outcomes (in their unit) to what is modelled, and back.

    Standardised by *centre* and *spread*, then Yeo & Johnson's power transform (Biometrika 87,
    2000, p. 954) with *exponent* between 0 and 2, where it maps all numbers to all numbers, then
    standardised again by *middle* and *width*.
    """

    centre: float
    spread: float
    exponent: float = STRAIGHT
    middle: float = 0.0
    width: float = 1.0

    def forward(self, outcomes: Array) -> Array:
        """Return *outcomes* (n, in their unit) as they are modelled (n)."""
        powered = _power((outcomes - self.centre) / self.spread, self.exponent)
        return np.asarray((powered - self.middle) / self.width)

    def slope(self, outcomes: Array) -> Array:
        """Return the derivative of ``forward`` at *outcomes* (n)."""
        scaled = (outcomes - self.centre) / self.spread
        bent = np.where(scaled >= 0, self.exponent - 1, 1 - self.exponent)
        return np.asarray((1 + np.abs(scaled)) ** bent / (self.spread * self.width))

    def back(self, modelled: Array) -> Array:
        """Return the outcomes (in their unit) of *modelled* values of any shape."""
        powered = modelled * self.width + self.middle
        return np.asarray(_unpower(powered, self.exponent) * self.spread + self.centre)

    def moments(self, mean: float, sigma: float) -> tuple[float, float]:
        """Return mean and standard deviation, in the outcome's unit, of a modelled normal."""
        if self.exponent == STRAIGHT:
            straight = self.back(np.array([mean]))
            return float(straight[0]), sigma * self.spread * self.width
        values = self.back(mean + sigma * NODES)
        middle = float(WEIGHTS @ values)
        return middle, math.sqrt(float(WEIGHTS @ np.square(values - middle)))


def _power(values: Array, exponent: float) -> Array:
    """Return Yeo & Johnson's transform of *values*."""
    up, down = np.log1p(np.maximum(values, 0.0)), np.log1p(np.maximum(-values, 0.0))
    return np.where(values >= 0, _box_cox(up, exponent), -_box_cox(down, 2 - exponent))


def _box_cox(logs: Array, exponent: float) -> Array:
    """Return (exp(logs)^exponent - 1) / exponent, or its limit at zero."""
    if exponent < 1e-9:
        return logs
    return np.asarray(np.expm1(logs * exponent) / exponent)


def _unpower(powered: Array, exponent: float) -> Array:
    up, down = np.maximum(powered, 0.0), np.maximum(-powered, 0.0)
    return np.where(powered >= 0, _uncox(up, exponent), -_uncox(down, 2 - exponent))


def _uncox(powered: Array, exponent: float) -> Array:
    if exponent < 1e-9:
        return np.asarray(np.expm1(np.minimum(powered, 700.0)))
    logs = np.log1p(powered * exponent) / exponent
    return np.asarray(np.expm1(np.minimum(logs, 700.0)))


def scale_of(outcomes: Array, *, warp: bool) -> OutcomeScale:
    """Return the scale that suits *outcomes* (n); straightened only with *warp* and enough of them.

    Outcomes that don't differ keep their unit.
    """
    centre, spread = float(outcomes.mean()), _deviation(outcomes)
    if not warp or len(outcomes) < FEW:
        return OutcomeScale(centre, spread)
    exponent = _straightest((outcomes - centre) / spread)
    powered = _power((outcomes - centre) / spread, exponent)
    return OutcomeScale(centre, spread, exponent, float(powered.mean()), _deviation(powered))


def _deviation(values: Array) -> float:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    smallest = 1e-12 * float(np.abs(values).max(initial=0.0))
    return deviation if deviation > smallest and math.isfinite(deviation) else 1.0


def _straightest(scaled: Array) -> float:
    """Return the exponent in [0, 2] of greatest likelihood for *scaled* (n) as normal values."""
    from scipy.optimize import minimize_scalar

    logs = float((np.sign(scaled) * np.log1p(np.abs(scaled))).sum())

    def misfit(exponent: float) -> float:
        variance = float(_power(scaled, exponent).var())
        return 0.5 * len(scaled) * math.log(max(variance, 1e-300)) - (exponent - 1) * logs

    if scaled.std() == 0:
        return STRAIGHT
    found = minimize_scalar(misfit, bounds=(0.0, 2.0), method="bounded", options={"xatol": 1e-3})
    return float(found.x) if misfit(float(found.x)) < misfit(STRAIGHT) else STRAIGHT
