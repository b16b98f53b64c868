"""Whether a spectrum shows an absorption edge, where, and how noisy it is; any element.

No table of edges is needed: the edge is where the smoothed spectrum climbs most steeply between
the level before and the level after it.
"""

from dataclasses import dataclass

import numpy as np

from models.spectra.spectrum import FloatArray, Spectrum

SMOOTHING_EV = 1.0
"""Standard deviation of the Gaussian that tames the derivative; about a core-hole width."""

EDGE_WIDTH_EV = 4.0
"""Smoothing that joins pre-peaks, edge and white line into one climb (standard deviation)."""

EDGE_REACH_EV = 25.0
"""The half-height point and the steepest climb lie this close to the centre of the climb."""

LEAST_SPAN_EV = 20.0
"""A slope fitted over less is mostly noise."""

LEAST_STEP_OVER_SCATTER = 6.0
"""An edge stands out this far from how the record wanders before it."""

LARGEST_SWING = 1e100
"""Beyond, and below its inverse, squares leave the range of double precision."""

MOST_STUCK = 0.1
"""A larger part of the points at one highest value says that the detector is saturated."""

MOST_RELATIVE_NOISE = 0.15
"""Noisier than this part of the edge step, and nothing is said about a mixture."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge: *e0* steepest climb and *half* first half-height crossing (eV); *step* and *noise*
    (standard deviation of one point) in units of mu."""

    e0: float
    half: float
    step: float
    noise: float


def find_edge(spectrum: Spectrum) -> tuple[Edge | None, str]:
    """Return the edge of *spectrum* and "", or None and the reason why there is none."""
    low, high = float(spectrum.mu.min()), float(spectrum.mu.max())
    if max(abs(low), abs(high)) > LARGEST_SWING or 0 < high - low < 1 / LARGEST_SWING:
        return None, (
            f"scale: mu goes from {low:.3g} to {high:.3g}; accepted are numbers up to "
            f"{LARGEST_SWING:g} that differ by {1 / LARGEST_SWING:g} or more"
        )
    grid, smooth = _smoothed(spectrum, SMOOTHING_EV)
    centre = _steepest(spectrum)
    if centre is None:
        return None, "no edge: the signal does not rise over the scan"
    before, after, scatter = _levels(grid, smooth, centre)
    step = float(after - before.at(centre))
    noise = noise_of(spectrum)
    rise = np.interp([centre - 15.0, centre + 15.0], grid, smooth - before.at(grid))
    if step <= 0 or rise[1] - rise[0] < 0.4 * step or step < LEAST_STEP_OVER_SCATTER * scatter:
        return None, "no edge: nothing in the scan rises as an absorption edge does"
    reason = _flaw(spectrum, step, noise)
    if reason:
        return None, reason
    level = (smooth - before.at(grid)) / step
    near = np.abs(grid - centre) < EDGE_REACH_EV
    half = _first_crossing(grid[near], level[near], 0.5)
    climbing = near & (level > 0.1) & (level < 1.1)
    slope = np.gradient(level, grid)
    e0 = float(grid[climbing][np.argmax(slope[climbing])]) if climbing.any() else half
    return Edge(e0, half, step, noise), ""


def noise_of(spectrum: Spectrum) -> float:
    """Return the standard deviation of one point of *mu*, from how far points stray.

    Each point is compared with the cubic through its four neighbours; the median of the
    deviations, each over its own propagated unit noise, is robust against edge and glitches.
    """
    energy, mu = spectrum.energy, spectrum.mu
    if energy.size < 7:
        return 0.0
    nodes = np.stack([energy[:-4], energy[1:-3], energy[3:-1], energy[4:]])
    values = np.stack([mu[:-4], mu[1:-3], mu[3:-1], mu[4:]])
    weights = _lagrange(nodes, energy[2:-2])
    strayed = np.abs(mu[2:-2] - (weights * values).sum(axis=0))
    strayed /= np.sqrt(1.0 + (weights**2).sum(axis=0))
    return float(1.4826 * np.median(strayed))  # median of |N(0, 1)| is 1/1.4826


def _flaw(spectrum: Spectrum, step: float, noise: float) -> str:
    """Return what is wrong with an edge of height *step*, "" if nothing."""
    if noise > MOST_RELATIVE_NOISE * step:
        return f"noise: {noise / step:.2f} of the edge step; up to {MOST_RELATIVE_NOISE:g} accepted"
    swing = float(np.ptp(spectrum.mu))
    stuck = np.count_nonzero(spectrum.mu >= spectrum.mu.max() - 1e-9 * swing) / spectrum.mu.size
    if stuck > MOST_STUCK:
        return f"saturated: {100 * stuck:.0f} % of the points stand at the highest value"
    return ""


def _smoothed(spectrum: Spectrum, width: float) -> tuple[FloatArray, FloatArray]:
    """Return a grid of about 0.5 eV (g) and mu on it, convolved with a Gaussian of *width* eV."""
    low, high = spectrum.energy[0], spectrum.energy[-1]
    grid = np.linspace(low, high, int(np.clip((high - low) / 0.5, 40, 6000)) + 1)
    spacing = grid[1] - grid[0]
    count = min(int(np.ceil(4 * width / spacing)), grid.size - 1)
    reach = np.arange(-count, count + 1) * spacing
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    mu = np.interp(grid, spectrum.energy, spectrum.mu)
    padded = np.pad(mu, count, mode="reflect", reflect_type="odd")
    return grid, np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _steepest(spectrum: Spectrum) -> float | None:
    """Return where mu climbs most over a width that an edge with all its features has (eV)."""
    grid, smooth = _smoothed(spectrum, EDGE_WIDTH_EV)
    slope = np.gradient(smooth, grid)
    inside = (grid > grid[0] + EDGE_WIDTH_EV) & (grid < grid[-1] - EDGE_WIDTH_EV)
    if not inside.any() or slope[inside].max() <= 0:
        return None
    return float(grid[inside][np.argmax(slope[inside])])


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line: *value* at energy *origin* (eV), *slope* per eV."""

    origin: float
    value: float
    slope: float

    def at(self, energy: FloatArray | float) -> FloatArray:
        return np.asarray(self.value + self.slope * (energy - self.origin))


def _levels(grid: FloatArray, smooth: FloatArray, centre: float) -> tuple[_Line, float, float]:
    """Return the line before the edge, the level after it (carried back), the scatter about it."""
    before = (grid < centre - 12.0) & (grid > centre - 100.0)
    after = (grid > centre + 15.0) & (grid < centre + 150.0)
    if before.sum() < 4:
        before = grid <= grid[0] + 3.0
    if after.sum() < 4:
        after = grid >= grid[-1] - 5.0
    low, high = _line(grid[before], smooth[before]), _line(grid[after], smooth[after])
    scatter = float(np.std(smooth[before] - low.at(grid[before])))
    return low, float(high.at(centre)), scatter


def _line(x: FloatArray, y: FloatArray) -> _Line:
    """Return the least-squares line; a flat one where *x* spans too little for a slope."""
    origin, value = float(x.mean()), float(y.mean())
    spread = x - origin
    if np.ptp(x) < LEAST_SPAN_EV:
        return _Line(origin, value, 0.0)
    return _Line(origin, value, float(spread @ (y - value) / (spread @ spread)))


def _first_crossing(grid: FloatArray, smooth: FloatArray, level: float) -> float:
    above = np.flatnonzero(smooth >= level)
    return float(grid[above[0]]) if above.size else float(grid[-1])


def _lagrange(nodes: FloatArray, at: FloatArray) -> FloatArray:
    """Return weights (4 x n) of the cubic through *nodes* (4 x n), evaluated *at* (n)."""
    weights = np.ones_like(nodes)
    for i in range(4):
        for j in range(4):
            if i != j:
                weights[i] *= (at - nodes[j]) / (nodes[i] - nodes[j])
    return weights
