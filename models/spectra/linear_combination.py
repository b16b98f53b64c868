"""Fractions by linear combination of the references: the checked baseline.

Non-negative least squares on the mean spectrum of each label, with or without a search for the
energy shift. Its sigma holds the noise, the scatter of the repeats and the shift.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from models.spectra.mixture import Basis
from models.spectra.spectrum import FloatArray, Spectrum

SEARCH_EV = 6.0
"""Energy scales of beamlines differ by a few eV; the edge brings coarser offsets to within this."""

COARSE_SHIFT_EV = 0.5
FINE_SHIFT_EV = 0.05

SHIFT_SIGMA_EV = 0.1
"""What is left of the shift after the search, as a standard uncertainty."""


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """A fit: *fractions* (k) that sum to one, their covariance (k x k), the *shift* (eV) by which
    the spectrum was moved to the references, the normalised *spectrum* and the *residual* (f)."""

    fractions: FloatArray
    covariance: FloatArray
    shift: float
    spectrum: FloatArray
    residual: FloatArray

    @property
    def rms(self) -> float:
        """Root mean square of the residual, in edge steps."""
        return float(np.sqrt(np.mean(self.residual**2)))


def fit_combination(spectrum: Spectrum, basis: Basis, noise: float) -> Combination:
    """Return the combination after a search of the shift within ``SEARCH_EV``.

    *noise* is the standard deviation of one fine bin, in edge steps.
    """
    coarse = np.arange(-SEARCH_EV, SEARCH_EV + 1e-9, COARSE_SHIFT_EV)
    near = _best_shift(spectrum, basis, coarse)
    middle = near + np.arange(-0.5, 0.51, 0.25)
    near = _best_shift(spectrum, basis, middle)
    return fit_at(spectrum, basis, noise, _best_shift(spectrum, basis, near + _PATTERN))


_PATTERN = np.arange(-0.25, 0.251, FINE_SHIFT_EV)


def fit_at(spectrum: Spectrum, basis: Basis, noise: float, shift: float = 0.0) -> Combination:
    """Return the combination with *spectrum* moved by *shift* eV (without a search)."""
    mu = basis.frame.normalised(spectrum, [shift])[0]
    columns = design(basis)
    weights, _ = nnls(columns, mu)
    residual = mu - columns @ weights
    fractions = fractions_of(weights[: len(basis.labels)], basis)
    return Combination(fractions, _covariance(mu, basis, fractions, noise), shift, mu, residual)


def design(basis: Basis) -> FloatArray:
    """Return the columns of the fit (f x c): means of the labels, then background both ways.

    A scan too short for a pre-edge line keeps its slope and offset; they are fitted here.
    """
    frame = basis.frame
    if frame.span[0] < -45 and frame.span[1] > 190:
        return basis.means.T
    x = frame.centers[frame.fine]
    slope = x / np.abs(x).max()
    ones = np.ones_like(x)
    return np.column_stack([basis.means.T, ones, -ones, slope, -slope])


def fractions_of(weights: FloatArray, basis: Basis) -> FloatArray:
    """Return fractions by edge step (k) from weights of the normalised references (k)."""
    shares = weights / basis.label_steps
    total = float(shares.sum())
    if total <= 0:
        return np.full(weights.size, 1.0 / weights.size)
    return np.asarray(shares / total)


def _best_shift(spectrum: Spectrum, basis: Basis, shifts: FloatArray) -> float:
    columns = design(basis)
    misfits = [nnls(columns, mu)[1] for mu in basis.frame.normalised(spectrum, shifts)]
    return float(shifts[int(np.argmin(misfits))])


def _covariance(mu: FloatArray, basis: Basis, fractions: FloatArray, noise: float) -> FloatArray:
    """Return the covariance of the fractions (k x k), by linear propagation.

    With f = J y on all labels: noise² J Jᵀ + Σ fₖ² Σ (J dₖ)(J dₖ)ᵀ + (σ_shift J y')(…)ᵀ, then
    the part along the sum is taken out: fractions sum to one.
    """
    count = len(basis.labels)
    solve = np.linalg.pinv(design(basis), rcond=1e-6)[:count]
    slope = np.gradient(mu, basis.frame.centers[basis.frame.fine])
    covariance = noise**2 * solve @ solve.T
    for label in range(count):
        strayed = fractions[label] * basis.strays[label] @ solve.T
        covariance = covariance + strayed.T @ strayed
    moved = SHIFT_SIGMA_EV * solve @ slope
    covariance = covariance + np.outer(moved, moved)
    project = np.eye(count) - np.outer(fractions, np.ones(count))
    return np.asarray(project @ covariance @ project.T)
