"""What tells a good absorption scan from a failed one, as a few numbers without units.

None depends on element, energy grid, scale or offset of the absorption, so that scans of any
beamline can be judged by what was learned at another.
"""

from dataclasses import dataclass

import numpy as np

from models.spectra.edge import find_edge, noise_of
from models.spectra.spectrum import SAME_ENERGY_EV, FloatArray, Spectrum

NAMES = (
    *("step_over_scatter", "step_over_noise", "steepness", "step_over_swing", "rise_share"),
    *(
        "noise_over_swing",
        "wander",
        "glitches",
        "stuck",
        "late_level",
        "before_slope",
        "correlation",
    ),
)
"""The features, in their order; see ``features_of``."""

SMOOTHING_EV = 4.0
BINS = 240
LEAST_FINITE = 0.8
"""A scan with fewer finite points than this part is bad without asking anyone."""
FEWEST_POINTS = 10
WINDOW_EV = (-200.0, 400.0)
"""Around the steepest climb: beyond, a line from before the edge says nothing about the level."""
BEFORE_EV, AFTER_EV = 12.0, 15.0
"""Left and right of the steepest climb, from where levels are taken."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The *features* (f) of a scan, None where there is nothing to compute them from; *flaw* says
    in words what is plainly wrong, "" for nothing."""

    features: FloatArray | None
    flaw: str


def judged(energy: FloatArray, mu: FloatArray) -> Judged:
    """Return the features of a scan as it was measured: points in any order, finite or not."""
    finite = np.isfinite(energy) & np.isfinite(mu) & (np.abs(mu) < 1e100)
    share = float(finite.mean()) if finite.size else 0.0
    if share < LEAST_FINITE or finite.sum() < FEWEST_POINTS:
        return Judged(None, f"{1 - share:.0%} of {finite.size} points aren't numbers")
    spectrum = _sorted(energy[finite], mu[finite])
    if spectrum.energy.size < FEWEST_POINTS:
        return Judged(None, f"only {spectrum.energy.size} different energies")
    swing = float(np.ptp(spectrum.mu))
    if swing <= 1e-12 * max(float(np.abs(spectrum.mu).max()), 1e-300):
        return Judged(None, "the signal never changes")
    _, flaw = find_edge(spectrum)
    return Judged(features_of(_near_edge(spectrum)), flaw)


def features_of(spectrum: Spectrum) -> FloatArray:
    """Return the features (f) of *spectrum*, which changes; each of about unit size.

    Of the steepest climb at c of the smoothed scan: logs of the edge step over the scatter of the
    level before it and over the noise; how much steeper it is than the next steepest, and whether
    it climbs at all; the step over all of the swing; the part of the step that rises within 15 eV.
    Then the logs of noise, of wander of the smoothed scan beside the edge and of the largest
    glitch over the swing; the part of points at one extreme value; the level at the end and the
    slope before the edge over the step; how alike neighbours are.
    """
    swing = float(np.ptp(spectrum.mu))
    energy, mu = spectrum.energy, (spectrum.mu - spectrum.mu.min()) / swing
    grid, smooth, slope, centre = _climb(energy, mu)
    before, after = grid < centre - BEFORE_EV, grid > centre + AFTER_EV
    before, after = (
        before if before.sum() > 3 else grid <= grid[3],
        after if after.sum() > 3 else grid >= grid[-4],
    )
    low = _line(grid[before], smooth[before], centre)
    scatter = float(np.std(smooth[before] - np.polyval(low, grid[before] - centre)))
    level = float(np.median(smooth[after] - np.polyval(low, grid[after] - centre)))
    noise = noise_of(spectrum) / swing
    rise = np.diff(np.interp([centre - AFTER_EV, centre + AFTER_EV], grid, smooth))[0]
    apart = np.abs(slope[3:-3][np.abs(grid[3:-3] - centre) > 30.0])
    rival = float(apart.max()) if apart.size else 0.0
    size = max(abs(level), 1e-3)
    strayed = np.abs(mu - np.interp(energy, grid, smooth))
    strayed = strayed[np.abs(energy - centre) > 30.0]
    stuck = max(float(np.mean(mu > 1 - 1e-9)), float(np.mean(mu < 1e-9)))
    values = (
        _log(size / (scatter + 1e-4)),
        _log(size / (noise + 1e-4)),
        _log((slope.max() + 1e-6) / (rival + 1e-6)),
        level,
        float(np.clip(rise / size, -2, 2)) * np.sign(level),
        _log(noise + 1e-4),
        _log(float(np.std(np.diff(smooth[before]))) + float(np.std(np.diff(smooth[after]))) + 1e-5),
        _log((float(strayed.max()) if strayed.size else 0.0) + 1e-4),
        10.0 * stuck,
        float(np.clip((smooth[-1] - np.polyval(low, grid[-1] - centre)) / size, -3, 3)),
        float(np.clip(low[0] * 100.0 / size, -3, 3)),
        _likeness(mu),
    )
    return np.asarray(values, dtype=np.float64)


def _climb(energy: FloatArray, mu: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Return a grid, *mu* smoothed on it, its slope, and where that is steepest (eV)."""
    grid = np.linspace(energy[0], energy[-1], BINS)
    width = max(SMOOTHING_EV, 1.5 * float(grid[1] - grid[0]))
    smooth = _smoothed(energy, mu, grid, width)
    slope = np.gradient(smooth, grid)
    return grid, smooth, slope, float(grid[3:-3][np.argmax(slope[3:-3])])


def _near_edge(spectrum: Spectrum) -> Spectrum:
    """Return what of *spectrum* lies around its steepest climb; all where that is too little."""
    *_, centre = _climb(spectrum.energy, spectrum.mu / float(np.ptp(spectrum.mu)))
    near = (spectrum.energy >= centre + WINDOW_EV[0]) & (spectrum.energy <= centre + WINDOW_EV[1])
    mu = spectrum.mu[near]
    if near.sum() < FEWEST_POINTS or np.ptp(mu) < 0.3 * np.ptp(spectrum.mu):
        return spectrum
    return Spectrum(spectrum.energy[near], mu)


def _sorted(energy: FloatArray, mu: FloatArray) -> Spectrum:
    order = np.argsort(energy, kind="stable")
    energy, mu = energy[order], mu[order]
    fresh = np.concatenate([[True], np.diff(energy) > SAME_ENERGY_EV])
    return Spectrum(np.asarray(energy[fresh], np.float64), np.asarray(mu[fresh], np.float64))


def _smoothed(energy: FloatArray, mu: FloatArray, grid: FloatArray, width: float) -> FloatArray:
    """Return *mu* on *grid*, convolved with a Gaussian of *width* eV; ends are reflected."""
    spacing = float(grid[1] - grid[0])
    count = min(int(np.ceil(3 * width / spacing)), grid.size - 1)
    kernel = np.exp(-0.5 * (np.arange(-count, count + 1) * spacing / width) ** 2)
    edges = np.concatenate([[grid[0]], 0.5 * (grid[1:] + grid[:-1]), [grid[-1]]])
    area = np.concatenate([[0.0], np.cumsum(np.diff(energy) * 0.5 * (mu[1:] + mu[:-1]))])
    means = np.diff(np.interp(edges, energy, area)) / np.diff(edges)
    padded = np.pad(means, count, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _line(x: FloatArray, y: FloatArray, centre: float) -> FloatArray:
    """Return slope and value at *centre* of the line through the level before the edge; flat
    where it spans too little."""
    if np.ptp(x) < 20.0:
        return np.array([0.0, float(np.mean(y))])
    return np.asarray(np.polyfit(x - centre, y, 1))


def _likeness(mu: FloatArray) -> float:
    """Return the correlation of neighbouring differences (-0.5 for white noise, up to 1)."""
    step = np.diff(mu)
    square = float(step @ step)
    return float(step[1:] @ step[:-1]) / square if square > 0 else 0.0


def _log(value: float) -> float:
    return float(np.log10(max(value, 1e-12)))
