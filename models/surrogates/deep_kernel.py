"""A deep kernel: a Gaussian process on inputs that a network has bent.

Wilson, Hu, Salakhutdinov & Xing (AISTATS 2016), kernel and network trained on the marginal
likelihood. The network only adds to the scaled inputs, u = x / l + g(x), begins at zero, and has
a prior on its weights: it starts from the plain process and departs from it as far as the
evidence pays for it. What is far in x stays far in u (the idea of van Amersfoort et al., "On
Feature Collapse and Deep Kernel Learning", 2021), so that the process still knows what it
doesn't know.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.surrogates import gaussian
from models.surrogates.evidence import NOISE_PRIOR, length_prior
from models.surrogates.exact import Conditioned, matern
from models.surrogates.gaussian import LENGTH_BOUNDS, NOISE_BOUNDS
from models.surrogates.networks import Network, seeded
from models.surrogates.torch_model import tensor
from models.surrogates.training import FitError, Training

STEPS = 150
RATE = 2e-2
HIDDEN = 24
DECAY = 3.0
"""Precision of the normal prior on the weights, those at the beginning of a network being 1."""


@dataclass(frozen=True)
class _State:
    """What is trained: the network, logs of the lengths (p) and of the noise variance."""

    network: Network
    lengths: Tensor
    noise: Tensor
    groups: Tensor

    def bent(self, points: Tensor) -> Tensor:
        """Return u (batch x n x d) of *points* (batch x n x d)."""
        flat = points.reshape(1, -1, points.shape[-1])
        added = self.network(flat).reshape(points.shape)
        bent: Tensor = points / self.lengths.exp()[self.groups] + added
        return bent

    def kernel(self, left: Tensor, right: Tensor) -> Tensor:
        """Return correlations (batch x m x n)."""
        return matern(self.bent(left), self.bent(right))

    def limited(self) -> None:
        """Bring lengths and noise back within their bounds."""
        self.lengths.data.clamp_(*(math.log(bound) for bound in LENGTH_BOUNDS))
        self.noise.data.clamp_(*(math.log(bound) for bound in NOISE_BOUNDS))


def fit(training: Training, seed: int) -> Conditioned:
    """Return the process on *training* with its bent inputs; the same for the same arguments.

    FitError where the covariance can't be factorised.
    """
    plain = gaussian.fit(training)
    columns = training.inputs.shape[1]
    with seeded(seed):
        network = Network(1, columns, columns, HIDDEN)
        with torch.no_grad():
            network.weights[2].mul_(0.1)
        lengths = torch.log(tensor(plain.lengths)).requires_grad_()
        noise = torch.tensor(math.log(plain.noise), dtype=torch.float64, requires_grad=True)
        state = _State(network, lengths, noise, torch.as_tensor(training.groups))
        try:
            _descend(state, training)
            with torch.no_grad():
                factor, weights, mean = _conditioned(state, training)
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
            raise FitError(f"covariance of {len(training.outcomes)} points is singular") from error
    network.requires_grad_(False)
    state = _State(network, lengths.detach(), noise.detach(), state.groups)
    inputs = tensor(training.inputs)
    return Conditioned(
        "deep kernel",
        training,
        state.kernel,
        lambda points: state.kernel(points, inputs),
        factor,
        weights,
        float(mean),
        math.exp(noise.item()),
    )


def _descend(state: _State, training: Training) -> None:
    """Train *state* in place: the best of its way, by the posterior density of all parameters."""
    parameters = [*state.network.parameters(), state.lengths, state.noise]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    least, best = math.inf, [parameter.detach().clone() for parameter in parameters]
    for _ in range(STEPS):
        loss = _loss(state, training)
        if loss.item() < least:
            least, best = loss.item(), [parameter.detach().clone() for parameter in parameters]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimiser.step()
        state.limited()
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)


def _loss(state: _State, training: Training) -> Tensor:
    """Return the negative log posterior density of what is trained."""
    factor, weights, mean = _conditioned(state, training)
    rest = tensor(training.outcomes) - mean
    misfit = 0.5 * rest @ weights + factor.diagonal().log().sum()
    location, scale = length_prior(training.scales)
    prior = ((state.lengths - location) / scale).square().sum()
    prior = prior + ((state.noise - NOISE_PRIOR[0]) / NOISE_PRIOR[1]).square()
    return misfit + 0.5 * prior + 0.5 * DECAY * state.network.size()


def _conditioned(state: _State, training: Training) -> tuple[Tensor, Tensor, Tensor]:
    """Return the factor (n x n), the weights (n) and the generalised least-squares constant."""
    inputs, outcomes = tensor(training.inputs), tensor(training.outcomes)
    bent = state.bent(inputs)
    covariance = matern(bent, bent) + torch.diag(tensor(training.known) + state.noise.exp())
    factor = torch.linalg.cholesky(covariance)
    both = torch.stack([torch.ones_like(outcomes), outcomes], dim=1)
    ones, solved = torch.cholesky_solve(both, factor).unbind(1)
    mean = solved.sum() / ones.sum()
    return factor, solved - mean * ones, mean
