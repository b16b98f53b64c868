"""A first guess without any network: blurred patterns at many strains and displacements.

A scan is compared with them by non-negative least squares; it tells which phases may be there,
and where refinement is to begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.diffraction.grid import Grid
from models.diffraction.pattern import PhasePatterns, Shape
from models.diffraction.radiation import FloatArray, Radiation
from models.diffraction.symmetry import IntArray

BLUR_DEG = 0.4
STRAINS = np.linspace(-0.012, 0.012, 9)
DISPLACEMENTS_DEG = np.linspace(-0.36, 0.36, 7)
COARSER = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """Where to begin: *displacement* (degrees), *strains* (k) and intensity *shares* (k)."""

    displacement: float
    strains: FloatArray
    shares: FloatArray
    misfit: float


class Templates:
    """Blurred patterns of all phases (displacements x k x strains x n/4), each of unit length."""

    def __init__(
        self, simulators: Sequence[PhasePatterns], grid: Grid, radiation: Radiation
    ) -> None:
        rows = []
        for simulator in simulators:
            count = len(STRAINS) * len(DISPLACEMENTS_DEG)
            plain = Shape.plain(simulator.phase, count, radiation)
            strain = torch.zeros(count, simulator.phase.modes)
            strain[:, 0] = torch.tensor(np.tile(STRAINS, len(DISPLACEMENTS_DEG)))
            shape = plain.with_(
                strain=strain,
                displacement=torch.tensor(
                    np.repeat(DISPLACEMENTS_DEG, len(STRAINS)), dtype=torch.float32
                ),
                fwhm=torch.full((count,), BLUR_DEG),
            )
            coarse = coarser(simulator(shape))
            rows.append(coarse.view(len(DISPLACEMENTS_DEG), len(STRAINS), -1))
        self._patterns = torch.stack(rows, dim=1).numpy()

    def guess(self, lines: FloatArray, measured: NDArray[np.bool_]) -> Guess:
        """Return the best beginning for *lines* (n), a scan without background, blurred alike.

        *measured* (n) is false where nothing was.
        """
        mask = coarser(torch.tensor(measured, dtype=torch.float32)[None])[0].numpy() > 0.99
        target = coarser(torch.tensor(lines, dtype=torch.float32)[None])[0].numpy() * mask
        # even weights by the square root: weak lines count
        weight = mask / np.sqrt(np.maximum(target, 0) + 0.02 * max(float(target.max()), 1e-9))
        target = target * weight
        best: Guess | None = None
        for place, displacement in enumerate(DISPLACEMENTS_DEG):
            weighted = self._patterns[place] * weight
            strains, shares, misfit = _matched(weighted, target)
            if best is None or misfit < best.misfit:
                sizes = np.take_along_axis(
                    self._patterns[place].sum(axis=2), strains[:, None], axis=1
                )[:, 0]
                best = Guess(float(displacement), STRAINS[strains], shares * sizes, misfit)
        assert best is not None
        total = max(float(best.shares.sum()), 1e-12)
        return Guess(best.displacement, best.strains, best.shares / total, best.misfit)


def _matched(patterns: FloatArray, target: FloatArray) -> tuple[IntArray, FloatArray, float]:
    """Return the strain (k, index) and weight (k) of each phase in *target* (n), and the misfit.

    Strains are chosen by likeness with the whole, then once more with what the others leave.
    """
    count = patterns.shape[0]
    length = np.linalg.norm(patterns, axis=2) + 1e-12
    strains = (patterns @ target / length).argmax(axis=1)
    rows = np.arange(count)
    weights, misfit = nnls(patterns[rows, strains].T, target, maxiter=30 * count)
    for k in np.argsort(-weights)[:6]:
        if weights[k] <= 0:
            break
        left = target - weights @ patterns[rows, strains] + weights[k] * patterns[k, strains[k]]
        strains[k] = int((patterns[k] @ left / length[k]).argmax())
    weights, misfit = nnls(patterns[rows, strains].T, target, maxiter=30 * count)
    return strains, weights, float(misfit)


def coarser(values: torch.Tensor) -> torch.Tensor:
    """Return means (b x n/4) of neighbouring points."""
    return torch.nn.functional.avg_pool1d(values[:, None], COARSER)[:, 0]


def blurred(values: FloatArray, grid: Grid) -> FloatArray:
    """Return *values* (n) convolved with a Gaussian of ``BLUR_DEG`` full width at half maximum."""
    sigma = BLUR_DEG / 2.3548 / grid.step
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(values, kernel / kernel.sum(), mode="same")
