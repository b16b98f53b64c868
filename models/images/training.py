"""One way to train an ensemble of image networks on simulated batches, in one thread.

Members differ in their first weights and in every batch; the same effort and seed give the same
weights. Convolutions run in bfloat16 while training where the processor has it, half as dear.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Draw = Callable[[int, torch.Generator], tuple[Tensor, ...]]
"""Returns one batch: what the network sees first, then what the loss needs."""

Loss = Callable[..., Tensor]
"""Takes the network's output, then the rest of the batch."""

Progress = Callable[[float], None]
"""Told the part done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent on a training: *steps* of *batch* images for each of *members*."""

    members: int = 3
    steps: int = 800
    batch: int = 8
    rate: float = 3e-3
    width: int = 24
    seed: int = 0


def train_members(
    make: Callable[[], nn.Module],
    draw: Draw,
    loss: Loss,
    effort: Effort,
    progress: Progress | None = None,
) -> nn.ModuleList:
    """Return *effort.members* trained networks, ready to evaluate."""
    members = nn.ModuleList()
    with one_thread_of_torch():
        for index in range(effort.members):
            random = torch.Generator().manual_seed(1000 * effort.seed + index)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1000 * effort.seed + index)
                network = make()
            for step, _ in enumerate(_descent(network, draw, loss, effort, random)):
                if progress is not None and step % 20 == 19:
                    progress((index + (step + 1) / effort.steps) / effort.members)
            members.append(network.half().float().eval())  # as it is kept
    return members


def _descent(
    network: nn.Module, draw: Draw, loss: Loss, effort: Effort, random: torch.Generator
) -> Iterator[float]:
    """Train *network* in place; yields the loss of each step."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=effort.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, effort.rate, total_steps=effort.steps, pct_start=0.15
    )
    network.train()
    for _ in range(effort.steps):
        seen, *rest = draw(effort.batch, random)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = network(seen)
        value = loss(out.float(), *rest)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        yield float(value.detach())


@contextmanager
def one_thread_of_torch() -> Iterator[None]:
    """Let torch use one thread within: more of them only wait for each other at these sizes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy in nats over dimension 1 of *probabilities* (b x k x …)."""
    return -(probabilities * probabilities.clamp(min=1e-9).log()).sum(dim=1)


def shared_and_own(members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean probabilities, epistemic and aleatoric entropy of *members* (m x b x k x …).

    The entropy of the mean is the mean entropy (aleatoric) and what members disagree by
    (epistemic, the mutual information; Houlsby et al., arXiv 1112.5745, eq. 2).
    """
    mean = members.mean(dim=0)
    aleatoric = torch.stack([entropy(member) for member in members]).mean(dim=0)
    return mean, (entropy(mean) - aleatoric).clamp(min=0), aleatoric
