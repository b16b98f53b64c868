"""The grid on which spectra are compared, and the normalisation on it, both linear maps.

Everything is relative to one edge energy *e0* of the whole reference set and uses the same
ranges for references and mixtures. So a normalised mixture is exactly the mixture of the
normalised references, weighted by edge step: no error enters by normalising each on its own.

Pre-edge line, post-edge polynomial, edge step at e0 and flattening follow the usual practice:
Newville, "Fundamentals of XAFS", Rev. Mineral. Geochem. 78, 33 (2014), section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spectra.spectrum import FloatArray, Spectrum

FINE_STEP_EV = 0.5
"""A third of the core-hole width of a 3d metal; finer adds noise, coarser loses the pre-peaks."""

FINE_LOW_EV, FINE_HIGH_EV = -25.0, 75.0
"""Around e0: the features that tell compounds apart."""

COARSE_STEP_EV = 4.0
FARTHEST_LOW_EV, FARTHEST_HIGH_EV = -200.0, 400.0
"""Beyond, a line or a quadratic no longer describes the background."""

LADDER_LOW_EV = (-150.0, -100.0, -60.0, -40.0, -30.0, -20.0, -15.0, -10.0)
LADDER_HIGH_EV = (300.0, 200.0, 150.0, 100.0, 80.0, 60.0, 45.0, 35.0, 25.0)
"""Ranges that shorter scans are cut to, so that scans of nearly one length share a frame."""

TOLERANCE_EV = 6.0
"""A scan may be this much shorter than its frame; its end values are held there."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Bins around *e0* (eV) and the normalisation on them.

    *edges* (g+1) bound the bins, in eV relative to e0; *fine* selects the bins to compare;
    *numerator* (g x g) removes pre-edge and curvature, *step* (g) gives the edge step.
    """

    e0: float
    edges: FloatArray
    fine: slice
    numerator: FloatArray
    step: FloatArray

    @property
    def centers(self) -> FloatArray:
        """Centres of the bins in eV relative to e0 (g)."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest energy relative to e0 (eV)."""
        return float(self.edges[0]), float(self.edges[-1])

    def resample(self, spectrum: Spectrum, shifts: Sequence[float] | FloatArray) -> FloatArray:
        """Return *spectrum* moved by each of *shifts* (eV, s) as means over the bins (s x g).

        The mean of the straight lines between the points, so that a dense scan loses noise and
        a sparse one is interpolated. Outside the scan its end values are held.
        """
        energy, mu = _padded(spectrum)
        rise = np.diff(energy) * 0.5 * (mu[1:] + mu[:-1])
        area = np.concatenate([[0.0], np.cumsum(rise)])
        at = self.e0 + self.edges[None, :] - np.asarray(shifts, dtype=np.float64)[:, None]
        index = np.clip(np.searchsorted(energy, at, side="right") - 1, 0, energy.size - 2)
        part = at - energy[index]
        slope = ((mu[1:] - mu[:-1]) / np.diff(energy))[index]
        below = area[index] + part * (mu[index] + 0.5 * slope * part)
        return np.asarray(np.diff(below, axis=1) / np.diff(self.edges))

    def normalise(self, mu: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return *mu* (b x g) normalised and flattened (b x g), and the edge steps (b)."""
        step = mu @ self.step
        safe = np.where(np.abs(step) > 1e-300, step, np.nan)
        return (mu @ self.numerator.T) / safe[:, None], step

    def normalised(self, spectrum: Spectrum, shifts: Sequence[float] | FloatArray) -> FloatArray:
        """Return *spectrum* moved by each of *shifts*, normalised, in the fine bins (s x f)."""
        return self.normalise(self.resample(spectrum, shifts))[0][:, self.fine]


def make_frame(e0: float, low: float, high: float) -> Frame:
    """Return the frame around *e0* from *low* to *high* (eV relative to e0; low < 0 < high)."""
    low, high = max(low, FARTHEST_LOW_EV), min(high, FARTHEST_HIGH_EV)
    first = int(np.ceil(max(low, FINE_LOW_EV) / FINE_STEP_EV))
    last = int(np.floor(min(high, FINE_HIGH_EV) / FINE_STEP_EV))
    fine = FINE_STEP_EV * np.arange(first, last + 1)
    before, after = _coarse(low, fine[0]), _coarse(fine[-1], high)
    return _frame(e0, np.concatenate([before[:-1], fine, after[1:]]))


def cut(frame: Frame, low: float, high: float) -> tuple[Frame, slice]:
    """Return *frame* cut to *low* .. *high* (eV relative to e0), and which of its bins are left."""
    inside = np.flatnonzero((frame.edges >= low - 1e-6) & (frame.edges <= high + 1e-6))
    kept = slice(int(inside[0]), int(inside[-1]))
    if kept == slice(0, frame.edges.size - 1):
        return frame, kept
    return _frame(frame.e0, frame.edges[kept.start : kept.stop + 1]), kept


def _frame(e0: float, edges: FloatArray) -> Frame:
    centers, widths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    near = np.flatnonzero((centers > FINE_LOW_EV) & (centers < FINE_HIGH_EV))
    numerator, step = _normalisation(centers, widths)
    return Frame(e0, edges, slice(int(near[0]), int(near[-1]) + 1), numerator, step)


def fitting_span(
    spectrum: Spectrum, e0: float, whole: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the range (eV relative to *e0*) that *spectrum* covers, on the ladder below *whole*.

    *whole* is the range of the references. None when the scan starts or ends too close to e0.
    """
    low, high = float(spectrum.energy[0]) - e0, float(spectrum.energy[-1]) - e0
    lows = [whole[0], *(x for x in LADDER_LOW_EV if x > whole[0])]
    highs = [whole[1], *(x for x in LADDER_HIGH_EV if x < whole[1])]
    slack = min(TOLERANCE_EV, 0.1 * max(high - low, 0.0))
    fits_low = next((x for x in lows if low <= x + min(slack, 0.2 * abs(x))), None)
    fits_high = next((x for x in highs if high >= x - min(slack, 0.2 * x)), None)
    return None if fits_low is None or fits_high is None else (fits_low, fits_high)


def _padded(spectrum: Spectrum) -> tuple[FloatArray, FloatArray]:
    """Return the points with the end values held far outside."""
    energy, mu = spectrum.energy, spectrum.mu
    edge = max(3, min(energy.size // 50, 10))
    ends = [energy[0] - 1e4], [energy[-1] + 1e4]
    first, last = mu[:edge].mean(), mu[-edge:].mean()
    near = [energy[0] - 1e-3], [energy[-1] + 1e-3]
    return (
        np.concatenate([ends[0], near[0], energy, near[1], ends[1]]),
        np.concatenate([[first, first], mu, [last, last]]),
    )


def _coarse(low: float, high: float) -> FloatArray:
    """Return edges of about equal bins from *low* to *high*; one point where there is no room."""
    if high - low < 1e-6:
        return np.array([high])
    return np.linspace(low, high, max(round((high - low) / COARSE_STEP_EV), 1) + 1)


def _normalisation(x: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return numerator (g x g) and step (g) for bins at *x* (eV relative to e0) of *widths*."""
    pre_low, pre_high = float(x[0]), max(-20.0, 0.4 * float(x[0])) if x[0] > -50 else -20.0
    before = (x >= pre_low) & (x <= pre_high)
    pre = _fit(x, widths, before, 1 if x[0] < -45 else 0)
    flat = np.eye(x.size) - pre
    post = _fit(x, widths, *_post_range(x)) @ flat
    at_e0 = int(np.argmin(np.abs(x)))
    step = post[at_e0]
    curvature = np.where(x[:, None] > 0, post - step[None, :], 0.0)
    return flat - curvature, step


def _post_range(x: FloatArray) -> tuple[NDArray[np.bool_], int]:
    """Return which bins the post-edge polynomial is fitted to, and its degree."""
    high = float(x[-1])
    if high > 140:
        return x > (75.0 if high > 190 else 50.0), 2 if high > 190 else 1
    return x > min(20.0, 0.4 * high), 0


def _fit(x: FloatArray, widths: FloatArray, used: NDArray[np.bool_], degree: int) -> FloatArray:
    """Return the matrix (g x g) that maps values to the fitted polynomial's values everywhere."""
    if int(np.sum(used)) <= degree:
        used, degree = np.abs(x - x[np.argmax(used)]) < 1e-9, 0
    scale = float(np.abs(x[used]).max()) or 1.0
    basis = np.vander(x / scale, degree + 1)
    weighted = basis[used] * widths[used, None]
    solve = np.linalg.solve(basis[used].T @ weighted, weighted.T)
    matrix = np.zeros((x.size, x.size))
    matrix[:, used] = basis @ solve
    return matrix
