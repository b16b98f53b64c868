"""A real wafer: 307 spots of a sputtered Bi-Cu-V oxide film, each with its diffraction pattern.

Folder ``simulators/data/xrd_bi_cu_v_oxide_map`` (SOURCE.md there).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.errors import ScanDataError

Array = NDArray[np.float64]

BI_CU_V = Path(__file__).parents[1] / "data" / "xrd_bi_cu_v_oxide_map"
NAMES = (
    "spot",
    "x_mm",
    "y_mm",
    "elements",
    "composition",
    "q_inv_nm",
    "pattern",
    "phases",
    "published",
)
FULL = 65535
"""The highest line of a pattern as it is stored."""


@dataclass(frozen=True, slots=True)
class RecordedWafer:
    """Spots (n) of a wafer, what was measured there, and what was published of them.

    ``places`` (n x 2) are x and y in mm, ``composition`` (n x 3) cation fractions of ``elements``,
    ``patterns`` (n x f) intensities at ``q`` (f, nm^-1) with their highest line at 1,
    ``published`` (n x p) the share of each of ``phases`` in the published map, which is a method's
    result that experts confirmed: something to agree with, not the truth.
    """

    spots: tuple[str, ...]
    places: Array
    elements: tuple[str, ...]
    composition: Array
    q: Array
    patterns: Array
    phases: tuple[str, ...]
    published: Array


def read_wafer(folder: Path = BI_CU_V) -> RecordedWafer:
    """Return the wafer in *folder*; ScanDataError where it can't be read."""
    path = folder / "wafer.npz"
    try:
        with np.load(path) as file:
            data = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise ScanDataError(f"{path}: can't be read as a wafer: {error}") from error
    missing = [name for name in NAMES if name not in data]
    if missing:
        raise ScanDataError(f"{path}: holds no {', '.join(missing)}")
    published = data["published"].astype(np.float64)
    return RecordedWafer(
        spots=tuple(str(spot) for spot in data["spot"]),
        places=np.column_stack([data["x_mm"], data["y_mm"]]).astype(np.float64),
        elements=tuple(str(element) for element in data["elements"]),
        composition=data["composition"].astype(np.float64),
        q=data["q_inv_nm"].astype(np.float64),
        patterns=data["pattern"].astype(np.float64) / FULL,
        phases=tuple(str(phase) for phase in data["phases"]),
        published=published / np.maximum(published.sum(1, keepdims=True), 1),
    )
