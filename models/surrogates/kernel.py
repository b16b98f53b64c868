"""The Matérn-5/2 kernel of unit variance, and its slopes."""

import math

import numpy as np

from models.surrogates.training import Array

SQRT5 = math.sqrt(5.0)


def correlation(left: Array, right: Array, lengths: Array) -> tuple[Array, Array]:
    """Return Matérn-5/2 correlations (n x m), and their slope (n x m).

    The slope is -2 times the derivative by the squared scaled distance: a lengthscale l_j changes
    the correlation by slope * (x_j - x'_j)^2 / l_j^2 per unit of log l_j, a coordinate x_j by
    -slope * (x_j - x'_j) / l_j^2 per unit of x_j.
    """
    a, b = left / lengths, right / lengths
    square = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None, :] - 2 * a @ b.T
    distance = np.sqrt(np.maximum(square, 0.0)) * SQRT5
    decay = np.exp(-distance)
    value = (1 + distance + np.square(distance) / 3) * decay
    return value, 5 / 3 * (1 + distance) * decay
