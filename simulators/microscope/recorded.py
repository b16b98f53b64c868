"""The real map and images that the microscope replays."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import ScanDataError

DATA = Path(__file__).parents[1] / "data"

FloatArray = NDArray[np.float64]

QUIET_V = 1.7
"""A third of the lower coercive voltage: too little to switch anything."""

QUIET_AT_END = 1
"""Half of the points at the end of a cycle that count as before it."""


@dataclass(frozen=True, slots=True, eq=False)
class LoopMap:
    """Loops at places: *voltage* (v, V), *x* and *y* (um), *response* (rows of y, x, v; a.u.)."""

    voltage: FloatArray
    x: FloatArray
    y: FloatArray
    response: FloatArray

    @property
    def image(self) -> FloatArray:
        """What is seen where hardly any voltage is: median response below ``QUIET_V`` (y, x).

        Only from before a loop switches the film, and from its very end.
        """
        quiet = np.abs(self.voltage) < QUIET_V
        middle = self.voltage.size // 4
        quiet[middle : -2 * QUIET_AT_END] = False
        return np.asarray(np.median(self.response[:, :, quiet], axis=2))

    def nearest(self, x: float, y: float) -> tuple[int, int]:
        """Return row and column of the place nearest to *x*, *y* (um)."""
        return int(np.abs(self.y - y).argmin()), int(np.abs(self.x - x).argmin())


@lru_cache(maxsize=1)
def recorded_loops() -> LoopMap:
    """Return the hysteresis loops of spm_beps_pto; ScanDataError where they are missing."""
    with _archive("spm_beps_pto/beps.npz") as data:
        metres = {name: np.asarray(data[name], dtype=np.float64) for name in ("x_m", "y_m")}
        return LoopMap(
            np.asarray(data["voltage_V"], dtype=np.float64),
            1e6 * (metres["x_m"] - metres["x_m"].min()),
            1e6 * (metres["y_m"] - metres["y_m"].min()),
            np.asarray(data["piezoresponse"], dtype=np.float64),
        )


def recorded_images() -> dict[str, FloatArray]:
    """Return the images of spm_pfm_images_pto by FILE__CHANNEL (m or degrees, 256 x 256)."""
    with _archive("spm_pfm_images_pto/images.npz") as data:
        images = {}
        for name in data:
            if f"{name}__range" in data:
                low, high = data[f"{name}__range"]
                images[name] = low + (high - low) * data[name].astype(np.float64) / 65535.0
        return images


def _archive(name: str) -> "np.lib.npyio.NpzFile":
    path = DATA / name
    try:
        return np.load(path)  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise ScanDataError(f"{path}: can't be read ({error}); install the package anew") from error
