"""The 2-theta axis that patterns are simulated on, and measured ones brought to."""

from dataclasses import dataclass

import numpy as np

from models.diffraction.radiation import FloatArray


@dataclass(frozen=True, slots=True)
class Grid:
    """*count* points from *start* to *stop* degrees of 2-theta, both included."""

    start: float
    stop: float
    count: int

    def __post_init__(self) -> None:
        if not 0 < self.start < self.stop < 175:
            raise ValueError(
                f"a range of 2-theta lies between 0 and 175 degrees, got {self.start:g} to "
                f"{self.stop:g}"
            )
        if self.count < 32:
            raise ValueError(f"a grid has 32 points or more, got {self.count}")

    @property
    def step(self) -> float:
        """Degrees from point to point."""
        return (self.stop - self.start) / (self.count - 1)

    @property
    def two_theta(self) -> FloatArray:
        """The points (n) in degrees."""
        return np.linspace(self.start, self.stop, self.count)

    def least_d(self, wavelength: float) -> float:
        """Return the smallest spacing (Å) whose line can fall onto the grid, 3 % of it to spare."""
        return 0.97 * wavelength / (2 * float(np.sin(np.radians(self.stop / 2))))
