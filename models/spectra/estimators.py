"""What gives the fractions of an aligned spectrum: the linear combination or the ensemble."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.spectra.linear_combination import Combination
from models.spectra.mixture import Basis
from models.spectra.spectrum import FloatArray
from models.spectra.training import Training

if TYPE_CHECKING:
    from models.spectra.ensemble import Ensemble

LEAST_VARIANCE = 1e-6
"""No fraction is known better than to 0.001."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """*fractions* (k) that sum to one, their *sigmas* (k), and what they are from, for people.

    *epistemic* (k) is the part of the sigmas that is the model's own; None where it has none.
    """

    fractions: FloatArray
    sigmas: FloatArray
    method: str
    epistemic: FloatArray | None = None


class Estimator(Protocol):
    """Fractions from an aligned spectrum and its linear combination; deterministic."""

    @property
    def identity(self) -> str:
        """What tells this estimator from another, for names and caches."""
        ...

    def estimate(self, combination: Combination, basis: Basis, noise: float) -> Estimate:
        """Return the estimate for *combination*, made in *basis*, with *noise* of a fine bin."""
        ...


class LinearEstimator:
    """The linear combination with shift search, as it is."""

    identity = "linear"

    def estimate(self, combination: Combination, basis: Basis, noise: float) -> Estimate:
        """Return the fractions of the combination and the roots of its variances."""
        variances = np.maximum(np.diag(combination.covariance), LEAST_VARIANCE)
        return Estimate(combination.fractions, np.sqrt(variances), "linear combination")


class EnsembleEstimator:
    """The ensemble of networks; trained for each range at first need unless *cache* has it.

    Falls back to the linear combination, and says so, when the ensemble gives no numbers, can't
    be trained, or torch isn't installed.
    """

    def __init__(self, training: Training, cache: Path | None = None) -> None:
        self.identity = f"ensemble {training}"
        self._training = training
        self._cache = cache
        self._trained: dict[int, tuple[Basis, Ensemble]] = {}

    def estimate(self, combination: Combination, basis: Basis, noise: float) -> Estimate:
        """Return what the ensemble of *basis* says of the aligned spectrum."""
        try:
            ensemble = self._ensemble(basis)
        except (ImportError, RuntimeError) as error:
            return self._fallback(combination, basis, noise, f"no ensemble: {_first_line(error)}")
        means, aleatoric, epistemic = ensemble.parts(combination.spectrum[None], np.array([noise]))
        sigmas = np.sqrt(aleatoric**2 + epistemic**2)
        if np.isfinite(means).all() and np.isfinite(sigmas).all():
            sigma = np.maximum(sigmas[0], np.sqrt(LEAST_VARIANCE))
            return Estimate(means[0], sigma, ensemble.name, epistemic[0])
        return self._fallback(combination, basis, noise, "the ensemble gave no numbers")

    @staticmethod
    def _fallback(combination: Combination, basis: Basis, noise: float, reason: str) -> Estimate:
        linear = LinearEstimator().estimate(combination, basis, noise)
        return replace(linear, method=f"{linear.method} (fallback: {reason})")

    def _ensemble(self, basis: Basis) -> "Ensemble":
        from models.cache import cache_folder
        from models.spectra.store import ensemble_for

        if id(basis) not in self._trained:
            folder = self._cache or cache_folder()
            self._trained[id(basis)] = (basis, ensemble_for(basis, self._training, folder))
        return self._trained[id(basis)][1]


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
