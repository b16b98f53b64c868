"""Patterns of what stands in the furnace: structure factors of its phases, an instrument, counts.

The physics is that of ``models.diffraction``; what a crucible and its grinding do (height, texture,
few grains, strain), the background and the counting are this twin's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulators.powder.options import DiffractometerOptions

if TYPE_CHECKING:
    from models.diffraction.pattern import PhasePatterns

FloatArray = NDArray[np.float64]
DATA = Path(__file__).parents[1] / "data" / "xrd_lithium_manganese"
FILES: Mapping[str, str] = {
    "Li2CO3": "candidates/Li2CO3_15.cif",
    "Mn2O3": "candidates/Mn2O3_206.cif",
    "LiMn2O4": "candidates/LiMn2O4_227.cif",
    "Li2MnO3": "candidates/Li2MnO3_12.cif",
    "Mn3O4": "candidates/Mn3O4_141.cif",
    "LiMnO2": "unlisted/LiMnO2_59.cif",
}
TUBE = "CuKa"
BRIGHTEST = "LiMn2O4"
"""Pure, its strongest line has ``counts_per_s``."""


@dataclass(frozen=True, slots=True)
class Crucible:
    """What a crucible and its grinding do to patterns of what is in it.

    *displacement* in degrees; *log_r*, *axis* and *grains* by phase: texture, its axis, and the
    seed of what few grains do to the lines.
    """

    displacement: float
    log_r: Mapping[str, float]
    axis: Mapping[str, int]
    grains: int


def crucible(options: DiffractometerOptions, key: list[int]) -> Crucible:
    """Return the crucible that chance gives for *key* (seed and number)."""
    rng = np.random.default_rng(key)
    names = sorted(FILES)
    return Crucible(
        displacement=float(options.displacement_deg * rng.standard_normal()),
        log_r={name: float(options.texture * rng.standard_normal()) for name in names},
        axis={name: int(rng.integers(3)) for name in names},
        grains=int(rng.integers(2**31)),
    )


class Patterns:
    """The diffractometer: mass fractions to counts."""

    def __init__(self, options: DiffractometerOptions) -> None:
        self._options = options

    @property
    def two_theta(self) -> FloatArray:
        """The angles of a scan (n), degrees."""
        o = self._options
        return np.linspace(o.start_deg, o.stop_deg, o.points)

    def expected(
        self, fractions: Mapping[str, float], size_nm: float, strain: float, holder: Crucible
    ) -> FloatArray:
        """Return the counts (n) that a second of a scan brings on average.

        *fractions* by mass; *strain* is that of the spinel's cell.
        """
        lines = np.zeros(self._options.points)
        for name, fraction in fractions.items():
            if fraction > 1e-5:
                shape = self._shape(name, size_nm, strain, holder)
                lines += fraction * self._simulators[name](shape)[0].double().numpy()
        x = np.linspace(0.0, 1.0, self._options.points)
        under = 0.6 + 0.25 * (1.0 - x) + 1.6 * np.exp(-x / 0.06)
        level = lines * (self._options.counts_per_s / self._unit)
        return np.asarray(
            level + self._options.background * self._options.counts_per_s * under
        ).clip(min=0.0)

    def _shape(self, name: str, size_nm: float, strain: float, holder: Crucible) -> Any:
        import torch

        from models.diffraction.pattern import Shape

        simulator = self._simulators[name]
        plain = Shape.plain(simulator.phase, 1, self._radiation)
        random = torch.Generator().manual_seed(holder.grains + sorted(FILES).index(name))
        lines = len(simulator.phase.d)
        modes = torch.zeros(1, simulator.phase.modes)
        modes[0, 0] = strain if name == BRIGHTEST else 0.0
        jitter = (self._options.grains * torch.randn(1, lines, generator=random)).exp()
        return plain.with_(
            strain=modes,
            size_nm=torch.tensor([size_nm]),
            microstrain=torch.tensor([self._options.microstrain]),
            axis=torch.tensor([holder.axis[name]]),
            log_r=torch.tensor([holder.log_r[name]]),
            fwhm=torch.tensor([self._options.fwhm_deg]),
            displacement=torch.tensor([holder.displacement]),
            jitter=jitter,
        )

    @property
    def _simulators(self) -> "dict[str, PhasePatterns]":
        return _simulators_for(self._options)

    @property
    def _radiation(self) -> Any:
        from models.diffraction.radiation import radiation

        return radiation(TUBE)

    @cached_property
    def _unit(self) -> float:
        from models.diffraction.pattern import Shape

        simulator = self._simulators[BRIGHTEST]
        plain = Shape.plain(simulator.phase, 1, self._radiation)
        return float(simulator(plain).max())

    def prepare(self) -> None:
        """Work out structure factors now: what takes seconds once must not keep an IOC waiting."""
        chance = crucible(self._options, [0])
        self.expected(dict.fromkeys(FILES, 1.0 / len(FILES)), 20.0, 0.0, chance)


@lru_cache
def _simulators_for(options: DiffractometerOptions) -> "dict[str, PhasePatterns]":
    from models.diffraction.grid import Grid
    from models.diffraction.pattern import PhasePatterns
    from models.diffraction.phase import phase_of
    from models.diffraction.radiation import radiation
    from models.diffraction.structure import read_structure

    light = radiation(TUBE)
    grid = Grid(options.start_deg, options.stop_deg, options.points)
    least = grid.least_d(light.wavelength)
    return {
        name: PhasePatterns(phase_of(read_structure(DATA / file), light, least), grid, light)
        for name, file in FILES.items()
    }
