"""A deep ensemble: networks with a mean and a variance each, whose spread grows away from data.

Lakshminarayanan, Pritzel & Blundell (NIPS 2017), with the randomised prior functions of Osband,
Aslanides & Cassirer (NeurIPS 2018): a random network that isn't trained is added to each member,
so that members agree where there are data and differ elsewhere.
"""

import torch
from torch import Tensor

from models.surrogates.members import MemberSurrogate, with_known
from models.surrogates.networks import Descent, Network, descend, seeded
from models.surrogates.training import Training

MEMBERS = 5
PRIOR = 0.7
"""Size of the random prior functions: outcomes are standardised."""
LEAST, MOST = 1e-4, 3.0
"""Limits of the variance that a network can state: nothing is measured better, or varies more."""
DESCENT = Descent(decay=0.3)


def variance_of(raw: Tensor) -> Tensor:
    """Return a network's output as a variance between LEAST and MOST."""
    return LEAST + (MOST - LEAST) * torch.sigmoid(raw - 3.0)


def likelihood(mean: Tensor, variance: Tensor, outcomes: Tensor) -> Tensor:
    """Return the Gaussian negative log-likelihood, each term weighted by its sigma.

    The weight keeps the mean learning where the variance is large (β-NLL with β = 0.5: Seitzer
    et al., ICLR 2022).
    """
    term = 0.5 * ((outcomes - mean).square() / variance + variance.log())
    return term * variance.detach().sqrt()


def fit(training: Training, seed: int, descent: Descent = DESCENT) -> MemberSurrogate:
    """Return an ensemble trained on *training*; the same for the same arguments.

    What is known of the noise is added to the variance that each network states.
    """
    with seeded(seed):
        columns = training.inputs.shape[1]
        network, prior = Network(MEMBERS, columns, 2), Network(MEMBERS, columns, 1)
        prior.requires_grad_(False)

        def members(points: Tensor) -> tuple[Tensor, Tensor]:
            mean, raw = network(points[None]).unbind(-1)
            return mean + PRIOR * prior(points[None])[..., 0], variance_of(raw)

        def misfit(points: Tensor, outcomes: Tensor, known: Tensor) -> Tensor:
            mean, variance = members(points)
            return likelihood(mean, variance + known, outcomes)

        descend(network, training, misfit, descent)
    return MemberSurrogate("deep ensemble", training, with_known(members, training))
