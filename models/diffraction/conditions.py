"""Within what the samples and the instrument of simulated patterns vary."""

from dataclasses import dataclass, fields

import torch

from models.diffraction.pattern import Shape
from models.diffraction.phase import Phase
from models.diffraction.radiation import Radiation

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Ranges; lengths are in nm, angles in degrees, the others are dimensionless.

    ``strain`` is that of the whole cell, ``skew`` what its axes differ by; ``texture`` the
    standard deviation of ln r; ``jitter`` that of ln of each line's strength (few grains, a
    structure that isn't quite that of the CIF); ``single`` how often there is no second line.
    ``stray`` is up to how high, as part of the strongest line, lines of the tube, the holder or the
    window are; ``background`` is what lies under the strongest line, as part of it, ``counts``
    that line's own.
    """

    strain: Pair = (-0.012, 0.012)
    skew: float = 0.004
    size_nm: Pair = (7.0, 150.0)
    microstrain: Pair = (0.0, 0.003)
    texture: float = 0.2
    jitter: float = 0.12
    fwhm_deg: Pair = (0.06, 0.18)
    zero_deg: Pair = (-0.04, 0.04)
    displacement_deg: Pair = (-0.35, 0.35)
    asymmetry_deg: Pair = (0.0, 0.02)
    single: float = 0.2
    stray: float = 0.01
    background: Pair = (0.005, 0.6)
    counts: Pair = (250.0, 40_000.0)

    def ranges(self) -> dict[str, Pair]:
        """Return every range by its name, single numbers as from 0."""
        out = {}
        for key in fields(self):
            value = getattr(self, key.name)
            out[key.name] = value if isinstance(value, tuple) else (0.0, value)
        return out


@dataclass(frozen=True, slots=True)
class Instruments:
    """States of the instrument (v each), shared by the phases of one sample; see Shape."""

    fwhm: torch.Tensor
    zero: torch.Tensor
    displacement: torch.Tensor
    asymmetry: torch.Tensor
    second: torch.Tensor


def draw_instruments(
    conditions: Conditions, radiation: Radiation, count: int, random: torch.Generator
) -> Instruments:
    """Return *count* states."""
    lines = torch.rand(count, generator=random) >= conditions.single
    return Instruments(
        fwhm=between(conditions.fwhm_deg, (count,), random, log=True),
        zero=between(conditions.zero_deg, (count,), random),
        displacement=between(conditions.displacement_deg, (count,), random),
        asymmetry=between(conditions.asymmetry_deg, (count,), random),
        second=radiation.weight * lines.float(),
    )


def draw_shapes(
    conditions: Conditions, phase: Phase, instruments: Instruments, random: torch.Generator
) -> Shape:
    """Return samples of *phase* (v), one in each of the states of the instrument."""
    count = instruments.zero.shape[0]
    strain = conditions.skew * (2 * torch.rand(count, phase.modes, generator=random) - 1)
    strain[:, 0] = between(conditions.strain, (count,), random)
    jitter = conditions.jitter * torch.randn(count, len(phase.d), generator=random)
    return Shape(
        strain=strain,
        size_nm=between(conditions.size_nm, (count,), random, log=True),
        microstrain=between(conditions.microstrain, (count,), random),
        axis=torch.randint(phase.texture.shape[0], (count,), generator=random),
        log_r=(conditions.texture * torch.randn(count, generator=random)).clamp(-0.9, 0.6),
        fwhm=instruments.fwhm,
        zero=instruments.zero,
        displacement=instruments.displacement,
        asymmetry=instruments.asymmetry,
        second=instruments.second,
        jitter=jitter.clamp(-0.5, 0.5).exp(),
    )


def between(
    ends: Pair, shape: tuple[int, ...], random: torch.Generator, *, log: bool = False
) -> torch.Tensor:
    """Return numbers drawn evenly between *ends*, or evenly in their logarithm."""
    low, high = torch.tensor(ends).log() if log else torch.tensor(ends)
    drawn: torch.Tensor = low + (high - low) * torch.rand(shape, generator=random)
    return drawn.exp() if log else drawn
