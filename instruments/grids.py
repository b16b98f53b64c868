"""Energy grids of spectra: regions of constant step, as a beamline scientist writes them."""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Region = tuple[float, float, Annotated[float, Field(gt=0)]]
"""Start, stop and step, all in eV; the stop belongs to the next region."""

MOST_POINTS = 20_000


class EnergyGrid(BaseModel):
    """Regions ``[start, stop, step]`` in eV, each beginning where the one before it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    regions: tuple[Region, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for start, stop, step in self.regions:
            if not start + step <= stop:
                raise ValueError(f"[{start:g}, {stop:g}, {step:g}]: needs start + step <= stop")
        for (_, stop, _), (start, _, _) in zip(self.regions, self.regions[1:], strict=False):
            if start != stop:
                raise ValueError(f"a region ends at {stop:g} eV, the next begins at {start:g} eV")
        if sum((stop - start) / step for start, stop, step in self.regions) > MOST_POINTS:
            raise ValueError(f"more than {MOST_POINTS} energies; use larger steps")
        return self

    def energies(self) -> npt.NDArray[np.float64]:
        """Return the energies (eV), ascending, the last stop included."""
        parts = [np.arange(start, stop - 1e-9 * step, step) for start, stop, step in self.regions]
        return np.concatenate([*parts, [self.regions[-1][1]]])
