"""Whether a spectrum has points enough for the features that tell the references apart."""

import numpy as np

from models.spectra.mixture import Basis
from models.spectra.scatter import LEAST_SCATTER
from models.spectra.spectrum import Spectrum

COARSE_AT = 2 * LEAST_SCATTER
TOO_COARSE_AT = 0.02
"""What straight lines between the points may lose of a reference (root mean square, edge steps).

Measured on scans thinned out, four sets of references: fractions were off by up to 2.5 of their
sigma at the first, by 8 and more beyond the second.
"""


def lost_between_points(spectrum: Spectrum, basis: Basis) -> float:
    """Return what straight lines between the points of *spectrum* lose of a reference.

    Root mean square in edge steps, over the fine bins of *basis*, for the sharpest reference.
    """
    x = basis.frame.centers[basis.frame.fine]
    points = spectrum.energy - basis.frame.e0
    inside = (x >= points[0]) & (x <= points[-1])
    drawn = np.array([np.interp(x, points, np.interp(points, x, mean)) for mean in basis.means])
    return float(np.sqrt(np.mean((drawn - basis.means)[:, inside] ** 2, axis=1)).max())
