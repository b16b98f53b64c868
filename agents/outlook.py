"""What is known of one outcome, in several equally likely ways.

Where experiments are noisy or pending nobody knows the best outcome so far. A scenario supposes
outcomes without noise at the points in question, drawn together from the posterior; each point's
expected improvement is then averaged over the scenarios (Letham et al., "Constrained Bayesian
Optimization with Noisy Experiments", Bayesian Analysis 14, 2019).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.surrogates.factor import solved, solved_back
from models.surrogates.gaussian import GaussianProcess, Slopes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outlook:
    """A process (n observations, supposed ones included) with s sets of weights (n x s)."""

    process: GaussianProcess
    weights: Array

    @classmethod
    def plain(cls, process: GaussianProcess) -> "Outlook":
        """Return the one scenario in which nothing is supposed."""
        return cls(process, process.weights[:, None])

    @classmethod
    def supposing(cls, process: GaussianProcess, places: Array, outcomes: Array) -> "Outlook":
        """Return the scenarios in which *places* (q x d) had *outcomes* (q x s), without noise."""
        longer = process.supposing(places, outcomes[:, 0])
        told = process.residuals
        right = np.vstack(
            [np.repeat(told[:, None], outcomes.shape[1], axis=1), outcomes - process.mean]
        )
        weights = solved_back(longer.factor, solved(longer.factor, right))
        longer.__dict__["_weighted"] = (weights[:, 0], process.mean)
        return cls(longer, weights)

    def at(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m x s) and standard deviation (m) at *points* (m x d)."""
        return self.process.moments_of(points, self.weights)

    def slopes(self, points: Array) -> Slopes:
        """Return the same with gradients."""
        return self.process.slopes(points, self.weights)


def drawn(process: GaussianProcess, places: Array, normals: Array) -> Array:
    """Return outcomes (q x s) without noise at *places* (q x d), of standard *normals* (q x s)."""
    mean, covariance = process.joint(places)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean[:, None] + root @ normals)


def normals_of(count: int, scenarios: int, seed: int) -> Array:
    """Return *count* x *scenarios* quasi-random standard normal numbers; the same for a *seed*."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    engine = qmc.Sobol(count, rng=np.random.default_rng(seed))
    power = int(np.ceil(np.log2(max(scenarios, 1))))
    uniform = engine.random_base2(power)[:scenarios]
    return np.asarray(ndtri(np.clip(uniform, 1e-9, 1 - 1e-9)).T)
