"""Simulated sparse scans, and what networks see of a scan: values, mask and smooth fillings."""

import torch
from torch import Tensor
from torch.nn import functional

from models.images.lattices import draw_crystals
from models.images.textures import draw_textures

DENSITY = (0.05, 0.25)
"""Part of the pixels that simulated scans measure, log-uniform."""

RADII = (1.2, 2.5, 6.0)
"""Pixels (standard deviations) of the weighted means that fill a scan."""

KINDS_OF_INPUT = 2 + 2 * len(RADII)

NOISE, LINES = 0.12, 0.05
"""The most noise of a pixel and of a line on simulated surfaces, in standard deviations."""


def draw_scans(
    count: int, random: torch.Generator, crystals: float, size: int = 64
) -> tuple[Tensor, Tensor, Tensor]:
    """Return sparse scans, their masks and the images behind them (n x s x s each).

    Scans are 0 where not measured; they and the images without noise are scaled by mean and
    standard deviation of what was measured. *crystals* is the part of images of lattices.
    """
    lattices = round(count * crystals)
    if 0 < crystals < 1:
        lattices = int((torch.rand(count, generator=random) < crystals).sum())
    truth, noisy = [], []
    if lattices:
        views = draw_crystals(lattices, random, size)
        truth.append(views.clean)
        noisy.append(views.noisy)
    if lattices < count:
        surfaces, seen = _noised(draw_textures(count - lattices, random, size), random)
        truth.append(surfaces)
        noisy.append(seen)
    low, high = torch.tensor(DENSITY).log()
    part = torch.exp(low + (high - low) * torch.rand(count, 1, 1, generator=random))
    mask = torch.rand(count, size, size, generator=random) < part
    return _scaled(torch.cat(noisy), torch.cat(truth), mask)


def seen_by_networks(scaled: Tensor, mask: Tensor) -> Tensor:
    """Return what networks see (b x c x h x w) of scans (b x h x w) that are 0 where not measured.

    The scan, its mask, and for each radius the weighted mean of what was measured nearby, with
    the weight behind it.
    """
    seen = mask.to(scaled.dtype)
    channels = [scaled, seen]
    for radius in RADII:
        weight = _smoothed(seen, radius)
        filled = _smoothed(scaled, radius) / weight.clamp(min=1e-6)
        channels += [filled, weight / (weight + seen.mean())]
    return torch.stack(channels, dim=1)


def _scaled(noisy: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    many = mask.sum(dim=(1, 2), keepdim=True).clamp(min=2)
    mean = (noisy * mask).sum(dim=(1, 2), keepdim=True) / many
    square = ((noisy - mean) ** 2 * mask).sum(dim=(1, 2), keepdim=True) / many
    spread = square.sqrt().clamp(min=1e-6)
    return (noisy - mean) / spread * mask, mask, (truth - mean) / spread


def _noised(surfaces: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return *surfaces* with offsets of their lines, and these with noise of each pixel."""
    count, high, _ = surfaces.shape
    grain = NOISE * torch.rand(count, 1, 1, generator=random) ** 2
    lines = LINES * torch.rand(count, 1, 1, generator=random) ** 2
    truth = surfaces + lines * torch.randn(count, high, 1, generator=random)
    return truth, truth + grain * torch.randn(surfaces.shape, generator=random)


def _smoothed(images: Tensor, radius: float) -> Tensor:
    """Return *images* (b x h x w) convolved with a Gaussian, nothing beyond the frame."""
    reach = int(3 * radius) + 1
    x = torch.arange(-reach, reach + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (x / radius) ** 2)
    kernel = kernel / kernel.sum()
    planes = images[:, None]
    planes = functional.conv2d(planes, kernel[None, None, :, None], padding=(reach, 0))
    return functional.conv2d(planes, kernel[None, None, None, :], padding=(0, reach))[:, 0]
