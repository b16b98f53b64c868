"""What a fit leaves over: how much of the lines, and whether it lies where no phase has a line."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import grey_dilation, uniform_filter1d

from models.diffraction.radiation import FloatArray

NEAR_DEG = 0.25
"""So near a line of the model a residual may be its wrong place or shape."""
SIGNIFICANT = 2.5


@dataclass(frozen=True, slots=True)
class Leftover:
    """Parts of the lines' intensity, from 0 up, and how significant the highest peak is.

    ``apart`` stands where the model has no line, ``above`` anywhere above the model, ``below``
    is what the model has and the scan hasn't; ``highest`` is the highest peak that is apart, in
    sigma of the noise, ``tall`` as part of the strongest line.
    """

    apart: float
    above: float
    below: float
    highest: float
    tall: float


def leftover_of(
    lines: FloatArray, model: FloatArray, variance: FloatArray, step: float
) -> Leftover:
    """Return what *model* (n) leaves of *lines* (n), a scan without its background.

    *variance* (n) is that of the points' noise, *step* degrees from point to point.
    """
    width = 3
    left = uniform_filter1d(lines - model, width)
    sigma = np.sqrt(np.maximum(variance, 1e-30) / width)
    seen = SIGNIFICANT * sigma
    near = grey_dilation(model, size=(2 * round(NEAR_DEG / step) + 1,))
    apart = left - 0.5 * near
    total = max(float(np.clip(uniform_filter1d(lines, width) - sigma, 0.0, None).sum()), 1e-12)
    total = max(total, float(model.sum()))
    top = max(float(uniform_filter1d(lines, width).max()), 1e-12)
    return Leftover(
        apart=float(np.clip(apart - seen, 0.0, None).sum()) / total,
        above=float(np.clip(left - seen, 0.0, None).sum()) / total,
        below=float(np.clip(-left - seen, 0.0, None).sum()) / total,
        highest=float((apart / sigma).max()),
        tall=max(float(apart.max()), 0.0) / top,
    )
