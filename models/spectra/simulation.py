"""Simulated mixtures of the references, for training: batches of spectra with known fractions.

What may differ between a reference and the same species in a sample is drawn for each spectrum:
scatter of the repeats (extrapolated by what few repeats leave unknown), energy shift,
resolution, self-absorption, slope and offset of the background, noise.
"""

import numpy as np
import torch

from models.spectra.mixture import Basis, misalignment
from models.spectra.scatter import SCATTER_WITHOUT_REPEATS
from models.spectra.training import Ranges

NODE_EV = 0.25
"""Spacing of the shifts at which references are stored; in between, cubic interpolation."""

GROUP = 16
"""Spectra that share one draw of shift and resolution: the price of a batch, not of accuracy."""

SMOOTH_EV = 3.0
"""Over this, what differs between repeats is one feature."""

LEAST_LEFT_OVER = 0.002
"""Repeats that agree better (edge steps) were measured too soon after each other to tell."""

FEW_LABELS = 4
"""Mixtures of up to so many are often of all of them."""

BLUR_EV = 0.6
"""Gaussian (standard deviation) of the blurred copy from which resolutions are mixed."""


class Simulator:
    """Draws batches from *basis*; float32 throughout."""

    def __init__(self, basis: Basis, ranges: Ranges) -> None:
        self._ranges = ranges
        self._reach = ranges.shift_eV + 2 * NODE_EV
        nodes = np.arange(-self._reach, self._reach + 1e-9, NODE_EV)
        sharp = _with_slopes(basis, nodes)
        self._jitter = torch.tensor(misalignment(basis), dtype=torch.float32)
        blurred = _blurred(sharp, basis.frame.centers)
        self._bank = torch.tensor(np.stack([sharp, blurred]), dtype=torch.float32)
        self._spread = [_spread(basis, k, ranges) for k in range(len(basis.labels))]
        frame = basis.frame
        self._x = torch.tensor(frame.centers / 50.0, dtype=torch.float32)
        self._numerator = torch.tensor(frame.numerator[frame.fine].T, dtype=torch.float32)
        self._step = torch.tensor(frame.step, dtype=torch.float32)
        self._floor = torch.tensor(
            np.maximum(basis.left_over, LEAST_LEFT_OVER), dtype=torch.float32
        )
        self._known = int(np.clip(basis.owner.size - len(basis.labels), 3, 20))
        self._curves = _smooth_curves(basis)
        widths = np.diff(frame.edges)
        self._quiet = torch.tensor(np.sqrt(widths.min() / widths), dtype=torch.float32)

    def draw(
        self, count: int, random: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return spectra (count x f), log10 of their noise (count), fractions (count x k).

        *count* is a multiple of ``GROUP``.
        """
        fractions = _fractions(count, len(self._spread), random)
        mu = self._mixed(self._weights(fractions, random), random)
        mu = self._distorted(mu + self._strayed(fractions, random), random)
        low, high = np.log10(self._ranges.noise)
        noise = low + (high - low) * torch.rand(count, generator=random)
        grain = torch.randn(mu.shape, generator=random) * self._quiet
        mu = mu + (10**noise)[:, None] * grain
        normal = (mu @ self._numerator) / (mu @ self._step)[:, None]
        return normal, noise, fractions

    def _weights(self, fractions: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Return the weight of each reference scan (count x n): fractions times a drawn species."""
        slopes = self._jitter * torch.randn(fractions.shape, generator=random) * fractions
        total = torch.zeros(fractions.shape[0], self._bank.shape[2] - fractions.shape[1])
        for label, (mean, spread) in enumerate(self._spread):
            unit = torch.randn(fractions.shape[0], spread.shape[0], generator=random)
            stray = _heavier(unit, self._known, random) @ spread * self._ranges.scatter
            total += fractions[:, label, None] * (mean + stray)
        return torch.cat([total, slopes], dim=1)

    def _mixed(self, weights: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Return the mixtures (count x g), each group at its own shift and resolution."""
        groups = weights.shape[0] // GROUP
        shift = (2 * torch.rand(groups, generator=random) - 1) * self._ranges.shift_eV
        blur = torch.randn(groups, generator=random) * self._ranges.blur
        place = (shift + self._reach) / NODE_EV
        first = place.floor().clamp(1, self._bank.shape[1] - 3)
        cubic = _catmull_rom(place - first)
        columns = torch.stack([self._bank[:, (first + j).long()] for j in (-1, 0, 1, 2)])
        bank = torch.einsum("js,jbsng->bsng", cubic, columns)
        bank = bank[0] + blur[:, None, None] * (bank[1] - bank[0])
        return torch.bmm(weights.reshape(groups, GROUP, -1), bank).reshape(weights.shape[0], -1)

    def _strayed(self, fractions: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Return what no repeat has shown yet (count x g): smooth curves, as large as repeats
        of each label leave over when the others describe them."""
        count = fractions.shape[0]
        size = ((fractions * self._floor) ** 2).sum(dim=1, keepdim=True).sqrt()
        unit = _heavier(
            torch.randn(count, self._curves.shape[0], generator=random), self._known, random
        )
        return self._ranges.rough * size * (unit @ self._curves)

    def _distorted(self, mu: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Return *mu* after self-absorption and a change of background.

        A thick sample damps what it absorbs: mu (1 + a) / (1 + a mu), with a the ratio of the
        edge step to all other absorption; first order in the thick limit of Tröger et al.,
        Phys. Rev. B 46, 3283 (1992), equation 4.
        """
        count = mu.shape[0]
        a = self._ranges.self_absorption * torch.randn(count, 1, generator=random).abs()
        mu = mu * (1 + a) / (1 + a * mu.clamp(min=-0.5))
        slope = self._ranges.slope * torch.randn(count, 1, generator=random)
        offset = self._ranges.offset * torch.randn(count, 1, generator=random)
        return mu + slope * self._x + offset * (self._x > 0)


def _fractions(count: int, labels: int, random: torch.Generator) -> torch.Tensor:
    """Return fractions (count x k): uniform on the simplex, a third of them sparse.

    Of many labels three quarters are sparse, with two or three present in the mean: a sample has
    few species, however many references there are.
    """
    share = 1 / 3 if labels <= FEW_LABELS else 3 / 4
    amounts = -torch.log(torch.rand(count, labels, generator=random).clamp(min=1e-12))
    sparse = torch.rand(count, 1, generator=random) < share
    present = torch.rand(count, labels, generator=random) < min(0.5, 2.0 / labels)
    present |= torch.nn.functional.one_hot(
        torch.randint(labels, (count,), generator=random), labels
    ).bool()
    amounts = torch.where(sparse & ~present, torch.zeros(()), amounts)
    return amounts / amounts.sum(dim=1, keepdim=True)


def _spread(basis: Basis, label: int, ranges: Ranges) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean (n) and the deviations (d x n) of a label, as weights of all scans.

    Of r repeats, the difference of a new one from their mean has the covariance of the repeats
    times 1 + 1/r. A label measured once strays towards the others.
    """
    count = basis.owner.size
    mean = np.where(basis.owner == label, 1.0, 0.0)
    repeats = int(mean.sum())
    mean = mean / repeats
    if repeats > 1:
        single = np.eye(count)[basis.owner == label]
        rows = (single - mean) * np.sqrt((1 + 1 / repeats) / (repeats - 1))
    else:
        means = [_mean(basis, k) for k in range(len(basis.labels)) if k != label]
        rows = SCATTER_WITHOUT_REPEATS * (np.stack(means) - mean)
    others = [k for k in range(len(basis.labels)) if k != label]
    shared = [ranges.shared * row for k in others for row in _repeat_rows(basis, k)]
    foreign = [ranges.contamination * (_mean(basis, k) - mean) for k in others]
    rows = np.vstack([rows, *shared, *foreign])
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(rows, dtype=torch.float32)


def _with_slopes(basis: Basis, nodes: np.ndarray) -> np.ndarray:
    """Return all scans at the shifts *nodes* and, after them, the derivative of each label's mean
    with respect to the shift (s x (n + k) x g)."""
    sharp = basis.moved(nodes)
    step = 0.1
    slope = (basis.moved(nodes + step) - basis.moved(nodes - step)) / (2 * step)
    weights = np.stack([_mean(basis, k) for k in range(len(basis.labels))])
    return np.concatenate([sharp, np.einsum("kn,sng->skg", weights, slope)], axis=1)


def _repeat_rows(basis: Basis, label: int) -> np.ndarray:
    """Return the deviations of a label's repeats from their mean (r x n), of unit covariance."""
    member = basis.owner == label
    repeats = int(member.sum())
    if repeats < 2:
        return np.zeros((0, basis.owner.size))
    rows = (np.eye(basis.owner.size)[member] - _mean(basis, label)) / np.sqrt(repeats - 1)
    return np.asarray(rows)


def _smooth_curves(basis: Basis) -> torch.Tensor:
    """Return curves (c x g) whose random sums are smooth over 3 eV, of unit size above the edge."""
    x = basis.frame.centers
    rise = np.clip(basis.moved([0.0])[0].mean(axis=0), 0.0, 1.0)
    nodes = np.arange(-15.0, 80.0, SMOOTH_EV)
    curves = np.exp(-0.5 * ((x[None, :] - nodes[:, None]) / SMOOTH_EV) ** 2) * rise
    return torch.tensor(curves / 1.33, dtype=torch.float32)


def _mean(basis: Basis, label: int) -> np.ndarray:
    member = np.where(basis.owner == label, 1.0, 0.0)
    return np.asarray(member / member.sum())


def _heavier(unit: torch.Tensor, known: int, random: torch.Generator) -> torch.Tensor:
    """Return normal draws (count x d), each row times a factor about one.

    The size of the scatter is known from a few repeats only (*known* degrees of freedom), so it
    is drawn as well: a Student-t in place of the normal, cut where it says nothing anymore.
    """
    chi2 = (torch.randn(unit.shape[0], known, generator=random) ** 2).sum(dim=1, keepdim=True)
    return unit * (known / chi2).sqrt().clamp(0.5, 2.5)


def _catmull_rom(t: torch.Tensor) -> torch.Tensor:
    """Return weights (4 x s) of the points at -1, 0, 1, 2 for a place *t* (s) from 0 to 1."""
    return 0.5 * torch.stack(
        [
            -t + 2 * t**2 - t**3,
            2 - 5 * t**2 + 3 * t**3,
            t + 4 * t**2 - 3 * t**3,
            -(t**2) + t**3,
        ]
    )


def _blurred(mu: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return *mu* (… x g) convolved with a Gaussian of ``BLUR_EV`` on the bins at *x*."""
    kernel = np.exp(-0.5 * ((x[:, None] - x[None, :]) / BLUR_EV) ** 2)
    kernel *= np.gradient(x)[None, :]
    return np.asarray(mu @ (kernel / kernel.sum(axis=1, keepdims=True)).T)
