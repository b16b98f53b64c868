"""By how much the energy scale of a series of scans drifts, from the scans themselves.

All scans of a series are of one sample (or of the same reference foil): each is moved onto a
template, free in scale, offset and slope, and the template is the mean of the scans as moved; so
no scan is special, and nothing needs to be known of the sample. The first scan, or the one named,
is where the drift is counted from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import SpectrumError
from models.spectra.edge import Edge, find_edge
from models.spectra.spectrum import FloatArray, Spectrum

GRID_EV = 0.2
BEFORE_EV, AFTER_EV = 30.0, 60.0
"""The range about the edge that is compared: the features that are sharp."""

STEPS_EV = (1.0, 0.2, 0.04)
"""Shifts tried about the best so far, each finer than the last; a parabola goes between."""

REACH_EV = 30.0
"""A scan farther off by its edge than this is of another edge."""

ROUNDS = 3
"""The template changes no more after so many."""

LEAST_SIGMA_EV = 0.005


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the energies of a *scan* are off: *shift_eV*, counted from the first scan, with its
    standard uncertainty; *residual* is what is left over (edge steps, root mean square)."""

    scan: str
    shift_eV: float  # noqa: N815
    sigma_eV: float  # noqa: N815
    residual: float


def drift_of(series: Sequence[Spectrum], first: int = 0) -> list[Shift]:
    """Return the shift of each scan of *series* from the scan number *first* (from 0).

    A positive shift says that the scan's energies read too high. Raises SpectrumError for a scan
    without an edge, one whose edge is elsewhere, and for less than two scans.
    """
    if len(series) < 2:
        raise SpectrumError(f"a drift needs two scans or more; there are {len(series)}")
    edges = [_edge(scan) for scan in series]
    start = np.array([edge.half for edge in edges])
    off = np.abs(start - np.median(start))
    if off.max() > REACH_EV:
        scan = series[int(off.argmax())]
        raise SpectrumError(
            f"{scan.name}: its edge at {start[off.argmax()]:.1f} eV is not that of the others "
            f"(about {np.median(start):.1f} eV); give the scans of one edge"
        )
    shifts = start - start[first]
    grid = start[first] + np.arange(-BEFORE_EV, AFTER_EV + 1e-9, GRID_EV)
    scaled = [Spectrum(s.energy, s.mu / e.step) for s, e in zip(series, edges, strict=True)]
    for _ in range(ROUNDS):
        rows = np.stack([_at(s, grid + d) for s, d in zip(scaled, shifts, strict=True)])
        template = _onto(rows, rows[first]).mean(axis=0)
        shifts = np.array(
            [_aligned(s, template, grid, d) for s, d in zip(scaled, shifts, strict=True)]
        )
    found = [
        _measured(series[i], scaled[i], template, grid, float(shifts[i]))
        for i in range(len(series))
    ]
    return [_from(shift, found[first], i == first) for i, shift in enumerate(found)]


def _from(shift: Shift, origin: Shift, same: bool) -> Shift:
    sigma = 0.0 if same else float(np.hypot(shift.sigma_eV, origin.sigma_eV))
    value = round(shift.shift_eV - origin.shift_eV, 4)
    return Shift(shift.scan, value, round(sigma, 4), round(shift.residual, 5))


def _edge(scan: Spectrum) -> Edge:
    edge, reason = find_edge(scan)
    if edge is None:
        raise SpectrumError(f"{scan.name}: {reason}")
    return edge


def _at(scan: Spectrum, energy: FloatArray) -> FloatArray:
    return np.interp(energy, scan.energy, scan.mu)


def _harmless(grid: FloatArray) -> FloatArray:
    """Return what two scans of one sample may differ by beside scale: a quadratic (3 x g)."""
    x = np.linspace(-1.0, 1.0, grid.size)
    return np.stack([np.ones_like(x), x, x**2])


def _onto(rows: FloatArray, target: FloatArray) -> FloatArray:
    """Return *rows* (n x g), each scaled, tilted and bent onto *target* (g)."""
    bend = _harmless(target)
    fitted = []
    for row in rows:
        columns = np.vstack([row, bend]).T
        weights, *_ = np.linalg.lstsq(columns, target, rcond=None)
        fitted.append(columns @ weights)
    return np.stack(fitted)


def _aligned(scan: Spectrum, template: FloatArray, grid: FloatArray, near: float) -> float:
    """Return the shift (eV) at which *scan* is most like *template*."""
    best = near
    for step in STEPS_EV:
        tried = best + step * np.arange(-5, 6)
        misfit = np.array([_misfit(scan, template, grid, d) for d in tried])
        place = int(np.clip(misfit.argmin(), 1, tried.size - 2))
        left, middle, right = misfit[place - 1 : place + 2]
        curve = left - 2 * middle + right
        bend = 0.5 * (left - right) / curve if curve > 0 else 0.0
        best = float(tried[place] + step * np.clip(bend, -1.0, 1.0))
    return best


def _misfit(scan: Spectrum, template: FloatArray, grid: FloatArray, shift: float) -> float:
    row = _at(scan, grid + shift)
    columns = np.vstack([template, _harmless(grid)]).T
    weights, *_ = np.linalg.lstsq(columns, row, rcond=None)
    return float(np.sum((row - columns @ weights) ** 2))


def _measured(
    series: Spectrum, scan: Spectrum, template: FloatArray, grid: FloatArray, shift: float
) -> Shift:
    """Return *shift* with its uncertainty, from what is left over and how steep the scan is.

    A residual of r (rms, over n independent points) moves the minimum by r / √(Σ m'²), with m'
    the slope that scale and background don't explain; neighbouring residuals are alike, so their
    correlation counts.
    """
    row = _at(scan, grid + shift)
    columns = np.vstack([template, _harmless(grid)]).T
    weights, *_ = np.linalg.lstsq(columns, row, rcond=None)
    left = row - columns @ weights
    slope = np.gradient(row, grid)
    free = slope - columns @ np.linalg.lstsq(columns, slope, rcond=None)[0]
    rms = float(np.sqrt(np.mean(left**2)))
    # variance of Σ m' r / Σ m'² for residuals with the correlation that these have
    lagged = np.correlate(left, left, "full")[left.size - 1 :] / max(float(left @ left), 1e-300)
    alike = 1.0 + 2.0 * float(np.sum(np.clip(lagged[1:51], 0.0, 1.0)))
    sigma = rms * np.sqrt(alike) / np.sqrt(float(free @ free))
    name = series.scan or series.file
    return Shift(name, shift, max(float(sigma), LEAST_SIGMA_EV), rms)
