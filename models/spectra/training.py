"""Options of a training and of the simulation behind it; importing this needs no torch."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far simulated spectra stray: the options of a training, each with its unit.

    Shifts left after alignment within ± *shift_eV*; *noise* of a fine bin (edge steps)
    log-uniform; *self_absorption* scale of a half-normal; *slope* and *offset* (edge steps, over
    50 eV and beyond the edge); *blur* scale of the share of a blurred copy. *scatter* is a factor
    on the spread of a label's own repeats, *shared* on that of the other labels', *contamination*
    the part of any other label in a species, *rough* a factor on what repeats leave over when
    their siblings describe them.
    """

    shift_eV: float = 0.2  # noqa: N815
    noise: tuple[float, float] = (0.0005, 0.03)
    self_absorption: float = 0.04
    slope: float = 0.004
    offset: float = 0.002
    blur: float = 0.25
    scatter: float = 1.0
    shared: float = 0.5
    contamination: float = 0.03
    rough: float = 2.0


@dataclass(frozen=True, slots=True)
class Training:
    """Options of a training; all of them enter the hash of the cache."""

    members: int = 5
    hidden: int = 96
    steps: int = 1000
    batch: int = 128
    rate: float = 2e-3
    features: int = 40
    seed: int = 0
    ranges: Ranges = field(default_factory=Ranges)
