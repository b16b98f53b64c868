"""Frames of a scanning probe with a good tip, and with tips that aren't any more.

A surface (terraces, domains, grains, often with a corrugation) that carries small features, seen
by a tip that is sharp, double (the frame once more, beside itself), blunt (small things become
large) or unstable (its height, place and sharpness jump between lines), with the noise, tilt,
creep and line offsets that every scan has.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.images.lattices import swayed
from models.images.textures import draw_textures

GOOD, DOUBLE, BLUNT, UNSTABLE = range(4)
STATES = ("good", "double", "blunt", "unstable")

MARGIN = 12
"""Pixels simulated around the frame, so that nothing wraps into it."""


@dataclass(frozen=True, slots=True)
class Tips:
    """How far simulated tips and scans differ; lengths in pixels, heights in standard deviations.

    *sharp* and *blunt* are radii (standard deviations) of what the tip sees at once; *apart* and
    *weight* of a second tip; *jumps* of an unstable one in a frame, of *height* and *sideways*;
    *noise* of a pixel, *lines* offset of a line, *tilt* across the frame, *creep* sideways.
    """

    sharp: tuple[float, float] = (0.3, 0.9)
    blunt: tuple[float, float] = (2.0, 4.0)
    apart: tuple[float, float] = (4.0, 11.0)
    weight: tuple[float, float] = (0.5, 0.95)
    jumps: tuple[int, int] = (7, 20)
    height: tuple[float, float] = (0.5, 1.5)
    sideways: float = 2.5
    noise: tuple[float, float] = (0.02, 0.12)
    lines: tuple[float, float] = (0.0, 0.06)
    tilt: float = 1.0
    creep: float = 3.0


def draw_tips(
    count: int, random: torch.Generator, size: int = 64, tips: Tips | None = None
) -> tuple[Tensor, Tensor]:
    """Return *count* frames (n x s x s) and the states (n) of the tips that scanned them."""
    options = tips or Tips()
    states = torch.randint(len(STATES), (count,), generator=random)
    surface = draw_surfaces(count, random, size + 2 * MARGIN)
    return scanned(surface, states, random, options), states


def draw_surfaces(count: int, random: torch.Generator, size: int) -> Tensor:
    """Return surfaces (n x s x s) with features small enough to tell a sharp tip by."""
    relief = draw_textures(count, random, size)
    share = 0.2 + 0.5 * torch.rand(count, 1, 1, generator=random)
    ripple = _corrugation(count, size, random)
    rippled = (
        0.35
        * torch.rand(count, 1, 1, generator=random)
        * (torch.rand(count, 1, 1, generator=random) < 0.5)
    )
    return share * relief + rippled * ripple + _features(count, size, random)


def scanned(surface: Tensor, states: Tensor, random: torch.Generator, options: Tips) -> Tensor:
    """Return frames of *surface* (n x s x s) by tips in *states* (n), ``MARGIN`` smaller."""
    count, size = surface.shape[:2]
    radius = _between(options.sharp, count, random)
    radius = torch.where(states == BLUNT, _between(options.blunt, count, random), radius)
    seen = _seen(surface, radius)
    seen = _doubled(seen, states == DOUBLE, random, options)
    creep = options.creep * torch.randn(count, 1, generator=random)
    sway = creep * torch.linspace(0, 1, size) ** 2
    shaky = (states == UNSTABLE)[:, None]
    level, aside, dull = _jumps(count, size, random, options)
    seen = swayed(seen, sway + shaky * aside)
    worse = _seen(seen, torch.full((count,), 2.5))
    seen = torch.where((shaky & dull)[..., None], worse, seen)
    seen = seen[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    spread = seen.std(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    frame = seen / spread + (shaky * level)[:, MARGIN:-MARGIN, None]
    return frame + _noise(frame, random, options)


def _corrugation(count: int, size: int, random: torch.Generator) -> Tensor:
    """Return two or three plane waves at 60 to 90 degrees, of 5 to 12 pixels."""
    x = torch.arange(size, dtype=torch.float32)
    turn = torch.pi * torch.rand(count, 1, 1, generator=random)
    apart = torch.pi / 3 + torch.pi / 6 * torch.rand(count, 1, 1, generator=random)
    k = 2 * torch.pi / (5 + 7 * torch.rand(count, 1, 1, generator=random))
    waves = torch.zeros(count, size, size)
    for index in (0, 1):
        angle = turn + index * apart
        waves += torch.cos(k * (x[:, None] * angle.cos() + x * angle.sin()))
    return waves


def _features(count: int, size: int, random: torch.Generator) -> Tensor:
    """Return 20 to 60 adsorbates or pits of about a pixel and a half, their heights alike."""
    most = 60
    places = size * torch.rand(count, most, 2, generator=random)
    here = torch.rand(count, most, generator=random) < 0.33 + 0.67 * torch.rand(
        count, 1, generator=random
    )
    height = (1.5 + 2 * torch.rand(count, 1, generator=random)) * (
        0.7 + 0.6 * torch.rand(count, most, generator=random)
    )
    sign = torch.where(torch.rand(count, 1, generator=random) < 0.7, 1.0, -1.0)
    x = torch.arange(size, dtype=torch.float32)
    scale = 0.5 / (0.8 + 0.8 * torch.rand(count, 1, 1, generator=random)) ** 2
    rows = torch.exp(-((places[..., 0, None] - x) ** 2) * scale)
    columns = torch.exp(-((places[..., 1, None] - x) ** 2) * scale)
    return (rows * (height * sign * here)[..., None]).transpose(1, 2) @ columns


def _seen(surface: Tensor, radius: Tensor) -> Tensor:
    """Return *surface* blurred by a Gaussian of *radius* (n) pixels."""
    high, wide = surface.shape[1:]
    ky = 2 * torch.pi * torch.fft.fftfreq(high)[:, None]
    kx = 2 * torch.pi * torch.fft.rfftfreq(wide)
    damp = torch.exp(-0.5 * (ky**2 + kx**2) * radius[:, None, None] ** 2)
    seen: Tensor = torch.fft.irfft2(torch.fft.rfft2(surface) * damp, s=(high, wide))
    return seen


def _doubled(seen: Tensor, double: Tensor, random: torch.Generator, options: Tips) -> Tensor:
    """Return *seen*, where *double* with itself once more, beside."""
    count, high, wide = seen.shape
    apart = _between(options.apart, count, random)
    angle = 2 * torch.pi * torch.rand(count, generator=random)
    weight = _between(options.weight, count, random) * double
    ky = 2 * torch.pi * torch.fft.fftfreq(high)[:, None]
    kx = 2 * torch.pi * torch.fft.rfftfreq(wide)
    down, right = (apart * angle.sin())[:, None, None], (apart * angle.cos())[:, None, None]
    turned = torch.exp(-1j * (ky * down + kx * right))
    beside: Tensor = torch.fft.irfft2(torch.fft.rfft2(seen) * turned, s=(high, wide))
    return seen + weight[:, None, None] * beside


def _jumps(
    count: int, size: int, random: torch.Generator, options: Tips
) -> tuple[Tensor, Tensor, Tensor]:
    """Return height and sideways offsets (n x s) of each line, and whether it is dull."""
    low, high = options.jumps
    rate = (low + (high - low) * torch.rand(count, 1, generator=random)) / size
    jump = torch.rand(count, size, generator=random) < rate
    episode = jump.cumsum(dim=1)
    each = torch.arange(count)[:, None]
    height = _between(options.height, count, random)[:, None]
    levels = height * torch.randn(count, size + 1, generator=random)
    asides = options.sideways * torch.randn(count, size + 1, generator=random)
    dulls = torch.rand(count, size + 1, generator=random) < 0.3
    return levels[each, episode], asides[each, episode], dulls[each, episode]


def _noise(frame: Tensor, random: torch.Generator, options: Tips) -> Tensor:
    count, high, wide = frame.shape
    grain = _between(options.noise, count, random)[:, None, None]
    lines = _between(options.lines, count, random)[:, None, None]
    tilt = options.tilt * torch.randn(count, 2, 1, 1, generator=random)
    plane = tilt[:, 0] * torch.linspace(-1, 1, high)[:, None]
    plane = plane + tilt[:, 1] * torch.linspace(-1, 1, wide)
    pixels = grain * torch.randn(count, high, wide, generator=random)
    return plane + pixels + lines * torch.randn(count, high, 1, generator=random)


def _between(span: tuple[float, float], count: int, random: torch.Generator) -> Tensor:
    return span[0] + (span[1] - span[0]) * torch.rand(count, generator=random)
