"""Two-phase microstructures as level sets of Gaussian random fields.

A periodic random field with a chosen power spectrum is cut at the level that leaves the wanted
part above it (Quiblier, J. Colloid Interface Sci. 98, 84 (1984), for the method).
"""

from dataclasses import dataclass

import numpy as np
import torch

from models.microstructure.errors import MicrostructureError


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter of a process: its name with the unit, and between what it can be set."""

    name: str
    low: float
    high: float


VOLUME = Knob("volume_fraction", 0.15, 0.85)
LENGTH = Knob("length_px", 2.0, 8.0)
ASPECT = Knob("log_aspect", -1.1, 1.1)
ORDER = Knob("order", 0.0, 1.0)
KNOBS = (VOLUME, LENGTH, ASPECT, ORDER)
"""Part of phase 1; correlation length; log of the length along x over that along y (each by half);
0 for a Gaussian spectrum (islands of many sizes), 1 for one wavelength (spinodal)."""


def knobs_at(points: np.ndarray, knobs: tuple[Knob, ...] = KNOBS) -> torch.Tensor:
    """Return all four knobs (b x 4) for *points* (b x k, unit cube) of *knobs*; others stand in
    the middle. MicrostructureError for points outside."""
    points = np.atleast_2d(np.asarray(points, dtype=np.float64))
    if points.shape[1] != len(knobs) or not ((points >= 0) & (points <= 1)).all():
        raise MicrostructureError(
            f"knobs: points must be b x {len(knobs)} from 0 to 1, got {points.shape}"
        )
    place = {knob.name: points[:, i] for i, knob in enumerate(knobs)}
    columns = [
        k.low + (k.high - k.low) * place.get(k.name, np.full(len(points), 0.5)) for k in KNOBS
    ]
    return torch.tensor(np.stack(columns, axis=1), dtype=torch.float32)


def draw(knobs: torch.Tensor, size: int, random: torch.Generator) -> torch.Tensor:
    """Return one periodic image (b x size x size, of 0 and 1) for each row of *knobs* (b x 4)."""
    volume, length, aspect, order = (knobs[:, i, None, None] for i in range(4))
    frequency = 2 * torch.pi * torch.fft.fftfreq(size)
    fx, fy = frequency[None, None, :], frequency[None, :, None]
    stretch = torch.exp(0.5 * aspect)
    scaled = length * torch.sqrt((fx * stretch) ** 2 + (fy / stretch) ** 2)
    broad = torch.exp(-0.5 * scaled**2)
    # one wavelength of 4 lengths, a quarter of it wide
    sharp = torch.exp(-0.5 * ((scaled - 0.5 * torch.pi) / (0.125 * torch.pi)) ** 2)
    spectrum = (1 - order) * broad + order * sharp
    spectrum[:, 0, 0] = 0.0
    white = torch.randn(len(knobs), size, size, generator=random)
    field = torch.fft.ifft2(torch.fft.fft2(white) * spectrum).real
    above = (volume[:, 0, 0] * size * size).round().long().clamp(1, size * size - 1)
    ranked = field.flatten(1).sort(dim=1, descending=True).values
    level = ranked.gather(1, above[:, None])[:, :, None]
    image: torch.Tensor = (field > level).float()
    return image


def stripes(count: int, size: int, random: torch.Generator) -> torch.Tensor:
    """Return printed patterns (count x size x size): wavy stripes with gaps, of any direction,
    period, width and waviness; images that no knob of ``KNOBS`` stands for."""

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=random)

    x = torch.arange(size)[None, None, :] / size
    y = torch.arange(size)[None, :, None] / size
    period = torch.randint(2, 6, (count, 1, 1), generator=random)
    across = torch.rand(count, 1, 1, generator=random) < 0.5
    u, v = torch.where(across, x, y), torch.where(across, y, x)
    wave = between(0.0, 0.15) * torch.sin(2 * torch.pi * (v * 2 + between(0, 1)))
    phase = (period * (u + wave) + between(0, 1)) % 1.0
    solid = phase < between(0.2, 0.8)
    bridge = ((4 * v + between(0, 1)) % 1.0) < between(0.0, 0.5)
    holes = ((4 * v + between(0, 1)) % 1.0) < between(0.0, 0.3)
    return ((solid & ~holes) | (bridge & ~solid & holes)).float()
