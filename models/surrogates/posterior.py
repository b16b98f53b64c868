"""What a surrogate predicts, and what every surrogate promises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.surrogates.training import Array, Training

if TYPE_CHECKING:
    from botorch.models.model import Model


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is expected at m points, on the scale of the outcomes learned: arrays of length m.

    ``epistemic`` is the standard deviation of the mean outcome, what the surrogate doesn't know;
    ``aleatoric`` that of one experiment around it.
    """

    mean: Array
    epistemic: Array
    aleatoric: Array

    @property
    def sigma(self) -> Array:
        """The standard deviation (m) of one experiment's outcome."""
        return np.asarray(np.hypot(self.epistemic, self.aleatoric))


class Surrogate(Protocol):
    """A fitted model of one outcome over the unit cube; it doesn't change any more."""

    @property
    def name(self) -> str:
        """What it is, as suggestions name it."""
        ...

    @property
    def training(self) -> Training:
        """What it has learned from."""
        ...

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d, unit cube)."""
        ...

    def botorch(self) -> "Model":
        """Return the same model for BoTorch: ``posterior(X)`` of X (batch x q x d), one outcome.

        Its mean and variance are ``predict``'s mean and squared epistemic part.
        """
        ...


Learner = Callable[[Training, int], Surrogate]
"""Fits a surrogate to a training set, with a seed: the same for the same two."""
