"""Whether a spectrum can be a mixture of the references at all.

The residual of a fit that may also use what is harmless (a small shift, another resolution, a
slope, the scatter of the repeats, each held to its size) is compared with what noise and
the repeats themselves leave over. Much more than that is a compound that nobody listed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from models.spectra.mixture import Basis
from models.spectra.scatter import LEAST_SCATTER
from models.spectra.spectrum import FloatArray

SUSPECT_AT = 1.0
NOVEL_AT = 1.2
"""Residual over what is expected; chosen on repeats left out, see benchmarks/reducer.py."""

BROADENING_EV2 = 0.25
SLOPE = 0.01
"""Sizes of the harmless: difference of resolution (variance), slope and offset over the range."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """*residual* and *expected* in edge steps (root mean square); *score* is their ratio."""

    residual: float
    expected: float

    @property
    def score(self) -> float:
        """Residual over what noise and repeats explain."""
        return self.residual / self.expected


def novelty_of(mu: FloatArray, basis: Basis, fractions: FloatArray, noise: float) -> Novelty:
    """Return how far the aligned, normalised *mu* (f) is from every mixture of the references.

    *fractions* (k) are the best estimate, *noise* the standard deviation of one fine bin.
    """
    expected = float(
        np.sqrt(noise**2 + np.sum((fractions * basis.left_over) ** 2) + LEAST_SCATTER**2)
    )
    residual = _residual(mu, basis, fractions, expected)
    return Novelty(float(np.sqrt(np.mean(residual**2))), expected)


def _residual(mu: FloatArray, basis: Basis, fractions: FloatArray, expected: float) -> FloatArray:
    """Return the residual (f) of the fit with nuisances, each with a Gaussian prior of its size."""
    nuisances = _nuisances(mu, basis, fractions)
    count, width = nuisances.shape[0], mu.size
    labels = basis.means.shape[0]
    top = np.column_stack([basis.means.T, nuisances.T, -nuisances.T])
    prior = np.column_stack([np.zeros((count, labels)), np.eye(count), -np.eye(count)])
    weights, _ = nnls(
        np.vstack([top, expected * prior]),
        np.concatenate([mu, np.zeros(count)]),
        maxiter=50 * width,
    )
    return np.asarray(mu - top @ weights)


def _nuisances(mu: FloatArray, basis: Basis, fractions: FloatArray) -> FloatArray:
    """Return the harmless changes of a spectrum, each of one standard deviation (h x f)."""
    x = basis.frame.centers[basis.frame.fine]
    slope = np.gradient(mu, x)
    smooth = fractions @ basis.means
    curvature = np.gradient(np.gradient(smooth, x), x)
    rows = [0.2 * slope, BROADENING_EV2 * curvature, np.full_like(x, SLOPE), SLOPE * x / 50.0]
    strays = [fractions[k] * basis.strays[k] for k in range(len(basis.labels))]
    return np.vstack([np.stack(rows), *strays])
