"""Trains the networks on simulated scans that are never the same twice."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from models.diffraction.conditions import Conditions
from models.diffraction.grid import Grid
from models.diffraction.mixing import Bank, Recipe, fractions_of, measure, mix
from models.diffraction.phase import Phase
from models.diffraction.radiation import Radiation
from models.phases.features import features
from models.phases.network import Ensemble
from models.phases.strangers import strangers_of

Progress = Callable[[float], None]
"""Is told how much of the work is done, from 0 to 1."""

REFRESH = 40
"""Steps until the bank is simulated anew."""


@dataclass(frozen=True, slots=True)
class Training:
    """How an ensemble is trained; *steps* are of each member, *variants* of each phase's bank."""

    seed: int = 0
    members: int = 4
    steps: int = 700
    batch: int = 64
    rate: float = 2e-3
    hidden: int = 96
    variants: int = 96
    recipe: Recipe = field(default_factory=lambda: Recipe(foreign=0.12))
    conditions: Conditions = field(default_factory=Conditions)
    cropped: float = 0.35
    """How often only part of the range is measured."""


class Source:
    """Scans to learn from: mixtures of the *phases*, sometimes with something made up."""

    def __init__(
        self, phases: list[Phase], grid: Grid, radiation: Radiation, training: Training
    ) -> None:
        self.phases, self.grid, self.radiation = phases, grid, radiation
        self.training = training
        self.bank = Bank(phases, grid, radiation, training.conditions)

    def patterns(self, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return new patterns of the phases and of strangers (each k x v x n)."""
        count = min(max(len(self.phases), 4), 12)
        made = strangers_of(self.phases, count, random)
        others = Bank(made, self.grid, self.radiation, self.training.conditions)
        variants = self.training.variants
        return self.bank.draw(variants, random), others.draw(variants, random)

    def draw(
        self,
        patterns: tuple[torch.Tensor, torch.Tensor],
        count: int,
        random: torch.Generator,
        recipe: Recipe | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return counts, what is measured (b x n each), fractions (b x k) and foreign (b)."""
        recipe = recipe or self.training.recipe
        wanted = fractions_of(recipe, len(self.phases), count, random)
        pattern, fractions, foreign = mix(patterns[0], wanted, random, patterns[1], recipe)
        counts = measure(pattern, self.grid, self.training.conditions, random)
        measured = self._measured(count, random)
        return counts * measured, measured, fractions, foreign

    def _measured(self, count: int, random: torch.Generator) -> torch.Tensor:
        """Return which points are measured (b x n): all, or a random range of more than half."""
        x = torch.linspace(0, 1, self.grid.count)
        cropped = (torch.rand(count, 1, generator=random) < self.training.cropped).float()
        low = 0.15 * torch.rand(count, 1, generator=random) * cropped
        high = 1 - 0.35 * torch.rand(count, 1, generator=random) * cropped
        return ((x >= low) & (x <= high)).float()


def train(source: Source, progress: Progress) -> Ensemble:
    """Return the ensemble, each member trained on scans of its own; the same for the same seed."""
    training = source.training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        ensemble = Ensemble(
            source.grid.count, len(source.phases), training.members, training.hidden
        )
    random = torch.Generator().manual_seed(training.seed + 1)
    optimisers = [
        torch.optim.AdamW(member.parameters(), lr=training.rate, weight_decay=1e-3)
        for member in ensemble.members
    ]
    patterns = source.patterns(random)
    for step in range(training.steps):
        if step and step % REFRESH == 0:
            patterns = source.patterns(random)
        rate = training.rate * _schedule(step / training.steps)
        for member, optimiser in zip(ensemble.members, optimisers, strict=True):
            counts, measured, fractions, foreign = source.draw(patterns, training.batch, random)
            presence, share = member(features(counts, measured, source.grid))
            loss = loss_of(presence, share, fractions, foreign)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(member.parameters(), 5.0)
            optimiser.step()
        progress((step + 1) / training.steps)
    return ensemble.eval()


def loss_of(
    presence: torch.Tensor, share: torch.Tensor, fractions: torch.Tensor, foreign: torch.Tensor
) -> torch.Tensor:
    """Return the cross-entropies of presence (b x k) and of fractions, added.

    Fractions are those among the known phases, and count as far as there are any.
    """
    present = (fractions > 0).float()
    first = torch.nn.functional.binary_cross_entropy_with_logits(presence, present)
    known = (1 - foreign)[:, None]
    among = fractions / fractions.sum(dim=1, keepdim=True).clamp(min=1e-6)
    second = -(among * torch.log_softmax(share, dim=1) * known).sum(dim=1).mean()
    return first * math.sqrt(presence.shape[1]) + 0.3 * second


def _schedule(part: float) -> float:
    """Return the rate's factor: up over a twentieth, then down as a cosine."""
    return min(1.0, part * 20 + 0.02) * 0.5 * (1 + math.cos(math.pi * part))
