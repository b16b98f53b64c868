"""The recorded scans that the twin's spectra are made of.

Folder `simulators/data/xanes_cu_herfd` (SOURCE.md there). Eight scans are the reducer's references
(`simulators/data/xanes_cu_references`); the twin draws only from the others of the same compounds,
so that nobody is asked to recognise a spectrum that he has seen.
"""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import ScanDataError

DATA = Path(__file__).parents[1] / "data" / "xanes_cu_herfd"

TWIN_SCANS: tuple[tuple[str, ...], ...] = (
    ("CuHERFD_CuFoil.003", "CuHERFD_Cu Foil.002", "CuHERFD_Cu Foil.004"),
    ("CuHERFD_Cu(I)O.002", "CuHERFD_Cu(I)O.004", "CuHERFD_Cu(I)O.006"),
    ("CuHERFD_nanoCuO.004", "CuHERFD_nanoCuO.006"),
)
"""The repeats of Cu, Cu2O and CuO that aren't references."""

DAMAGED_CUO = "CuHERFD_nanoCuO.002"
"""Beam-damaged: the edge stands at 8981.8 eV, that of the other CuO scans at about 8984.9 eV."""

GRID_STEP_EV = 0.1  # the finest step of the recorded scans is 0.08 eV


@dataclass(frozen=True, slots=True)
class ScanLibrary:
    """Normalised scans on one uniform energy grid (as recorded, foil edge at 8980.2 eV)."""

    first_ev: float
    basis: NDArray[np.float64]
    """`scans x grid`: 0 before the edge, edge jump 1."""
    groups: tuple[slice, ...]
    """Rows of `basis` that are repeats of Cu, Cu2O, CuO."""

    @property
    def last_ev(self) -> float:
        """Highest energy of the grid."""
        return self.first_ev + GRID_STEP_EV * float(self.basis.shape[1] - 1)


@cache
def load_library(broadening_ev: float, damaged_scans: bool) -> ScanLibrary:
    """Read, normalise and broaden the twin's scans; once per process and choice.

    Raises ScanDataError when a scan isn't in the folder.
    """
    chosen = [*TWIN_SCANS[0], *TWIN_SCANS[1], *TWIN_SCANS[2]]
    chosen += [DAMAGED_CUO] if damaged_scans else []
    windows, scans = _read_windows(DATA), _read_scans(DATA)
    missing = [scan for scan in chosen if scan not in scans or scan not in windows]
    if missing:
        raise ScanDataError(f"copper twin: {DATA} has no {', '.join(missing)}; nothing was loaded")
    first = max(float(scans[scan][0, 0]) for scan in chosen)
    last = min(float(scans[scan][-1, 0]) for scan in chosen)
    points = int((last - first) / GRID_STEP_EV)
    grid = first + GRID_STEP_EV * np.arange(points, dtype=np.float64)
    rows = [
        _broadened(_on_grid(scans[scan], windows[scan], grid), broadening_ev) for scan in chosen
    ]
    foil, cuprite = len(TWIN_SCANS[0]), len(TWIN_SCANS[0]) + len(TWIN_SCANS[1])
    groups = (slice(0, foil), slice(foil, cuprite), slice(cuprite, len(chosen)))
    return ScanLibrary(first, np.array(rows), groups)


@dataclass(frozen=True, slots=True)
class _Windows:
    """Edge energy and normalisation ranges of the source's project (eV, ranges relative to it)."""

    edge: float
    before: tuple[float, float]
    after: tuple[float, float]


def _read_windows(folder: Path) -> dict[str, _Windows]:
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["scan"]: _Windows(
                float(row["athena_e0_eV"]),
                (float(row["athena_pre1_eV"]), float(row["athena_pre2_eV"])),
                (float(row["athena_nor1_eV"]), float(row["athena_nor2_eV"])),
            )
            for row in csv.DictReader(file)
        }


def _read_scans(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return `points x 2` (energy in eV, mu) for every scan."""
    points: dict[str, list[tuple[float, float]]] = {}
    with gzip.open(folder / "scans.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            points.setdefault(row["scan"], []).append((float(row["energy_eV"]), float(row["mu"])))
    return {scan: np.array(rows) for scan, rows in points.items()}


def _on_grid(
    scan: NDArray[np.float64], windows: _Windows, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Subtract the line before the edge, divide by the jump at the edge, interpolate."""
    energy, mu = scan.T
    offset = energy - windows.edge
    before = _line(offset, mu, windows.before)
    jump = _line(offset, mu, windows.after)[1] - before[1]
    normalised = (mu - np.polyval(before, offset)) / jump
    return np.asarray(np.interp(grid, energy, normalised), dtype=np.float64)


def _line(
    offset: NDArray[np.float64], mu: NDArray[np.float64], window: Sequence[float]
) -> NDArray[np.float64]:
    """Return slope and value at the edge of the straight line through a window."""
    inside = (offset >= window[0]) & (offset <= window[1])
    return np.asarray(np.polyfit(offset[inside], mu[inside], 1), dtype=np.float64)


def _broadened(mu: NDArray[np.float64], sigma_ev: float) -> NDArray[np.float64]:
    """Convolve with a Gaussian of standard deviation *sigma_ev*; the ends continue level."""
    if sigma_ev == 0:
        return mu
    reach = int(np.ceil(4 * sigma_ev / GRID_STEP_EV))
    offsets = np.arange(-reach, reach + 1) * GRID_STEP_EV
    kernel = np.exp(-0.5 * (offsets / sigma_ev) ** 2)
    padded = np.pad(mu, reach, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.asarray(smooth, dtype=np.float64)
