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
from models.surrogates.training import Array, Training

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
