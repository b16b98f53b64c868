"""A Gaussian process that was conditioned on earlier campaigns before its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.surrogates.factor import grown
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.kernel import correlation
from models.surrogates.training import Array, FitError

if TYPE_CHECKING:
    from botorch.models.model import Model


@dataclass(frozen=True)
class Before:
    """What was measured in earlier campaigns, in b rows.

    An outcome there, less its campaign's constant (``residuals``, b), has a covariance of
    ``loads`` (b) times the kernel with what is modelled now, and ``factor`` (b x b) is that of
    their own covariance, noise included. ``likeness`` is how each campaign correlates with this.
    """

    inputs: Array
    loads: Array
    residuals: Array
    factor: Array
    likeness: tuple[float, ...]


@dataclass(frozen=True)
class RelatedProcess(GaussianProcess):
    """A process that rests on what came *before* its own training set."""

    before: Before

    @property
    def name(self) -> str:
        """What it is, as suggestions name it."""
        return "gp over campaigns"

    @property
    def likeness(self) -> Mapping[str, float]:
        """How earlier campaigns correlate with this one, by their number (from 1)."""
        return {str(place): each for place, each in enumerate(self.before.likeness, start=1)}

    @cached_property
    def inputs(self) -> Array:
        """What the process was conditioned on (n x d), earlier campaigns first."""
        return np.vstack([self.before.inputs, self.training.inputs])

    @cached_property
    def _loads(self) -> Array:
        return np.append(self.before.loads, np.ones(len(self.training.outcomes)))

    @cached_property
    def factor(self) -> Array:
        """The Cholesky factor (n x n) of the covariance of all observations."""
        own, before = self.training, self.before
        cross, _ = correlation(before.inputs, own.inputs, self.column_lengths)
        corner, _ = correlation(own.inputs, own.inputs, self.column_lengths)
        corner.flat[:: len(corner) + 1] += own.known + self.noise
        try:
            return grown(before.factor, before.loads[:, None] * cross, corner)
        except np.linalg.LinAlgError as error:
            raise FitError(f"covariance of {len(self._loads)} points is singular") from error

    @cached_property
    def _weighted(self) -> tuple[Array, float]:
        """K^-1 (y - mean) (n), and the generalised least-squares constant of the own outcomes."""
        from scipy.linalg import cho_solve

        by_one, by_told = cho_solve((self.factor, True), self.told, check_finite=False).T
        ones = self.told[:, 0]
        mean = float(ones @ by_told / (ones @ by_one))
        return by_told - mean * by_one, mean

    @property
    def told(self) -> Array:
        """Whose constant each outcome has (1; of earlier campaigns 0), and the outcomes (n x 2)."""
        own, before = self.training.outcomes, self.before.residuals
        ones = np.append(np.zeros_like(before), np.ones_like(own))
        return np.column_stack([ones, np.append(before, own)])

    @property
    def residuals(self) -> Array:
        """All outcomes, each without the mean of its campaign (n)."""
        return np.append(self.before.residuals, self.training.outcomes - self.mean)

    def between(self, points: Array) -> tuple[Array, Array]:
        """Return the covariance of *points* (m x d) with the outcomes (m x n), and its slope."""
        cross, slope = super().between(points)
        return cross * self._loads, slope * self._loads

    def cross(self, points: Array) -> Array:
        """Return the covariance of the outcomes with *points* (n x m)."""
        return super().cross(points) * self._loads[:, None]

    def botorch(self) -> "Model":
        """Return the same process for BoTorch, differentiable."""
        from models.surrogates.related_torch import model_of

        return model_of(self, self.before.loads)
