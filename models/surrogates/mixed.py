"""A Gaussian process for numbers and options together.

Groups of several columns are options (one-hot), the others numbers. The kernel is the idea of
BoTorch's MixedSingleTaskGP: with C a Matérn-5/2 kernel of the numbers and H an exponential one of
how many options differ, k = a (C + H) / 2 + (1 - a) C H, so that numbers may act alike or not with
every option. H = exp(-Σ_g h_g / l_g), h_g the half squared distance of the columns: one where
options differ, and differentiable between them.
"""

import math

import numpy as np
import torch
from torch import Tensor

from models.surrogates.evidence import NOISE_PRIOR, length_prior
from models.surrogates.exact import Conditioned, matern
from models.surrogates.gaussian import LENGTH_BOUNDS, NOISE_BOUNDS
from models.surrogates.kernel import correlation
from models.surrogates.likelihood import best, evidence, means_of
from models.surrogates.torch_model import tensor
from models.surrogates.training import Array, Groups, Training

OPTION_PRIOR = (math.log(2.0), 1.0)
"""Log-normal prior of an option's length, for one categorical parameter; more of them, longer."""
SHARE_PRIOR = (0.0, 1.5)
"""Normal prior of the logit of a, the additive share."""


class MixedKernel:
    """Where the parameters stand in a vector of logs: numbers, options, logit of a, noise."""

    def __init__(self, training: Training) -> None:
        widths = np.bincount(training.groups)
        self.numbers: Groups = np.flatnonzero(widths[training.groups] == 1)
        self.options = [np.flatnonzero(training.groups == g) for g in np.flatnonzero(widths > 1)]
        self.inputs = training.inputs[:, self.numbers]
        # n x n x options: half squared distance of the columns of each categorical parameter
        self.differ = (
            np.stack(
                [_half_square(training.inputs[:, columns]) for columns in self.options], axis=-1
            )
            if self.options
            else np.zeros((*2 * (len(training.inputs),), 0))
        )
        self.training = training

    @property
    def size(self) -> int:
        """The number of lengthscales."""
        return len(self.numbers) + len(self.options)

    def prior(self) -> tuple[Array, Array]:
        """Return location and scale of the normal priors of the parameters (size + 2)."""
        location, scale = length_prior(self.size)
        many = OPTION_PRIOR[0] + math.log(max(len(self.options), 1)) / 2
        rows = [(location, scale)] * len(self.numbers) + [(many, OPTION_PRIOR[1])] * len(
            self.options
        )
        middle, width = np.array([*rows, SHARE_PRIOR, NOISE_PRIOR]).T
        return middle, width

    def loss(self, parameters: Array) -> tuple[float, Array]:
        """Return the negative log posterior of *parameters* (size + 2) and its gradient."""
        count = len(self.numbers)
        lengths, spans = np.exp(parameters[:count]), np.exp(parameters[count : self.size])
        share, noise = 1 / (1 + math.exp(-parameters[-2])), math.exp(parameters[-1])
        by_number, slope = correlation(self.inputs, self.inputs, lengths)
        by_option = np.exp(-self.differ @ (1 / spans))
        plain, product = (by_number + by_option) / 2, by_number * by_option
        covariance = share * plain + (1 - share) * product
        covariance.flat[:: len(covariance) + 1] += self.training.known + noise
        outcomes = self.training.outcomes
        value, inner = evidence(covariance, outcomes, np.ones((len(outcomes), 1)))
        moved = inner * (share / 2 + (1 - share) * by_option) * slope
        square = np.square(self.inputs)
        pull = moved.sum(0) @ square - np.einsum("nd,nd->d", self.inputs, moved @ self.inputs)
        turned = inner * (share / 2 + (1 - share) * by_number) * by_option
        gradient = np.concatenate(
            [
                pull / lengths**2,
                0.5 * np.einsum("nm,nmg->g", turned, self.differ) / spans,
                [0.5 * share * (1 - share) * np.sum(inner * (plain - product))],
                [0.5 * np.trace(inner) * noise],
            ]
        )
        middle, width = self.prior()
        away = (parameters - middle) / width
        return -(value - 0.5 * float(away @ away)), -(gradient - away / width)

    def torch_kernel(self, parameters: Array) -> "_Torch":
        """Return the kernel at *parameters* for points (batch x m x d)."""
        count = len(self.numbers)
        spans = np.exp(parameters[count : self.size])
        share = 1 / (1 + math.exp(-parameters[-2]))
        return _Torch(self.numbers, self.options, tensor(np.exp(parameters[:count])), spans, share)


class _Torch:
    def __init__(
        self, numbers: Groups, options: list[Groups], lengths: Tensor, spans: Array, share: float
    ) -> None:
        self._numbers, self._lengths, self._share = torch.as_tensor(numbers), lengths, share
        columns = np.concatenate(options) if options else np.zeros(0, dtype=np.int64)
        self._columns = torch.as_tensor(columns)
        widths = [len(group) for group in options]
        self._scales = tensor(np.repeat(1 / np.sqrt(2 * spans), widths))

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        ours, theirs = (points[..., self._numbers] / self._lengths for points in (left, right))
        by_number = matern(ours, theirs)
        ours, theirs = (points[..., self._columns] * self._scales for points in (left, right))
        square = ours.square().sum(-1)[..., :, None] + theirs.square().sum(-1)[..., None, :]
        by_option = torch.exp(-(square - 2 * ours @ theirs.mT))
        return self._share / 2 * (by_number + by_option) + (1 - self._share) * by_number * by_option


def fit(training: Training) -> Conditioned:
    """Return the process at the best hyperparameters found; there is no chance in it.

    Works without options or without numbers too. FitError if no search succeeds.
    """
    from scipy.linalg import cho_solve

    mixed = MixedKernel(training)
    middle, width = mixed.prior()
    short = np.concatenate([middle[:-2] - width[:-2], [0.0, -2.0]])
    lengths, noises = np.log(LENGTH_BOUNDS), np.log(NOISE_BOUNDS)
    bounds = np.array([lengths] * mixed.size + [(-6.0, 6.0), noises])
    starts = [np.clip(start, *bounds.T) for start in (np.append(middle[:-1], -5.0), short)]
    parameters = best(mixed.loss, starts, bounds)
    kernel, inputs = mixed.torch_kernel(parameters), tensor(training.inputs)
    noise = math.exp(parameters[-1])
    covariance = kernel(inputs, inputs).numpy() + np.diag(training.known + noise)
    factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    basis = np.ones((len(inputs), 1))
    mean = float(means_of(factor, training.outcomes, basis)[0])
    weights = cho_solve((factor, True), training.outcomes - mean)
    return Conditioned(
        "gp of numbers and options",
        training,
        kernel,
        lambda points: kernel(points, inputs),
        tensor(factor),
        tensor(weights),
        mean,
        noise,
    )


def _half_square(columns: Array) -> Array:
    """Return half the squared distances (n x n) of rows of *columns* (n x k)."""
    square = np.square(columns).sum(1)
    return np.asarray(np.maximum((square[:, None] + square - 2 * columns @ columns.T) / 2, 0.0))
