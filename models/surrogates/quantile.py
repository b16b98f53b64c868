"""A quantile network: it learns where a part of the outcomes lies below, and no shape.

Pinball loss (Koenker & Bassett, Econometrica 46, 1978) for five quantiles that can't cross, by
several networks at once. The mean is taken to be the median, and sigma that of a normal
distribution with the same 5 to 95 % range: (q95 - q05) / (2 · 1.645). So a skewed outcome is
told by its median, and heavy tails count as far as these quantiles feel them. The epistemic part
is the spread of the networks' medians.
"""

import torch
from torch import Tensor

from models.surrogates.ensemble import LEAST, PRIOR
from models.surrogates.members import MemberSurrogate
from models.surrogates.networks import Descent, Network, descend, seeded
from models.surrogates.training import Training

MEMBERS = 5
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_RANGE = 2 * 1.6448536269514722
"""The 5 to 95 % range of a standard normal distribution."""
DESCENT = Descent(decay=0.3)


def fit(training: Training, seed: int, descent: Descent = DESCENT) -> MemberSurrogate:
    """Return quantile networks trained on *training*; the same for the same arguments.

    Quantiles are those of outcomes with all their noise. An observation of known variance v
    (standardised) counts 1 / (1 + v) of one that is exact.
    """
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    with seeded(seed):
        columns = training.inputs.shape[1]
        network, prior = Network(MEMBERS, columns, len(LEVELS)), Network(MEMBERS, columns, 1)
        prior.requires_grad_(False)

        def quantiles(points: Tensor) -> Tensor:
            median, *gaps = network(points[None]).unbind(-1)
            near_low, far_low, near_high, far_high = (
                torch.nn.functional.softplus(gap - 1.0) for gap in gaps
            )
            steps = [-near_low - far_low, -near_low, 0 * median, near_high, near_high + far_high]
            middle = median + PRIOR * prior(points[None])[..., 0]
            found: Tensor = middle[..., None] + torch.stack(steps, dim=-1)
            return found

        def misfit(points: Tensor, outcomes: Tensor, known: Tensor) -> Tensor:
            away = outcomes[:, None] - quantiles(points)
            pinball = torch.maximum(levels * away, (levels - 1) * away).sum(-1)
            weighed: Tensor = pinball / (1 + known)
            return weighed

        descend(network, training, misfit, descent)

    def members(points: Tensor) -> tuple[Tensor, Tensor]:
        found = quantiles(points)
        sigma = (found[..., -1] - found[..., 0]) / NORMAL_RANGE
        return found[..., len(LEVELS) // 2], sigma.square() + LEAST

    return MemberSurrogate("quantile network", training, members)
