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

    *groups* (d) says which lengthscale each column has: the columns of one categorical parameter
    share one, so that many options don't make many hyperparameters.
    """

    inputs: Array
    outcomes: Array
    known: Array
    groups: Groups

    @property
    def scales(self) -> int:
        """The number of lengthscales (p)."""
        return int(self.groups.max()) + 1
