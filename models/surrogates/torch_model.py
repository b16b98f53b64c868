"""What BoTorch sees of a surrogate: a normal joint posterior with the surrogate's moments."""

from collections.abc import Callable
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

from models.surrogates.training import Array

JITTER = 1e-8
"""Variance added to each point, so that a few members or a point asked twice can be sampled."""

Moments = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""X (batch x q x d) to mean (batch x q), covariance of the mean outcomes (batch x q x q) and the
variance of one experiment around it (batch x q)."""


class MomentModel(Model):
    """A BoTorch model of one outcome with given *moments*, in double precision.

    ``posterior`` is differentiable in X as far as *moments* are. Nothing can be fitted or
    conditioned: it stands for a surrogate that doesn't change any more.
    """

    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self._moments = moments

    @property
    def num_outputs(self) -> int:
        """One outcome."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """None of its own."""
        return torch.Size([])

    def subset_output(self, idcs: list[int]) -> Model:
        """Return the model itself: there is one output."""
        if idcs != [0]:
            raise ValueError(f"a surrogate has the output 0 alone, asked for {idcs}")
        return self

    def posterior(
        self,
        X: Tensor,  # noqa: N803
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **_: Any,
    ) -> Posterior:
        """Return the joint posterior at X (batch x q x d); with noise that of experiments."""
        mean, covariance, scatter = self._moments(X)
        if observation_noise is not False:
            covariance = covariance + torch.diag_embed(scatter)
        covariance = covariance + JITTER * torch.eye(mean.shape[-1], dtype=mean.dtype)
        posterior = GPyTorchPosterior(MultivariateNormal(mean, covariance))
        return posterior if posterior_transform is None else posterior_transform(posterior)


def tensor(array: Array) -> Tensor:
    """Return *array* as a tensor of double precision."""
    return torch.as_tensor(array, dtype=torch.float64)
