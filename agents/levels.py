"""Parameters with a few values: ordered numbers, or options without an order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.errors import PointError, SpaceError
from agents.ranges import bound_of, number_fault, require_name, with_unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Discrete:
    """One of a few numbers (in *unit*), whose order and distances mean something."""

    name: str
    values: tuple[float, ...]
    unit: str = ""
    width = 1

    def __post_init__(self) -> None:
        require_name(self.name)
        values = tuple(bound_of(self.name, "a value", value) for value in self.values)
        if not values:
            raise SpaceError(f"parameter {self.name!r}: needs at least one value")
        if len(set(values)) != len(values):
            raise SpaceError(f"parameter {self.name!r}: values repeat in {values}")
        object.__setattr__(self, "values", tuple(sorted(values)))
        if not math.isfinite(self.high - self.low) or np.any(np.diff(self.positions) <= 0):
            raise SpaceError(
                f"parameter {self.name!r}: values can't be told apart over their range"
            )

    @property
    def low(self) -> float:
        """The smallest value."""
        return self.values[0]

    @property
    def high(self) -> float:
        """The largest value."""
        return self.values[-1]

    @cached_property
    def positions(self) -> Array:
        """The values' places in the unit interval (k), proportional to the values."""
        return self.encode(np.array(self.values))

    @property
    def levels(self) -> Sequence[float]:
        """All values, in order."""
        return self.values

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return with_unit("one of " + ", ".join(f"{value:g}" for value in self.values), self.unit)

    def fault(self, value: object) -> str | None:
        """Return what is wrong with *value*, or None."""
        return number_fault(self, value, lambda x: x in self.values)

    def canonical(self, value: float) -> float:
        """Return the nearest of the values."""
        return min(self.values, key=lambda known: (abs(known - value), known))

    def encode(self, values: Array) -> Array:
        """Return the places of *values* (n) in the unit interval; beyond a bound, the bound's."""
        span = self.high - self.low
        if span == 0:
            return np.full(len(values), 0.5)
        return np.asarray(np.clip((values - self.low) / span, 0.0, 1.0))

    def decode(self, units: Array) -> list[float]:
        """Return the values nearest to *units* (n)."""
        nearest = np.abs(units[:, None] - self.positions[None, :]).argmin(axis=1)
        return [self.values[index] for index in nearest]

    def spread(self, units: Array) -> list[float]:
        """Return values for evenly spread *units* (n): every value gets an equal share."""
        last = len(self.values) - 1
        return [self.values[min(int(u * (last + 1)), last)] for u in units.tolist()]


@dataclass(frozen=True)
class Categorical:
    """One of several options without an order; one column per option (one-hot)."""

    name: str
    options: tuple[str, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        require_name(self.name)
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise SpaceError(f"parameter {self.name!r}: needs at least one option")
        if wrong := [option for option in self.options if not isinstance(option, str)]:
            raise SpaceError(f"parameter {self.name!r}: options are text, got {wrong[0]!r}")
        if len(set(self.options)) != len(self.options):
            raise SpaceError(f"parameter {self.name!r}: options repeat in {self.options}")

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.options)

    @property
    def levels(self) -> Sequence[str]:
        """All options."""
        return self.options

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "one of " + ", ".join(map(repr, self.options))

    def fault(self, value: object) -> str | None:
        """Return what is wrong with *value*, or None."""
        if value in self.options:
            return None
        return f"parameter {self.name!r}: {value!r} is not accepted: {self.accepts}"

    def encode(self, values: list[str]) -> Array:
        """Return one row (n x options) with a single one per value."""
        if unknown := [fault for value in values if (fault := self.fault(value))]:
            raise PointError(unknown[0])
        rows = np.zeros((len(values), self.width))
        rows[np.arange(len(values)), [self.options.index(value) for value in values]] = 1.0
        return rows

    def decode(self, units: Array) -> list[str]:
        """Return the option with the largest column in each row of *units* (n x options)."""
        return [self.options[index] for index in units.argmax(axis=1)]

    def spread(self, units: Array) -> list[str]:
        """Return options for evenly spread *units* (n): every option gets an equal share."""
        last = len(self.options) - 1
        return [self.options[min(int(u * (last + 1)), last)] for u in units.tolist()]
