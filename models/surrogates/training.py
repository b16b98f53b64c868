"""What a surrogate learns from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Groups = NDArray[np.int64]


class FitError(ArithmeticError):
    """No model can be had of the data; says what was tried."""


@dataclass(frozen=True)
class Training:
    """Inputs (n x d, unit cube), standardised outcomes (n) and their known noise variances (n).

    Raises FitError for none at all, shapes that don't fit together and numbers that aren't finite.
    *groups* (d) says which lengthscale each column has: the columns of one categorical parameter
    share one, so that many options don't make many hyperparameters.
    """

    inputs: Array
    outcomes: Array
    known: Array
    groups: Groups

    def __post_init__(self) -> None:
        points, columns = self.inputs.shape if self.inputs.ndim == 2 else (-1, -1)
        shapes = (self.outcomes.shape, self.known.shape, self.groups.shape)
        if shapes != ((points,), (points,), (columns,)) or points < 1:
            raise FitError(
                f"training set: inputs {self.inputs.shape}, outcomes, known and groups {shapes} "
                "don't fit together, or hold no point"
            )
        finite = np.isfinite(self.inputs).all(1) & np.isfinite(self.outcomes)
        finite &= np.isfinite(self.known)
        if not finite.all():
            rows = ", ".join(map(str, np.flatnonzero(~finite)[:5]))
            raise FitError(
                f"training set: row {rows} (from 0) holds a number that isn't finite: "
                "leave failed experiments out"
            )

    @property
    def scales(self) -> int:
        """The number of lengthscales (p)."""
        return int(self.groups.max()) + 1
