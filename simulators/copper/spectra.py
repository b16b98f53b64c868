"""From fractions of copper to counts: real scans, drift, self-absorption, counting statistics.

Each exposure mixes the repeats of a compound anew (weights uniform on their simplex), so that the
scatter between real repeats is in the data, then the compounds by their fractions. The grid of the
scans is fine enough (0.1 eV) to read between its points linearly. The scans are HERFD fluorescence
of one edge jump per copper atom. A sample that isn't thin absorbs the beam before it is through:
its fluorescence goes as μ/(const + μ) (Booth and Bridges, Phys. Scr. T115, 202 (2005); thick),
here with one parameter s and scaled to 1 at μ = 1:

    F = μ·(1 + s)/(1 + s·μ),   counts ~ Poisson(I0·yield·(F + background) + dark)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulators.copper.options import BeamOptions
from simulators.copper.scans import GRID_STEP_EV, load_library
from simulators.errors import ExposureError

_CHUNK = 256  # spectra at a time: the mixtures stay in the cache of a core


@dataclass(frozen=True, slots=True)
class Counts:
    """What the detectors counted, one value per energy: `m` of one exposure, `n x m` of a batch."""

    i0: NDArray[np.float64]
    fluorescence: NDArray[np.float64]


class Spectrometer:
    """Beam, monochromator and detectors without a state: all chance comes from the caller."""

    def __init__(self, options: BeamOptions) -> None:
        self._options = options
        self._library = load_library(options.broadening_ev, options.damaged_scans)

    @property
    def range_ev(self) -> tuple[float, float]:
        """Energies that can be asked for at any drift."""
        margin = self._options.drift_limit_ev + GRID_STEP_EV
        return self._library.first_ev + margin, self._library.last_ev - margin

    def expose(
        self,
        fractions: ArrayLike,
        drift_ev: ArrayLike,
        energies_ev: ArrayLike,
        exposure_s: float,
        rng: np.random.Generator,
    ) -> Counts:
        """Return the counts of *n* exposures with the shutter open.

        *fractions* `n x 3` (Cu, Cu2O, CuO), *drift_ev* `n` (true minus indicated energy),
        *energies_ev* `m` as indicated; every energy counts for *exposure_s*. Raises ExposureError
        for energies outside of `range_ev` and times that aren't positive.
        """
        energies = self.checked(energies_ev, exposure_s)
        shares = np.atleast_2d(np.asarray(fractions, dtype=np.float64))
        drifts = np.broadcast_to(np.asarray(drift_ev, dtype=np.float64), (len(shares),))
        i0 = np.empty((len(shares), len(energies)))
        fluorescence = np.empty_like(i0)
        for start in range(0, len(shares), _CHUNK):
            some = slice(start, start + _CHUNK)
            mu = self._absorption(shares[some], drifts[some], energies, rng)
            i0[some], fluorescence[some] = self._counted(mu, exposure_s, rng)
        return Counts(i0, fluorescence)

    def dark(self, energies_ev: ArrayLike, exposure_s: float, rng: np.random.Generator) -> Counts:
        """Return the counts (`m`) of one exposure with the shutter closed."""
        energies = self.checked(energies_ev, exposure_s)
        mean = self._options.dark_counts_per_s * exposure_s
        i0, fluorescence = rng.poisson(mean, size=(2, len(energies))).astype(np.float64)
        return Counts(i0, fluorescence)

    def checked(self, energies_ev: ArrayLike, exposure_s: float) -> NDArray[np.float64]:
        """Return the energies as an array, or refuse them or the time."""
        energies = np.asarray(energies_ev, dtype=np.float64)
        low, high = self.range_ev
        if energies.ndim != 1 or energies.size == 0:
            raise ExposureError(
                "copper twin: energies must be a list with at least one; none taken"
            )
        wrong = energies[~((energies >= low) & (energies <= high))]
        if wrong.size:
            raise ExposureError(
                f"copper twin: asked for {wrong[0]:g} eV ({wrong.size} of {energies.size} energies "
                f"so), recorded scans cover {low:.1f} to {high:.1f} eV; nothing was exposed"
            )
        if not (np.isfinite(exposure_s) and exposure_s > 0):
            raise ExposureError(
                f"copper twin: asked for an exposure of {exposure_s} s, it must be above 0 s and "
                "finite; nothing was exposed"
            )
        return energies

    def _absorption(
        self,
        fractions: NDArray[np.float64],
        drifts: NDArray[np.float64],
        energies: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return F of the module's formula, `n x m`, each spectrum from its own mix of repeats."""
        library = self._library
        weights = rng.standard_exponential((len(fractions), len(library.basis)))
        for column, group in enumerate(library.groups):
            part = weights[:, group]
            part *= fractions[:, column : column + 1] / part.sum(axis=1, keepdims=True)
        position = (energies + drifts[:, None] - library.first_ev) / GRID_STEP_EV
        index = position.astype(np.intp)
        low, high = int(index.min()), int(index.max()) + 2
        mixed = weights @ library.basis[:, low:high]
        left = index - low + (high - low) * np.arange(len(fractions))[:, None]
        flat = mixed.ravel()
        below = flat[left]
        mu = below + (position - index) * (flat[left + 1] - below)
        s = self._options.self_absorption
        positive = np.maximum(mu, 0.0)
        return np.asarray(positive * (1.0 + s) / (1.0 + s * positive), dtype=np.float64)

    def _counted(
        self, mu: NDArray[np.float64], exposure_s: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return I0 and fluorescence counts; the beam's intensity varies between exposures."""
        o = self._options
        dark = o.dark_counts_per_s * exposure_s
        jitter = 1.0 + o.flux_jitter * rng.standard_normal((len(mu), 1))
        beam = o.i0_counts_per_s * exposure_s * np.maximum(jitter, 0.0)
        i0 = rng.poisson(np.broadcast_to(beam + dark, mu.shape))
        fluorescence = rng.poisson(beam * o.fluorescence_yield * (mu + o.background) + dark)
        return i0.astype(np.float64), fluorescence.astype(np.float64)
