"""What a pattern is measured with: wavelengths of a tube or a monochromator, in Å."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import PatternError

FloatArray = NDArray[np.float64]

TUBES = {
    "CrKa": (2.28970, 2.29361),
    "FeKa": (1.93604, 1.93998),
    "CoKa": (1.78897, 1.79285),
    "CuKa": (1.540593, 1.544427),
    "MoKa": (0.709317, 0.713607),
    "AgKa": (0.559422, 0.563813),
}
"""K-alpha 1 and 2 of tubes (Hölzer et al., Phys. Rev. A 56, 4554, 1997, and Bearden, 1967)."""

SHORTEST, LONGEST = 0.05, 5.0
"""What is a wavelength, in Å, rather than a mistyped unit."""


@dataclass(frozen=True, slots=True)
class Radiation:
    """*wavelength* in Å; *ratio* of the second line's wavelength to it, *weight* of that line.

    Without a second line ratio is 1 and weight 0. A *tube* is unpolarised, a synchrotron's beam
    polarised across the plane of diffraction.
    """

    wavelength: float
    ratio: float = 1.0
    weight: float = 0.0
    tube: bool = True

    @property
    def energy_ev(self) -> float:
        """Photon energy."""
        return 12398.4198 / self.wavelength

    def factor(self, d: FloatArray) -> FloatArray:
        """Return the Lorentz-polarisation factor at spacings *d* (Å); 0 beyond 180 degrees.

        LP = (1 + cos² 2θ) / (2 sin² θ cos θ) for a tube, without the bracket for a synchrotron.
        """
        sine = self.wavelength / (2 * np.asarray(d, dtype=float))
        s2 = np.clip(sine**2, 0.0, 0.9999)
        polarised = 0.5 * (1 + (1 - 2 * s2) ** 2) if self.tube else np.ones_like(s2)
        return np.asarray(np.where(sine < 0.9999, polarised / (s2 * np.sqrt(1 - s2)), 0.0))


def radiation(name: str) -> Radiation:
    """Return what *name* stands for: CuKa, CuKa1, MoKa, …, or a wavelength in Å.

    Wavelengths of a tube's line stand for that tube, others for a synchrotron. Raises
    PatternError.
    """
    tubes = {key.lower(): lines for key, lines in TUBES.items()}
    plain = name.strip().lower().replace("α", "a").replace("alpha", "a").replace(" ", "")
    if plain in tubes:
        return _doublet(*tubes[plain])
    if plain.endswith("1") and plain[:-1] in tubes:
        return Radiation(tubes[plain[:-1]][0])
    try:
        value = float(plain.removesuffix("å").removesuffix("a"))
    except ValueError:
        value = math.nan
    if not SHORTEST <= value <= LONGEST:
        known = ", ".join(TUBES)
        raise PatternError(
            f"wavelength {name!r}: give one of {known} (CuKa1 for a single line), or a number in Å "
            f"from {SHORTEST:g} to {LONGEST:g}"
        )
    return _nearest(value)


def stretch(d: FloatArray, own: Radiation, measured: Radiation) -> FloatArray:
    """Return how much wider angles of *own* are than those of *measured* at spacings *d* (Å).

    d(2θ) / d(2θ') = λ cos θ' / (λ' cos θ) at the same d.
    """
    if measured.wavelength == own.wavelength:
        return np.ones_like(d)
    ours, theirs = (
        np.sqrt(np.clip(1 - (r.wavelength / (2 * d)) ** 2, 1e-4, 1.0)) for r in (own, measured)
    )
    return np.asarray(own.wavelength * theirs / (measured.wavelength * ours))


def _nearest(value: float) -> Radiation:
    """Return the tube whose line, or whose mean of both, *value* is; else a synchrotron's beam."""
    for first, second in TUBES.values():
        mean = (2 * first + second) / 3
        if min(abs(value - first), abs(value - mean)) < 3e-4 * first:
            return _doublet(first, second)
    return Radiation(value, tube=False)


def _doublet(first: float, second: float) -> Radiation:
    return Radiation(first, second / first, 0.5)
