"""MC dropout: one network of which other parts are left out each time.

Gal & Ghahramani ("Dropout as a Bayesian Approximation", ICML 2016). The parts that are left out
for predictions are drawn once, with the seed: predictions can be repeated, are smooth in the
inputs, and points asked together are judged by the same networks.
"""

import torch
from torch import Tensor

from models.surrogates.ensemble import likelihood, variance_of
from models.surrogates.members import MemberSurrogate, with_known
from models.surrogates.networks import Descent, Network, descend, seeded
from models.surrogates.training import Training

SAMPLES = 40
DROPPED = 0.1
HIDDEN = 48
DESCENT = Descent(decay=0.1)


def fit(training: Training, seed: int, descent: Descent = DESCENT) -> MemberSurrogate:
    """Return a network trained on *training* with dropout; the same for the same arguments."""
    with seeded(seed):
        network = Network(1, training.inputs.shape[1], 2, HIDDEN)

        def misfit(points: Tensor, outcomes: Tensor, known: Tensor) -> Tensor:
            mean, raw = network(points[None], _masks(1, len(points))).unbind(-1)
            return likelihood(mean, variance_of(raw) + known, outcomes)

        descend(network, training, misfit, descent)
        kept = _masks(SAMPLES, 1)

    def members(points: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = network(points[None], kept).unbind(-1)
        return mean, variance_of(raw)

    return MemberSurrogate("mc dropout", training, with_known(members, training))


def _masks(members: int, rows: int) -> tuple[Tensor, Tensor]:
    """Return masks of both hidden layers (each members x rows x hidden) of mean one."""
    drawn = torch.rand(2, members, rows, HIDDEN, dtype=torch.float64) >= DROPPED
    first, second = drawn.double() / (1 - DROPPED)
    return first, second
