"""Atomic-resolution images of crystals, as a scanning electron microscope sees columns of atoms.

A lattice of any shape and orientation with one or two atoms in its cell, vacancies, brighter
dopants, thermal displacements, drift (shear, and jitter from line to line), uneven thickness and
counting: Gaussian columns whose height follows the species, Poisson counts at a dose.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BACKGROUND, ATOM, VACANCY, DOPANT = range(4)
CLASSES = ("background", "atom", "vacancy", "dopant")

DISC = 0.30
"""Radius of what counts as a site, in distances between nearest sites."""


@dataclass(frozen=True, slots=True)
class Crystals:
    """How far simulated crystals and scans differ; lengths in pixels unless said.

    *spacing* between nearest sites; *angle* (degrees) and *aspect* of the cell; *two_atoms* the
    part of crystals with a second atom in the middle of the cell, of *second* times the height;
    *vacant* and *doped* parts of sites, a dopant of *bright* times the height; *width* (standard
    deviation) of a column and *thermal* displacement in spacings; *base* between columns and
    *wedge* across the frame in heights of a column; *shear* per line; *jitter* of a line; *dose*
    counts at the top of a column.
    """

    spacing: tuple[float, float] = (6.5, 12.0)
    angle: tuple[float, float] = (60.0, 120.0)
    aspect: tuple[float, float] = (1.0, 1.25)
    two_atoms: float = 0.4
    second: tuple[float, float] = (0.55, 0.85)
    vacant: tuple[float, float] = (0.0, 0.08)
    doped: tuple[float, float] = (0.0, 0.08)
    bright: tuple[float, float] = (1.45, 2.2)
    width: tuple[float, float] = (0.18, 0.26)
    thermal: float = 0.03
    base: tuple[float, float] = (0.03, 0.3)
    wedge: float = 0.2
    shear: float = 0.06
    jitter: float = 0.35
    dose: tuple[float, float] = (30.0, 300.0)


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A batch of simulated images of crystals (n x s x s), in heights of a column.

    *clean* without counting noise, *noisy* with it, *classes* what each pixel shows (index into
    ``CLASSES``), *dose* (n) counts at the top of a column, *sites* (n x m x 3): row, column and
    class of every site near the frame (class background: no site).
    """

    clean: Tensor
    noisy: Tensor
    classes: Tensor
    dose: Tensor
    sites: Tensor


def draw_crystals(
    count: int, random: torch.Generator, size: int = 64, crystals: Crystals | None = None
) -> Views:
    """Return *count* images of *size* pixels a side; the same for the same generator."""
    options = crystals or Crystals()
    places, kinds, heights, spacing = _sites(count, size, options, random)
    width = _between(options.width, count, random) * spacing
    jitter = options.jitter * torch.rand(count, 1, generator=random)
    sway = torch.randn(count, size, generator=random) * jitter
    image = _columns(places, heights, width, size, sway)
    base = _between(options.base, count, random)[:, None, None]
    clean = (image + base) * _wedge(count, size, options.wedge, random)
    dose = 10 ** _between(_log(options.dose), count, random)
    noisy = torch.poisson(clean * dose[:, None, None], generator=random) / dose[:, None, None]
    classes = _classes(places, kinds, spacing, size, sway)
    return Views(clean, noisy, classes, dose, torch.cat([places, kinds[..., None]], dim=2))


def _sites(
    count: int, size: int, options: Crystals, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return places (n x m x 2), kinds and heights (n x m), and nearest distances (n)."""
    a = _between(options.spacing, count, random)
    two = torch.rand(count, generator=random) < options.two_atoms
    cell = _cells(count, a, options, random)
    nearest = _nearest(cell, two)
    cell = cell * (a / nearest)[:, None, None]
    reach = int(0.95 * size / options.spacing[0]) + 2
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    grid = torch.cartesian_prod(steps, steps)
    first = (grid + torch.rand(count, 1, 2, generator=random)) @ cell + size / 2
    second = first + 0.5 * cell.sum(dim=1, keepdim=True)
    places = torch.cat([first, second], dim=1)
    far = (places - size / 2).abs().amax(dim=2) + 1e3 * _absent(first, two)
    kept = int((far < size / 2 + options.spacing[1]).sum(dim=1).max())
    order = far.topk(kept, dim=1, largest=False).indices
    places = places.gather(1, order[..., None].expand(-1, -1, 2))
    absent = far.gather(1, order) > 500
    is_second = order >= first.shape[1]
    lottery = torch.rand(count, kept, generator=random)
    vacant = _between(options.vacant, count, random)[:, None]
    doped = _between(options.doped, count, random)[:, None]
    kinds = torch.full((count, kept), float(ATOM))
    kinds[lottery < vacant] = VACANCY
    kinds[lottery > 1 - doped] = DOPANT
    kinds[absent] = BACKGROUND
    low = _between(options.second, count, random)[:, None]
    heights = torch.where(is_second, low, torch.ones(()))
    heights = heights * torch.where(kinds == DOPANT, _each(options.bright, kinds, random), 1.0)
    heights = heights * ((kinds == ATOM) | (kinds == DOPANT))
    shift = torch.randn(places.shape, generator=random) * options.thermal
    return places + shift * a[:, None, None], kinds, heights, a


def _cells(count: int, a: Tensor, options: Crystals, random: torch.Generator) -> Tensor:
    """Return the cells' vectors as rows (n x 2 x 2), turned at random and sheared by drift."""
    turn = 2 * torch.pi * torch.rand(count, generator=random)
    angle = torch.deg2rad(_between(options.angle, count, random))
    square = torch.rand(count, generator=random)
    angle = torch.where(square < 0.4, torch.pi / 2, angle)
    angle = torch.where(square > 0.8, 2 * torch.pi / 3, angle)
    b = a * torch.where(square > 0.8, 1.0, _between(options.aspect, count, random))
    one = torch.stack([a * turn.sin(), a * turn.cos()], dim=1)
    two = torch.stack([b * (turn + angle).sin(), b * (turn + angle).cos()], dim=1)
    cell = torch.stack([one, two], dim=1)
    shear = options.shear * torch.randn(count, generator=random)
    cell[:, :, 1] += shear[:, None] * cell[:, :, 0]
    return cell


def _nearest(cell: Tensor, two: Tensor) -> Tensor:
    """Return the distance between nearest sites (n) of each cell."""
    one, other = cell[:, 0], cell[:, 1]
    inside = torch.where(two[:, None], 0.5 * (one + other), one)
    across = torch.where(two[:, None], 0.5 * (one - other), other)
    ways = torch.stack([one, other, one + other, one - other, inside, across], dim=1)
    nearest: Tensor = torch.linalg.vector_norm(ways, dim=2).amin(dim=1)
    return nearest


def _absent(first: Tensor, two: Tensor) -> Tensor:
    """Return 1 for second atoms of crystals that have one (n x 2g)."""
    single = (~two).float()[:, None].expand(-1, first.shape[1])
    return torch.cat([torch.zeros_like(single), single], dim=1)


def _columns(
    places: Tensor, heights: Tensor, width: Tensor, size: int, sway: Tensor | None
) -> Tensor:
    """Return the sum of Gaussians of *width* (n) at *places* (n x s x s)."""
    pixels = torch.arange(size, dtype=torch.float32) + 0.5
    scale = 0.5 / width[:, None, None] ** 2
    rows = torch.exp(-((places[..., 0, None] - pixels) ** 2) * scale)
    columns = torch.exp(-((places[..., 1, None] - pixels) ** 2) * scale)
    image = (rows * heights[..., None]).transpose(1, 2) @ columns
    return image if sway is None else swayed(image, sway)


def swayed(image: Tensor, sway: Tensor) -> Tensor:
    """Return *image* (n x h x w) with each line moved sideways by *sway* pixels (n x h)."""
    width = image.shape[2]
    place = torch.arange(width, dtype=torch.float32) - sway[..., None]
    place = place.clamp(0, width - 1.001)
    left = place.floor()
    part = place - left
    index = left.long()
    return image.gather(2, index) * (1 - part) + image.gather(2, index + 1) * part


def _classes(places: Tensor, kinds: Tensor, spacing: Tensor, size: int, sway: Tensor) -> Tensor:
    """Return the class of each pixel: that of the site within whose disc it lies."""
    radius = DISC * spacing
    narrow = radius / 1.5
    classes = torch.zeros(places.shape[0], size, size, dtype=torch.long)
    for kind in (ATOM, VACANCY, DOPANT):
        discs = _columns(places, (kinds == kind).float(), narrow, size, sway)
        classes[discs > 0.3247] = kind  # exp(-1.5² / 2): the edge of a disc
    return classes


def _wedge(count: int, size: int, most: float, random: torch.Generator) -> Tensor:
    """Return a factor that changes linearly over the frame, at most by *most* to either side."""
    slope = (2 * torch.rand(count, 2, generator=random) - 1) * most / 2
    x = torch.linspace(-1, 1, size)
    return 1 + slope[:, 0, None, None] * x[:, None] + slope[:, 1, None, None] * x


def _between(span: tuple[float, float], count: int, random: torch.Generator) -> Tensor:
    return span[0] + (span[1] - span[0]) * torch.rand(count, generator=random)


def _each(span: tuple[float, float], like: Tensor, random: torch.Generator) -> Tensor:
    return span[0] + (span[1] - span[0]) * torch.rand(like.shape, generator=random)


def _log(span: tuple[float, float]) -> tuple[float, float]:
    low, high = torch.tensor(span).log10().tolist()
    return low, high
