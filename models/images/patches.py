"""What is found at a place, learned from how the image looks around it.

Every pixel is described by the principal components of its patch and by its position. A process on
positions alone, one on both, and a deep kernel on both (Wilson et al., "Deep kernel learning",
AISTATS 2016) compete: held-out likelihood chooses, because a deep kernel of few measurements is
far too sure of itself unless it pays. Sigma is scaled by held-out residuals.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.images.frames import FloatArray
from models.surrogates import deep_kernel, gaussian
from models.surrogates.choice import choose
from models.surrogates.folds import FOLDS, out_of_fold
from models.surrogates.posterior import Learner, Posterior, Surrogate
from models.surrogates.training import FitError, Training

if TYPE_CHECKING:
    from botorch.models.model import Model

PATCH = 7
"""Pixels a side; odd."""

COMPONENTS = 4
"""Of a patch; more of them are noise at a few dozen measurements."""

FEW_FOR_DEPTH = 25
"""Fewer measurements aren't worth the time of a deep kernel: it has never been chosen there."""

LEAST_SCALED = 8
"""Fewer held-out residuals don't scale sigma."""


@dataclass(frozen=True, slots=True, eq=False)
class Descriptors:
    """What describes each pixel of an image (h x w): *columns* (h·w x d) in the unit cube.

    The first two are its position, the others components of its patch, the largest first;
    *explained* is the part of the patches' variance that they hold.
    """

    columns: FloatArray
    shape: tuple[int, int]
    explained: float

    def rows(self, places: NDArray[np.int64]) -> FloatArray:
        """Return the columns (n x d) at *places* (n x 2: row and column of the pixel)."""
        return np.asarray(self.columns[places[:, 0] * self.shape[1] + places[:, 1]])


def describe(image: FloatArray, size: int = PATCH, components: int = COMPONENTS) -> Descriptors:
    """Return what describes each pixel of *image* (h x w, finite, any unit)."""
    high, wide = image.shape
    spread = float(image.std()) or 1.0
    padded = np.pad((image - image.mean()) / spread, size // 2, mode="reflect")
    patches = sliding_window_view(padded, (size, size)).reshape(high * wide, size * size)
    centred = patches - patches.mean(axis=0)
    sizes, rows = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(sizes)[::-1][:components]
    scores = centred @ rows[:, order]
    units = _evenly(scores)
    row, column = np.divmod(np.arange(high * wide), wide)
    position = np.stack([row / max(high - 1, 1), column / max(wide - 1, 1)], axis=1)
    explained = float(sizes[order].sum() / max(float(sizes.sum()), 1e-300))
    return Descriptors(np.hstack([position, units]), (high, wide), explained)


def _evenly(scores: FloatArray) -> FloatArray:
    """Return the ranks of each column of *scores* (n x d) in the unit interval, equals alike.

    A few odd patches would leave all others next to each other.
    """
    columns = [np.unique(column.round(9), return_inverse=True)[1] for column in scores.T]
    return np.stack([column / max(int(column.max()), 1) for column in columns], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class PatchModel:
    """One quantity over an image, learned from some of its pixels; *reason* says by what and why.

    *scale* and *offset* bring it to its unit, *stretch* is what sigma is multiplied by.
    """

    surrogate: Surrogate
    name: str
    reason: str
    scale: float
    offset: float
    stretch: float

    def predict(self, columns: FloatArray) -> Posterior:
        """Return what is expected at pixels described by *columns* (m x d), in its unit."""
        told = self.surrogate.predict(columns)
        factor = self.scale * self.stretch
        return Posterior(
            self.offset + self.scale * told.mean, factor * told.epistemic, factor * told.aleatoric
        )


@dataclass(frozen=True)
class Some:
    """A learner that sees only the first *columns*, or all where there is no number."""

    learner: Learner
    columns: int | None = None

    def __call__(self, training: Training, seed: int) -> Surrogate:
        """Return what was learned, ready for all columns."""
        if self.columns is None:
            return self.learner(training, seed)
        part = Training(
            training.inputs[:, : self.columns],
            training.outcomes,
            training.known,
            training.groups[: self.columns],
        )
        return Partly(self.learner(part, seed), self.columns)


@dataclass(frozen=True)
class Partly:
    """A surrogate of the first *columns* that is asked with all."""

    within: Surrogate
    columns: int

    @property
    def name(self) -> str:
        """What it is."""
        return self.within.name

    @property
    def training(self) -> Training:
        """What it has learned from."""
        return self.within.training

    def predict(self, points: FloatArray) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        return self.within.predict(points[:, : self.columns])

    def botorch(self) -> "Model":
        """Refuse: it is asked at pixels, there is nothing to search."""
        raise FitError("a model of patches is asked at pixels; it has no BoTorch model")


LEARNERS: dict[str, Learner] = {
    "positions": Some(lambda training, _seed: gaussian.fit(training), 2),
    "patches": Some(lambda training, _seed: gaussian.fit(training)),
    "deep-kernel": Some(deep_kernel.fit),
}
"""In the order in which they are preferred where none is clearly better."""


def learn(columns: FloatArray, outcomes: FloatArray, sigmas: FloatArray, seed: int) -> PatchModel:
    """Return the model of *outcomes* (n) ± *sigmas* at pixels described by *columns* (n x d).

    The same for the same arguments. Raises FitError when none of the learners can be fitted.
    """
    offset = float(np.mean(outcomes))
    scale = float(np.std(outcomes)) or 1.0
    training = Training(
        np.asarray(columns, dtype=np.float64),
        (np.asarray(outcomes, dtype=np.float64) - offset) / scale,
        (np.asarray(sigmas, dtype=np.float64) / scale) ** 2,
        np.arange(columns.shape[1]),
    )
    names = ["patches", "positions"]
    if len(outcomes) >= FEW_FOR_DEPTH:
        names.append("deep-kernel")
    choice = choose(training, {name: LEARNERS[name] for name in names}, seed)
    stretch = _stretch(LEARNERS[choice.name], training, seed)
    return PatchModel(choice.surrogate, choice.name, choice.reason, scale, offset, stretch)


def _stretch(learner: Learner, training: Training, seed: int) -> float:
    """Return what sigma is to be multiplied by: root mean square held-out residual, half-way.

    As if as many residuals of a perfect model had been seen as are needed at least.
    """
    count = len(training.outcomes)
    if count < LEAST_SCALED:
        return 1.0
    told = out_of_fold(learner, training, seed, FOLDS)
    square = np.minimum(((training.outcomes - told.mean) / told.sigma) ** 2, 16.0)
    return float(np.sqrt((LEAST_SCALED + square.sum()) / (LEAST_SCALED + count)))
