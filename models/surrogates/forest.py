"""A random forest, whose noise is told by the trees that haven't seen a point.

Breiman (Mach. Learn. 45, 2001), cut at random places between observations (Geurts, Ernst &
Wehenkel, Mach. Learn. 63, 2006), so that trees differ where there are none. The epistemic part is
the spread of the trees (as in Hutter, Hoos & Leyton-Brown, LION 5, 2011); the aleatoric one is
what the out-of-bag residuals leave over that spread. The trees see steps, not slopes: predictions
don't change beyond the data, and BoTorch gets no gradients.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.surrogates.posterior import Posterior
from models.surrogates.training import Array, Training

if TYPE_CHECKING:
    from botorch.models.model import Model
    from sklearn.ensemble import ExtraTreesRegressor
    from torch import Tensor

TREES = 200
LEAF = 2
"""The least number of observations in a leaf: with one, trees only repeat the noise."""
ASSUMED = 2.0
"""So many residuals of unit variance are assumed: with few points little is known of the noise."""
LEAST = 0.02
"""The least part of the out-of-bag variance that is taken for noise."""


@dataclass(frozen=True)
class Forest:
    """Trees on bootstrap samples of the training set, and the variance of one experiment."""

    training: Training
    trees: "ExtraTreesRegressor"

    @property
    def name(self) -> str:
        """What it is, as suggestions name it."""
        return "random forest"

    def predict(self, points: Array) -> Posterior:
        """Return what is expected at *points* (m x d)."""
        each = self._each(points)
        noise = np.full(len(points), np.sqrt(self.noise))
        return Posterior(each.mean(0), each.std(0, ddof=1), noise)

    def _each(self, points: Array) -> Array:
        """Return every tree's prediction (trees x m)."""
        rows = np.ascontiguousarray(points, dtype=np.float32)
        return np.stack([tree.tree_.predict(rows)[:, 0] for tree in self.trees.estimators_])

    @cached_property
    def noise(self) -> float:
        """The variance of one experiment: out-of-bag squared residuals less the trees' spread."""
        each, out = self._each(self.training.inputs), self._out_of_bag
        count = out.sum(0)
        told = count > 1
        each, out, count = each[:, told], out[:, told], count[told]
        mean = (each * out).sum(0) / count
        spread = (np.square(each - mean) * out).sum(0) / (count - 1)
        square = np.square(self.training.outcomes[told] - mean)
        whole = (ASSUMED + square.sum()) / (ASSUMED + len(square))
        typical = float(spread.mean()) if len(spread) else 0.0
        return float(max(whole - typical, LEAST * whole))

    @cached_property
    def _out_of_bag(self) -> Array:
        """Whether a tree hasn't seen an observation (trees x n)."""
        out = np.ones((TREES, len(self.training.outcomes)), dtype=bool)
        for row, seen in zip(out, self.trees.estimators_samples_, strict=True):
            row[seen] = False
        return out

    def botorch(self) -> "Model":
        """Return the same trees for BoTorch: their first two moments, without gradients."""
        from models.surrogates.torch_model import MomentModel

        return MomentModel(self._moments)

    def _moments(self, points: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
        from models.surrogates.torch_model import tensor

        *batch, count, columns = points.shape
        each = self._each(points.detach().reshape(-1, columns).numpy())
        means = tensor(each).reshape(TREES, *batch, count)
        away = means - means.mean(0)
        covariance = away.movedim(0, -1) @ away.movedim(0, -1).mT / (TREES - 1)
        return means.mean(0), covariance, means.new_full((*batch, count), self.noise)


def fit(training: Training, seed: int) -> Forest:
    """Return a forest grown on *training*; the same for the same arguments.

    An observation of known variance v (standardised) counts 1 / (1 + v) of one that is exact.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(
        TREES,
        bootstrap=True,
        min_samples_leaf=min(LEAF, len(training.outcomes)),
        random_state=seed % 2**32,
    )
    trees.fit(training.inputs, training.outcomes, sample_weight=1 / (1 + training.known))
    return Forest(training, trees)
