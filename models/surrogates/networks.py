"""Small networks, several at once, and how they are trained.

Everything is in double precision and one thread: for tables of some hundred rows that is quick
enough, and sums don't depend on the machine.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from models.surrogates.torch_model import tensor
from models.surrogates.training import Training

GAIN = 2.8
"""Variance of the weights after a hidden layer, times its width: SiLU keeps 0.36 of a variance."""
SPREAD = math.sqrt(12.0)
"""Brings a column that is uniform on [0, 1] to unit variance."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How networks are trained: Adam with a rate that rises and falls once.

    *decay* is the precision of the normal prior on the weights, in units of one observation;
    a step sees *batch* observations at most.
    """

    steps: int = 250
    rate: float = 1e-2
    decay: float = 1.0
    batch: int = 256


class Network(torch.nn.Module):
    """*members* networks of two hidden layers at once: weights have a leading dimension m.

    Input m or 1 x n x d (unit cube), output m x n x *outputs*.
    """

    def __init__(self, members: int, columns: int, outputs: int, hidden: int = 32) -> None:
        super().__init__()
        sizes = [(columns, hidden), (hidden, hidden), (hidden, outputs)]
        self.variances = [1 / columns, GAIN / hidden, GAIN / hidden]
        self.weights = torch.nn.ParameterList(
            [
                math.sqrt(variance) * torch.randn(members, a, b, dtype=torch.float64)
                for (a, b), variance in zip(sizes, self.variances, strict=True)
            ]
        )
        self.biases = torch.nn.ParameterList(
            [torch.zeros(members, 1, b, dtype=torch.float64) for _, b in sizes]
        )
        with torch.no_grad():
            self.biases[0].copy_(torch.randn_like(self.biases[0]))
            self.biases[1].copy_(0.5 * torch.randn_like(self.biases[1]))

    def forward(self, inputs: Tensor, masks: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return the outputs; *masks* (each m x n or 1 x hidden) multiply the hidden units."""
        x = (inputs - 0.5) * SPREAD
        for layer in (0, 1):
            x = torch.nn.functional.silu(x @ self.weights[layer] + self.biases[layer])
            if masks is not None:
                x = x * masks[layer]
        outputs: Tensor = x @ self.weights[2] + self.biases[2]
        return outputs

    def size(self) -> Tensor:
        """Return the sum of squares of the weights, each over its variance at the beginning."""
        return sum(
            (w.square().sum() / v for w, v in zip(self.weights, self.variances, strict=True)),
            start=torch.zeros((), dtype=torch.float64),
        )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from *seed*, in one thread; leave both as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


Misfit = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Inputs (b x d), outcomes (b) and known variances (b) to a misfit per member and row (m x b)."""


def descend(network: Network, training: Training, misfit: Misfit, descent: Descent) -> None:
    """Train *network* in place on the mean of *misfit*, with a prior on its weights."""
    inputs, outcomes = tensor(training.inputs), tensor(training.outcomes)
    known, count = tensor(training.known), len(training.outcomes)
    optimiser = torch.optim.Adam(network.parameters(), lr=descent.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, descent.rate, total_steps=descent.steps, pct_start=0.2
    )
    for _ in range(descent.steps):
        rows = slice(None) if count <= descent.batch else torch.randperm(count)[: descent.batch]
        terms = misfit(inputs[rows], outcomes[rows], known[rows])
        loss = terms.mean(1).sum() + 0.5 * descent.decay * network.size() / count
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    network.requires_grad_(False)
