"""One absorption spectrum, checked when it is made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import SpectrumError

FloatArray = NDArray[np.float64]

MIN_POINTS = 10
"""Fewer points can't show a pre-edge, an edge and what follows."""

LOWEST_EV, HIGHEST_EV = 20.0, 200_000.0
"""Absorption edges lie in between; a scale outside is in another unit."""

SAME_ENERGY_EV = 1e-9
"""Points closer than this are one point measured twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Absorption over energy: *energy* in eV (n, strictly rising), *mu* in any scale (n).

    *mu_sigma* (n) is the standard uncertainty of *mu* from counting, where known. *file* and
    *scan* say where it comes from, *label* what it is said to be (``""``: not said).
    """

    energy: FloatArray
    mu: FloatArray
    file: str = ""
    scan: str = ""
    label: str = ""
    mu_sigma: FloatArray | None = None

    @property
    def name(self) -> str:
        """File and scan, as shown to people."""
        return f"{self.file} [{self.scan}]" if self.scan else self.file


def checked(
    energy: ArrayLike,
    mu: ArrayLike,
    mu_sigma: ArrayLike | None = None,
    *,
    file: str = "",
    scan: str = "",
    label: str = "",
) -> Spectrum:
    """Return a Spectrum from points in any order; points at one energy are averaged.

    *energy* in eV, *mu* and *mu_sigma* of the same length. Raises SpectrumError for values that
    are not finite, too few points, or energies that can't be in eV.
    """
    where = f"{file} [{scan}]" if scan else file or "spectrum"
    columns = [np.asarray(energy, dtype=np.float64), np.asarray(mu, dtype=np.float64)]
    if mu_sigma is not None:
        columns.append(np.asarray(mu_sigma, dtype=np.float64))
    _check_shapes(columns, where)
    _check_finite(columns, where)
    columns = _sorted_and_merged(columns)
    _check_scale(columns[0], where)
    sigma = columns[2] if len(columns) > 2 else None
    return Spectrum(columns[0], columns[1], file, scan, label, sigma)


def _check_shapes(columns: list[FloatArray], where: str) -> None:
    if any(column.ndim != 1 or column.shape != columns[0].shape for column in columns):
        shapes = ", ".join(str(column.shape) for column in columns)
        raise SpectrumError(
            f"{where}: energy and mu must be lists of one length; their shapes are {shapes}"
        )


def _check_finite(columns: list[FloatArray], where: str) -> None:
    for name, column in zip(("energy", "mu", "mu_sigma"), columns, strict=False):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise SpectrumError(
                f"{where}: column {name}, point {bad[0] + 1} is {column[bad[0]]}; only finite "
                f"numbers are accepted: leave such points out"
            )


def _check_scale(energy: FloatArray, where: str) -> None:
    if energy.size < MIN_POINTS:
        raise SpectrumError(
            f"{where}: {energy.size} points with different energies; needed are {MIN_POINTS}"
        )
    if energy[0] < LOWEST_EV or energy[-1] > HIGHEST_EV:
        raise SpectrumError(
            f"{where}: energies from {energy[0]:g} to {energy[-1]:g}; accepted are "
            f"{LOWEST_EV:g} to {HIGHEST_EV:g} eV: give energies in eV"
        )


def _sorted_and_merged(columns: list[FloatArray]) -> list[FloatArray]:
    """Sort by energy and average points measured twice (harmless in a scan that goes back)."""
    order = np.argsort(columns[0], kind="stable")
    columns = [column[order] for column in columns]
    fresh = np.concatenate([[True], np.diff(columns[0]) > SAME_ENERGY_EV])[: columns[0].size]
    if fresh.all():
        return columns
    group = np.cumsum(fresh) - 1
    count = np.bincount(group)
    means = [np.bincount(group, weights=column) / count for column in columns]
    if len(means) > 2:
        means[2] = np.sqrt(np.bincount(group, weights=columns[2] ** 2)) / count
    return means
