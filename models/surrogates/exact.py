"""An exact Gaussian process with any kernel: conditioned in torch, once for both its users."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.surrogates.networks import seeded
from models.surrogates.posterior import Posterior
from models.surrogates.torch_model import tensor
from models.surrogates.training import Array, FitError, Training

if TYPE_CHECKING:
    from botorch.models.model import Model

SQRT5 = math.sqrt(5.0)
LEAST_VARIANCE = 1e-12

Kernel = Callable[[Tensor, Tensor], Tensor]
"""Points (batch x m x d) and (batch x n x d) to their covariances (batch x m x n)."""


def matern(left: Tensor, right: Tensor) -> Tensor:
    """Return Matérn-5/2 correlations (batch x m x n) of scaled points."""
    square = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    square = square - 2 * left @ right.mT
    distance = SQRT5 * square.clamp_min(1e-20).sqrt()
    return (1 + distance + distance.square() / 3) * torch.exp(-distance)


@dataclass(frozen=True)
class Conditioned:
    """A zero-mean process given what it was conditioned on, around a constant *mean*.

    *prior* is the kernel between points, *cross* that between points and the n observations,
    *factor* the Cholesky factor of the latter's covariance, *weights* K^-1 (y - mean) (n).
    """

    name: str
    training: Training
    prior: Kernel
    cross: Callable[[Tensor], Tensor]
    factor: Tensor
    weights: Tensor
    mean: float
    noise: float

    @property
    def scatter(self) -> float:
        """The standard deviation of one experiment: learned and, in the median, known noise."""
        return math.sqrt(self.noise + float(np.median(self.training.known)))

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        with seeded(0), torch.no_grad():
            # each point by itself: m x 1 x d
            mean, variance, _ = self._moments(tensor(points)[:, None, :])
        sigma = variance[:, 0, 0].sqrt().numpy()
        return Posterior(mean[:, 0].numpy(), sigma, np.full(len(points), self.scatter))

    def botorch(self) -> "Model":
        """Return the same process for BoTorch, differentiable."""
        from models.surrogates.torch_model import MomentModel

        return MomentModel(self._moments)

    def _moments(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cross = self.cross(points)
        half = torch.linalg.solve_triangular(self.factor, cross.mT, upper=False)
        covariance = self.prior(points, points) - half.mT @ half
        short = (LEAST_VARIANCE - covariance.diagonal(dim1=-2, dim2=-1)).clamp_min(0.0)
        mean = self.mean + cross @ self.weights
        return mean, covariance + torch.diag_embed(short), torch.full_like(mean, self.scatter**2)


def evidence(covariance: Array, outcomes: Array, basis: Array) -> tuple[float, Array]:
    """Return the log marginal likelihood of *outcomes* (n), and 2 d/dK of it (n x n).

    log p = -1/2 r' K^-1 r - 1/2 log|K| - n/2 log 2 pi with r what is left of the outcomes after
    generalised least squares on *basis* (n x t); its derivative by a parameter is
    1/2 tr((w w' - K^-1) dK), w = K^-1 r (Rasmussen & Williams 2006, eqs. 2.30 and 5.9).
    Minus infinity where *covariance* can't be factorised.
    """
    from scipy.linalg import cho_solve

    try:
        factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    except np.linalg.LinAlgError:
        return -math.inf, np.zeros_like(covariance)
    means = means_of(factor, outcomes, basis)
    rest = outcomes - basis @ means
    weights = cho_solve((factor, True), rest)
    value = -0.5 * rest @ weights - np.log(np.diag(factor)).sum()
    value -= 0.5 * len(outcomes) * math.log(2 * math.pi)
    inverse = cho_solve((factor, True), np.eye(len(outcomes)))
    return float(value), np.outer(weights, weights) - inverse


def means_of(factor: Array, outcomes: Array, basis: Array) -> Array:
    """Return the generalised least-squares coefficients (t) of *outcomes* (n) on *basis* (n x t).

    A coefficient that only its prior knows is zero: with a variance of 1e6 for each.
    """
    from scipy.linalg import cho_solve, solve

    solved = cho_solve((factor, True), basis)
    normal = basis.T @ solved + 1e-6 * np.eye(basis.shape[1])
    return np.asarray(solve(normal, solved.T @ outcomes, assume_a="pos"))


def best(loss: Callable[[Array], tuple[float, Array]], starts: list[Array], bounds: Array) -> Array:
    """Return the parameters of least *loss* found from *starts* within *bounds* (p x 2).

    FitError where no search succeeds.
    """
    from scipy.optimize import minimize

    limits = [(float(low), float(high)) for low, high in bounds]
    found, least = None, math.inf
    for start in starts:
        result = minimize(
            loss, start, (), "L-BFGS-B", jac=True, bounds=limits, options={"maxiter": 150}
        )
        if math.isfinite(result.fun) and result.fun < least:
            found, least = result.x, float(result.fun)
    if found is None:
        raise FitError(f"no hyperparameters found from {len(starts)} starts")
    return np.asarray(found)
