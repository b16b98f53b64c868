"""Simulated scans of mixtures: a bank of patterns, added by mass, on a background, counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.diffraction.conditions import (
    Conditions,
    between,
    draw_instruments,
    draw_shapes,
)
from models.diffraction.grid import Grid
from models.diffraction.pattern import PhasePatterns
from models.diffraction.phase import Phase
from models.diffraction.radiation import Radiation


@dataclass(frozen=True, slots=True)
class Mixtures:
    """A batch (b) of simulated scans.

    ``counts`` (b x n); ``fractions`` (b x k) by mass of the known phases, which sum to one less
    ``foreign`` (b), the part of something unknown.
    """

    counts: torch.Tensor
    fractions: torch.Tensor
    foreign: torch.Tensor


class Bank:
    """Patterns of *phases* (k) in *variants* states of an instrument: k x v x n, per mass."""

    def __init__(
        self,
        phases: Sequence[Phase],
        grid: Grid,
        radiation: Radiation,
        conditions: Conditions | None = None,
    ) -> None:
        self.conditions = conditions or Conditions()
        self.grid, self.radiation = grid, radiation
        self.simulators = [PhasePatterns(phase, grid, radiation) for phase in phases]

    def draw(self, variants: int, random: torch.Generator) -> torch.Tensor:
        """Return new patterns (k x v x n); those of one v share the state of the instrument."""
        states = draw_instruments(self.conditions, self.radiation, variants, random)
        return torch.stack(
            [
                simulator(draw_shapes(self.conditions, simulator.phase, states, random))
                for simulator in self.simulators
            ]
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is mixed: how probable 1, 2, … phases are, the *least* fraction of each by mass.

    ``foreign`` is how often something unknown is among them, ``alone`` how often then alone.
    """

    numbers: tuple[float, ...] = (0.25, 0.35, 0.3, 0.1)
    least: float = 0.05
    foreign: float = 0.0
    alone: float = 0.3
    foreign_share: tuple[float, float] = (0.15, 0.7)


def fractions_of(recipe: Recipe, phases: int, count: int, random: torch.Generator) -> torch.Tensor:
    """Return fractions (count x phases) that sum to one, each 0 or at least *recipe.least*."""
    numbers = torch.tensor(recipe.numbers[:phases])
    number = 1 + torch.multinomial(numbers, count, replacement=True, generator=random)
    rank = torch.rand(count, phases, generator=random).argsort(dim=1).argsort(dim=1)
    chosen = rank < number[:, None]
    share = -torch.rand(count, phases, generator=random).clamp(min=1e-9).log() * chosen
    share = share / share.sum(dim=1, keepdim=True)
    return torch.where(chosen, recipe.least + (1 - recipe.least * number[:, None]) * share, 0.0)


def mix(
    bank: torch.Tensor,
    fractions: torch.Tensor,
    random: torch.Generator,
    strangers: torch.Tensor | None = None,
    recipe: Recipe | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mixtures (b x n) of *bank* (k x v x n) without background, fractions and foreign.

    *strangers* (f x v x n), patterns of unknown phases of any scale, are added as often as
    *recipe* says, with a share of the scattered intensity, not of mass, that it draws.
    """
    batch, variants = fractions.shape[0], bank.shape[1]
    state = torch.randint(variants, (batch,), generator=random)
    pattern = torch.zeros(batch, bank.shape[2])
    for k in range(bank.shape[0]):
        rows = fractions[:, k].nonzero()[:, 0]
        pattern.index_add_(0, rows, fractions[rows, k, None] * bank[k, state[rows]])
    foreign = torch.zeros(batch)
    if strangers is None or recipe is None or recipe.foreign == 0:
        return pattern, fractions, foreign
    wanted = torch.rand(batch, generator=random) < recipe.foreign
    alone = torch.rand(batch, generator=random) < recipe.alone
    share = between(recipe.foreign_share, (batch,), random)
    foreign = torch.where(wanted, torch.where(alone, 1.0, share), 0.0)
    which = torch.randint(strangers.shape[0], (batch,), generator=random)
    other = strangers[which, state]
    other = other / other.sum(dim=1, keepdim=True).clamp(min=1e-12)
    total = pattern.sum(dim=1, keepdim=True)
    part = foreign[:, None]
    return pattern * (1 - part) + other * total * part, fractions * (1 - part), foreign


def measure(
    pattern: torch.Tensor, grid: Grid, conditions: Conditions, random: torch.Generator
) -> torch.Tensor:
    """Return counts (b x n) of *pattern* (b x n) over a background, with counting noise."""
    batch = pattern.shape[0]
    top = between(conditions.counts, (batch, 1), random, log=True)
    signal = pattern * (top / pattern.amax(dim=1, keepdim=True).clamp(min=1e-12))
    level = between(conditions.background, (batch, 1), random, log=True) * top
    strays = conditions.stray * top * _strays(grid, batch, random)
    mean = signal + level * _background(grid, batch, random) + strays
    return (mean + mean.sqrt() * torch.randn(mean.shape, generator=random)).round_().clamp_(min=0)


def _strays(grid: Grid, batch: int, random: torch.Generator) -> torch.Tensor:
    """Return a lonely line (b x n) of a height up to 1 in two of three scans."""
    x = torch.linspace(grid.start, grid.stop, grid.count)
    place = between((grid.start, grid.stop), (batch, 1), random)
    height = (1.5 * torch.rand((batch, 1), generator=random) - 0.5).clamp(min=0.0)
    return height * torch.exp(-0.5 * ((x - place) / 0.06).square())


def _background(grid: Grid, batch: int, random: torch.Generator) -> torch.Tensor:
    """Return smooth curves (b x n) of about unit size: a slope, air at small angles, a hump."""
    x = torch.linspace(0, 1, grid.count)
    slope = between((-0.6, 0.6), (batch, 1), random)
    bend = between((-0.4, 0.4), (batch, 1), random)
    air = between((0.0, 3.0), (batch, 1), random) * torch.exp(
        -x * (grid.stop - grid.start) / between((2.0, 12.0), (batch, 1), random)
    )
    hump = (
        between((0.0, 1.5), (batch, 1), random) * torch.rand((batch, 1), generator=random).round()
    )
    place = between((0.05, 0.5), (batch, 1), random)
    width = between((0.04, 0.12), (batch, 1), random)
    curve = 1 + slope * (x - 0.5) + bend * (x - 0.5).square() + air
    return (curve + hump * torch.exp(-0.5 * ((x - place) / width).square())).clamp(min=0.05)


def simulate(
    bank: Bank, recipe: Recipe, count: int, random: torch.Generator, variants: int = 64
) -> Mixtures:
    """Return *count* scans of mixtures by *recipe*, without anything unknown."""
    patterns = bank.draw(variants, random)
    fractions = fractions_of(recipe, patterns.shape[0], count, random)
    pattern, fractions, foreign = mix(patterns, fractions, random)
    return Mixtures(measure(pattern, bank.grid, bank.conditions, random), fractions, foreign)
