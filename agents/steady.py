"""Any surrogate as decisions need it: what is expected, also as if experiments had come out so.

A surrogate that isn't one of our processes can't be grown by rows. What its joint normal posterior
says is enough: supposed outcomes at some places change mean and variance elsewhere as they do in
any normal distribution.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from models.surrogates.gaussian import Slopes
from models.surrogates.posterior import Posterior, Surrogate
from models.surrogates.training import Training

if TYPE_CHECKING:
    from botorch.models.model import Model
    from torch import Tensor

Array = NDArray[np.float64]

CHUNK = 256
"""Points asked at once together with supposed ones: bounds the memory, not the result."""
LEAST = 1e-12
JITTER = 1e-8


@dataclass(frozen=True)
class Steady:
    """A *surrogate*, and *outcomes* (q) that are supposed at *places* (q x d)."""

    surrogate: Surrogate
    places: Array
    outcomes: Array

    @classmethod
    def of(cls, surrogate: Surrogate) -> "Steady":
        """Return *surrogate* with nothing supposed."""
        columns = surrogate.training.inputs.shape[1]
        return cls(surrogate, np.empty((0, columns)), np.empty(0))

    @property
    def name(self) -> str:
        """What it is, as suggestions name it."""
        return self.surrogate.name

    @property
    def training(self) -> Training:
        """What it has learned from."""
        return self.surrogate.training

    @property
    def likeness(self) -> Mapping[str, float]:
        """It knows of no earlier campaigns."""
        return {}

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        mean, sigma = self.moments(points)
        return Posterior(mean, sigma, self.surrogate.predict(points).aleatoric)

    def moments(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m) and standard deviation (m) of the mean outcome at *points* (m x d)."""
        if not len(self.places):
            found = self.surrogate.predict(points)
            return found.mean, np.maximum(found.epistemic, LEAST**0.5)
        import torch

        blocks = [points[at : at + CHUNK] for at in range(0, len(points), CHUNK)]
        with torch.no_grad():
            pairs = [self._conditioned(torch.as_tensor(block)) for block in blocks]
        if not pairs:
            return np.empty(0), np.empty(0)
        return tuple(torch.cat(column).numpy() for column in zip(*pairs, strict=True))  # type: ignore[return-value]

    def means(self, points: Array) -> Array:
        """Return the mean (m) at *points* (m x d) alone."""
        return self.moments(points)[0]

    def imagining(self, points: Array, outcomes: Array) -> "Steady":
        """Return it as if experiments at *points* (m x d) had given *outcomes* (m)."""
        places = np.vstack([self.places, points])
        return replace(self, places=places, outcomes=np.append(self.outcomes, outcomes))

    def slopes(self, points: Array) -> Slopes:
        """Return mean and standard deviation at *points* (m x d) with their gradients.

        Trees have none: theirs are zero.
        """
        import torch

        given = torch.as_tensor(points).clone().requires_grad_(True)
        mean, sigma = self._conditioned(given)
        zero = np.zeros_like(points)
        by_mean = by_sigma = zero
        if mean.requires_grad:
            by_mean = torch.autograd.grad(mean.sum(), given, retain_graph=True)[0].numpy()
            by_sigma = torch.autograd.grad(sigma.sum(), given)[0].numpy()
        values = mean.detach().numpy()[:, None]
        return Slopes(
            values,
            sigma.detach().numpy(),
            np.nan_to_num(by_mean)[:, None, :],
            np.nan_to_num(by_sigma),
        )

    def _conditioned(self, points: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return mean and sigma (m each) at *points* (m x d), given what is supposed."""
        import torch
        from botorch.posteriors.gpytorch import GPyTorchPosterior

        from models.surrogates.networks import seeded

        supposed = torch.as_tensor(self.places)
        count, wanted = len(supposed), points[:, None, :]
        together = torch.cat([wanted, supposed.expand(len(points), *supposed.shape)], dim=1)
        with seeded(0):
            posterior = cast(GPyTorchPosterior, self.surrogate.botorch().posterior(together))
        mean, covariance = posterior.distribution.mean, posterior.distribution.covariance_matrix
        first, variance = mean[:, 0], covariance[:, 0, 0]
        if count:
            scatter = torch.as_tensor(np.square(self.surrogate.predict(self.places).aleatoric))
            cross = covariance[:, 0, 1:, None]
            inner = covariance[:, 1:, 1:] + torch.diag_embed(scatter + JITTER)
            pull = torch.linalg.solve(inner, cross)
            off = torch.as_tensor(self.outcomes) - mean[:, 1:]
            first = first + (pull[..., 0] * off).sum(-1)
            variance = variance - (pull * cross).sum((-2, -1))
        return first, variance.clamp_min(LEAST).sqrt()

    def botorch(self) -> "Model":
        """Return the surrogate for BoTorch; what is supposed isn't part of it."""
        return self.surrogate.botorch()


@dataclass(frozen=True)
class SteadyOutlook:
    """What is known of one outcome, in one way."""

    surrogate: Steady

    def at(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m x 1) and standard deviation (m) at *points* (m x d)."""
        mean, sigma = self.surrogate.moments(points)
        return mean[:, None], sigma

    def slopes(self, points: Array) -> Slopes:
        """Return the same with gradients."""
        return self.surrogate.slopes(points)
