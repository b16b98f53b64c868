"""What lies under the lines of a pattern."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def underneath(pattern: Array, reach: int) -> Array:
    """Return what lies under the lines of *pattern* (f, not negative) that are within *reach*.

    Statistics-sensitive peak clipping (Ryan, Clayton, Griffin, Sie & Cousens, Nucl. Instrum.
    Methods B 34, 396 (1988)), *reach* bins to each side.
    """
    rooted = np.log(np.log(np.sqrt(pattern + 1.0) + 1.0) + 1.0)
    for step in range(reach, 0, -1):
        padded = np.pad(rooted, step, mode="edge")
        rooted = np.minimum(rooted, 0.5 * (padded[: -2 * step] + padded[2 * step :]))
    return np.asarray(np.square(np.exp(np.exp(rooted) - 1.0) - 1.0) - 1.0)
