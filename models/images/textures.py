"""Surfaces as scanning probes show them: domains, grains, terraces, rough heights, molecules.

Random fields of a given spectrum, cut and mixed; no measured image enters. Values are scaled to
mean 0 and standard deviation 1, without noise.
"""

import torch
from torch import Tensor


def draw_textures(count: int, random: torch.Generator, size: int = 64) -> Tensor:
    """Return *count* surfaces (n x s x s), each a random choice of kinds and of mixtures."""
    fine = _surfaces(count, size, random)
    other = _surfaces(count, size, random)
    share = torch.rand(count, 1, 1, generator=random) ** 2
    alone = torch.rand(count, 1, 1, generator=random) < 0.4
    mixed = fine + torch.where(alone, 0.0, share) * other
    return _scaled(mixed)


def _surfaces(count: int, size: int, random: torch.Generator) -> Tensor:
    which = torch.randint(len(_KINDS), (count,), generator=random)
    surfaces = torch.empty(count, size, size)
    for kind, drawn in enumerate(_KINDS):
        rows = (which == kind).nonzero().flatten()
        if rows.numel():
            surfaces[rows] = drawn(rows.numel(), size, random)
    return _scaled(surfaces)


def random_field(
    count: int, size: int, length: Tensor, slope: Tensor, random: torch.Generator
) -> Tensor:
    """Return Gaussian fields (n x s x s) with spectrum (1 + (k length)²)^(-slope), turned and
    stretched at random; *length* (n) in pixels.
    """
    double = 2 * size  # twice as wide: the edges of the frame aren't periodic
    k = 2 * torch.pi * torch.fft.fftfreq(double)
    turn = torch.pi * torch.rand(count, 1, 1, generator=random)
    stretch = 1 + 3 * torch.rand(count, 1, 1, generator=random) ** 2
    along = k[:, None] * turn.cos() + k * turn.sin()
    across = k * turn.cos() - k[:, None] * turn.sin()
    square = (along * stretch) ** 2 + across**2
    power = (1 + square * length[:, None, None] ** 2) ** (-slope[:, None, None])
    noise = torch.randn(count, double, double, generator=random)
    field = torch.fft.ifft2(torch.fft.fft2(noise) * power.sqrt()).real
    return _scaled(field[:, :size, :size])


def _domains(count: int, size: int, random: torch.Generator) -> Tensor:
    """Two levels that meet in walls: the sign of a smooth field, blurred."""
    length = 10 ** (0.3 + 1.0 * torch.rand(count, generator=random))
    field = random_field(count, size, length, 2 + 3 * torch.rand(count, generator=random), random)
    level = 1.2 * torch.rand(count, 1, 1, generator=random) - 0.6
    wall = 10 ** (-1.7 + 1.4 * torch.rand(count, 1, 1, generator=random))
    return torch.tanh((field - level) / wall)


def _stripes(count: int, size: int, random: torch.Generator) -> Tensor:
    """Lamellae in one direction, of random widths, with walls that waver."""
    x = torch.arange(size, dtype=torch.float32)
    turn = torch.pi * torch.rand(count, 1, 1, generator=random)
    place = x[:, None] * turn.cos() + x * turn.sin()
    length = torch.full((count,), 12.0)
    waver = random_field(count, size, length, torch.full((count,), 2.5), random)
    place = place + 2 * torch.rand(count, 1, 1, generator=random) * waver
    period = 10 ** (0.75 + 0.75 * torch.rand(count, 1, 1, generator=random))
    phase = 2 * torch.pi * (place / period + torch.rand(count, 1, 1, generator=random))
    slow = torch.sin(phase * 0.37 + 6 * torch.rand(count, 1, 1, generator=random))
    sharp = 10 ** (torch.rand(count, 1, 1, generator=random) - 0.3)
    return torch.tanh(sharp * (torch.sin(phase) + slow))


def _grains(count: int, size: int, random: torch.Generator) -> Tensor:
    """Cells around random seeds, each at a level of its own, some with grooves between them."""
    most = 48
    seeds = size * (1.4 * torch.rand(count, most, 2, generator=random) - 0.2)
    here = torch.rand(count, most, generator=random) < 0.15 + 0.85 * torch.rand(
        count, 1, generator=random
    )
    x = torch.arange(size, dtype=torch.float32)
    pixels = torch.cartesian_prod(x, x).expand(count, -1, -1)
    distances = torch.cdist(pixels, seeds) + 1e4 * (~here[:, None, :])
    near, which = distances.topk(2, dim=2, largest=False)
    levels = torch.randn(count, most, generator=random)
    level = levels.gather(1, which[..., 0])
    groove = torch.exp(-(near[..., 1] - near[..., 0]) / 2.0)
    depth = (
        2 * torch.rand(count, 1, generator=random) * (torch.rand(count, 1, generator=random) < 0.5)
    )
    flat = torch.rand(count, 1, generator=random)
    return (flat * level - depth * groove).reshape(count, size, size)


def _rough(count: int, size: int, random: torch.Generator) -> Tensor:
    """A self-affine height."""
    length = torch.full((count,), float(size))
    return random_field(count, size, length, 1 + torch.rand(count, generator=random), random)


def _dots(count: int, size: int, random: torch.Generator) -> Tensor:
    """Islands, particles and molecules of a few pixels, bright or dark, on terraces."""
    most = 40
    places = size * torch.rand(count, most, 2, generator=random)
    radius = 1.0 + 4 * torch.rand(count, 1, generator=random)
    radius = radius * (0.7 + 0.6 * torch.rand(count, most, generator=random))
    heights = torch.randn(count, most, generator=random)
    here = torch.rand(count, most, generator=random) < torch.rand(count, 1, generator=random)
    x = torch.arange(size, dtype=torch.float32)
    scale = (0.5 / radius**2)[..., None]
    rows = torch.exp(-((places[..., 0, None] - x) ** 2) * scale) * (heights * here)[..., None]
    columns = torch.exp(-((places[..., 1, None] - x) ** 2) * scale)
    return rows.transpose(1, 2) @ columns + 0.3 * _terraces(count, size, random)


def _terraces(count: int, size: int, random: torch.Generator) -> Tensor:
    """Steps of one height along a direction."""
    x = torch.arange(size, dtype=torch.float32)
    turn = 2 * torch.pi * torch.rand(count, 1, 1, generator=random)
    place = x[:, None] * turn.cos() + x * turn.sin()
    length = torch.full((count,), 15.0)
    place = place + 3 * random_field(count, size, length, torch.full((count,), 2.0), random)
    wide = size * (0.3 + torch.rand(count, 1, 1, generator=random))
    return torch.floor(place / wide + torch.rand(count, 1, 1, generator=random))


def _smooth(count: int, size: int, random: torch.Generator) -> Tensor:
    """A field without walls, of any length."""
    length = 10 ** (0.3 + 1.0 * torch.rand(count, generator=random))
    return random_field(count, size, length, 2 + 3 * torch.rand(count, generator=random), random)


def _scaled(fields: Tensor) -> Tensor:
    mean = fields.mean(dim=(1, 2), keepdim=True)
    return (fields - mean) / fields.std(dim=(1, 2), keepdim=True).clamp(min=1e-6)


_KINDS = (_domains, _stripes, _grains, _rough, _dots, _smooth)
