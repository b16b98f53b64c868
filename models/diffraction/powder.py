"""A measured powder pattern as it was read."""

from dataclasses import dataclass

import numpy as np

from models.diffraction.radiation import FloatArray
from models.errors import PatternError

LEAST_POINTS = 50


@dataclass(frozen=True, slots=True)
class Powder:
    """*intensity* (n, any unit) over *axis* (n, rising).

    The axis is 2-theta in degrees, or q in 1/Å where *of_q*. *wavelength* in Å where the file
    says it, else None.
    """

    name: str
    axis: FloatArray
    intensity: FloatArray
    of_q: bool = False
    wavelength: float | None = None

    def two_theta(self, wavelength: float) -> FloatArray:
        """Return the angles (n) in degrees, those of *wavelength* (Å) where the axis is q."""
        if not self.of_q:
            return self.axis
        sine = np.clip(self.axis * wavelength / (4 * np.pi), 0.0, 1.0)
        return np.asarray(np.degrees(2 * np.arcsin(sine)))


def powder(
    name: str,
    axis: FloatArray,
    intensity: FloatArray,
    *,
    of_q: bool = False,
    wavelength: float | None = None,
) -> Powder:
    """Return a pattern with its axis rising, without what isn't a number; raises PatternError."""
    x, y = np.asarray(axis, dtype=float).ravel(), np.asarray(intensity, dtype=float).ravel()
    if x.size != y.size:
        raise PatternError(f"{name}: {x.size} angles and {y.size} intensities")
    finite = np.isfinite(x) & np.isfinite(y) & (x > 0)
    x, y = x[finite], y[finite]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    x, first = np.unique(x, return_inverse=True)
    y = np.bincount(first, weights=y) / np.bincount(first) if y.size else y
    if x.size < LEAST_POINTS:
        raise PatternError(
            f"{name}: {x.size} points with angle and intensity; {LEAST_POINTS} are needed"
        )
    if not of_q and x[-1] >= 180:
        raise PatternError(f"{name}: angles up to {x[-1]:g}; 2-theta lies below 180 degrees")
    if not y.max() > y.min():
        raise PatternError(f"{name}: all intensities are the same")
    return Powder(name, x, y, of_q, wavelength)
