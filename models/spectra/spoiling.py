"""Scans made from real ones: changed in ways that harm nothing, and spoilt in ways that do."""

from collections.abc import Callable

import numpy as np

from models.spectra.spectrum import FloatArray

Points = tuple[FloatArray, FloatArray]
"""Energies (eV) and absorption of one scan."""

HARMLESS_NOISE = (1e-4, 0.03)
RUINOUS_NOISE = (0.35, 3.0)
"""Noise of one point over the swing of a scan that is still good, and of one that isn't: in
between nobody has said which, and the answers may be unsure."""


def harmless(points: Points, random: np.random.Generator) -> Points:
    """Return a good scan as another beamline may have taken it: range, grid, scale, noise."""
    energy, mu = points
    centre = _steepest(energy, mu)
    low = max(energy[0], centre - random.uniform(25, 250))
    high = min(energy[-1], centre + random.uniform(50, 1000))
    grid = _grid(low, centre, high, random)
    swing = float(np.ptp(mu))
    taken = np.interp(grid, energy, mu) / swing
    slope = random.normal(0, 0.1) * (grid - centre) / 500.0
    noise = 10 ** random.uniform(*np.log10(HARMLESS_NOISE))
    taken = taken + slope + noise * random.standard_normal(grid.size)
    return grid, 10 ** random.uniform(-2, 2) * (taken + random.normal(0, 1))


def spoilt(points: Points, random: np.random.Generator) -> Points:
    """Return what a failed measurement would have made of a good scan."""
    energy, mu = harmless(points, random)
    failure = _FAILURES[random.integers(len(_FAILURES))]
    swing = float(np.ptp(mu)) or 1.0
    return energy, swing * failure(energy, (mu - mu.min()) / swing, random)


def _noisy(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    noise = 10 ** random.uniform(*np.log10(RUINOUS_NOISE))
    return mu + noise * random.standard_normal(energy.size)


def _no_sample(energy: FloatArray, _: FloatArray, random: np.random.Generator) -> FloatArray:
    x = (energy - energy.mean()) / np.ptp(energy)
    smooth = np.polyval(random.normal(0, 1, 4), x)
    return smooth + 10 ** random.uniform(-4, 0) * random.standard_normal(energy.size)


def _no_detector(energy: FloatArray, _: FloatArray, random: np.random.Generator) -> FloatArray:
    return 10 ** random.uniform(-6, 0) * random.standard_normal(energy.size)


def _wandering(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    walk = np.cumsum(random.standard_normal(energy.size))
    return np.asarray(walk / (np.ptp(walk) or 1.0) + random.uniform(0, 0.15) * mu)


def _upside_down(_: FloatArray, mu: FloatArray, __: np.random.Generator) -> FloatArray:
    return -mu


def _beam_lost(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    half = 0.5 * (energy[0] + _steepest(energy, mu))
    lost = energy > random.uniform(min(half, energy[-1]), _steepest(energy, mu) + 20.0)
    level = random.uniform(-1, 0)
    return np.asarray(np.where(lost, level + 0.02 * random.standard_normal(energy.size), mu))


def _only_before(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    centre = _steepest(energy, mu)
    part = energy < centre - 10.0
    if part.sum() < 5:
        return _no_sample(energy, mu, random)
    x = energy[part]
    stretched = np.interp(np.linspace(x[0], x[-1], energy.size), x, mu[part])
    grain = 0.01 * np.ptp(stretched) * random.standard_normal(energy.size)
    return np.asarray(stretched + grain)


def _spiked(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    count = random.integers(1, 6)
    spoilt_mu = _no_sample(energy, mu, random) if random.random() < 0.5 else mu.copy()
    places = random.integers(0, energy.size, count)
    spoilt_mu[places] += random.choice([-1, 1], count) * 10 ** random.uniform(0.7, 2.0, count)
    return spoilt_mu


def _saturated(energy: FloatArray, mu: FloatArray, random: np.random.Generator) -> FloatArray:
    before = float(np.median(mu[energy < _steepest(energy, mu) - 10.0])) if energy.size else 0.0
    return np.minimum(mu, before + random.uniform(0.05, 0.5) * (1.0 - before))


_Failure = Callable[[FloatArray, FloatArray, np.random.Generator], FloatArray]
_FAILURES: tuple[_Failure, ...] = (
    *(_noisy, _no_sample, _no_detector, _wandering, _upside_down, _beam_lost),
    *(_only_before, _spiked, _saturated),
)


def _steepest(energy: FloatArray, mu: FloatArray) -> float:
    width = max(5, energy.size // 60)
    smooth = np.convolve(mu, np.ones(width) / width, mode="same")
    slope = np.gradient(smooth, energy)[width:-width]
    return float(energy[width:-width][np.argmax(slope)])


def _grid(low: float, centre: float, high: float, random: np.random.Generator) -> FloatArray:
    """Return energies from *low* to *high*, even or with finer steps about *centre*."""
    if random.random() < 0.3:
        return np.linspace(low, high, int(random.integers(120, 800)))
    fine = random.uniform(0.25, 1.0)
    edge = np.arange(max(low, centre - 20), min(high, centre + 40), fine)
    before = np.arange(low, edge[0] - 1.0, random.uniform(3.0, 12.0))
    after = np.arange(edge[-1] + 1.5, high, random.uniform(1.5, 6.0))
    return np.concatenate([before, edge, after])
