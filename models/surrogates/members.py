"""A surrogate of several members: their spread is what isn't known."""

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

Members = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (n x d) to every member's mean (m x n) and variance of one experiment (m x n)."""


def with_known(members: Members, training: Training) -> Members:
    """Return *members* with the median of the known noise added to what they state themselves."""
    typical = float(np.median(training.known))

    def noisier(points: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = members(points)
        return mean, variance + typical

    return noisier


@dataclass(frozen=True)
class MemberSurrogate:
    """Members that were trained on the same; their means are weighted alike.

    Law of total variance: the epistemic variance is that of the members' means, the aleatoric
    one the mean of their variances (Lakshminarayanan, Pritzel & Blundell, NIPS 2017).
    """

    name: str
    training: Training
    members: Members

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        with seeded(0), torch.no_grad():
            mean, variance = self.members(tensor(points))
        epistemic = mean.std(0).numpy()
        return Posterior(mean.mean(0).numpy(), epistemic, np.sqrt(variance.mean(0).numpy()))

    def botorch(self) -> "Model":
        """Return the same members for BoTorch: their first two moments over points asked at once.

        Differentiable, as far as the members are.
        """
        from models.surrogates.torch_model import MomentModel

        return MomentModel(self._moments)

    def _moments(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        *batch, count, columns = points.shape
        mean, variance = self.members(points.reshape(-1, columns))
        means = mean.reshape(len(mean), *batch, count)
        middle = means.mean(0)
        away = means - middle
        covariance = torch.einsum("m...i,m...j->...ij", away, away) / (len(means) - 1)
        return middle, covariance, variance.mean(0).reshape(*batch, count)
