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
    """One of several options without an order; one column per option (one-hot).

    With *descriptors*, as many numbers for each option (in the options' order), an option has a
    place among the others instead: a column per number, from its least to its greatest, each with
    a lengthscale of its own. Numbers that all options share are left out.
    """

    name: str
    options: tuple[str, ...]
    unit: str = ""
    descriptors: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        require_name(self.name)
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise SpaceError(f"parameter {self.name!r}: needs at least one option")
        if wrong := [option for option in self.options if not isinstance(option, str)]:
            raise SpaceError(f"parameter {self.name!r}: options are text, got {wrong[0]!r}")
        if len(set(self.options)) != len(self.options):
            raise SpaceError(f"parameter {self.name!r}: options repeat in {self.options}")
        rows = tuple(
            tuple(bound_of(self.name, "a descriptor", value) for value in row)
            for row in self.descriptors
        )
        object.__setattr__(self, "descriptors", rows)
        if rows:
            self._check_descriptors()

    def _check_descriptors(self) -> None:
        """Refuse descriptors that don't tell the options apart."""
        rows = self.descriptors
        if len(rows) != len(self.options) or len({len(row) for row in rows}) != 1 or not rows[0]:
            lengths = ", ".join(str(len(row)) for row in rows)
            raise SpaceError(
                f"parameter {self.name!r}: descriptors are needed for each of its "
                f"{len(self.options)} options, equally many; got {lengths}"
            )
        for place, row in enumerate(rows):
            if row in rows[:place]:
                raise SpaceError(
                    f"parameter {self.name!r}: {self.options[place]!r} has the same descriptors as "
                    f"{self.options[rows.index(row)]!r}; add one that tells them apart"
                )

    @cached_property
    def places(self) -> Array:
        """Each option's row of columns (options x width), within the unit cube."""
        if not self.descriptors:
            return np.eye(len(self.options))
        rows = np.array(self.descriptors)
        low, span = rows.min(axis=0), np.ptp(rows, axis=0)
        differ = span > 0 if len(rows) > 1 else np.arange(rows.shape[1]) == 0
        span = np.where(span > 0, span, 1.0)
        return np.asarray(((rows - low) / span)[:, differ])

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.places.shape[1])

    @property
    def scales(self) -> tuple[str, ...]:
        """What has a lengthscale of its own, by name: the options together, or each descriptor."""
        if not self.descriptors:
            return (self.name,)
        return tuple(f"{self.name}.{place}" for place in range(1, self.width + 1))

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
        """Return one row (n x width) per value: a single one, or its descriptors' places."""
        if unknown := [fault for value in values if (fault := self.fault(value))]:
            raise PointError(unknown[0])
        return np.asarray(self.places[[self._rows[value] for value in values]])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {option: row for row, option in enumerate(self.options)}

    def decode(self, units: Array) -> list[str]:
        """Return the options at *units* (n x width): of the largest column, or the nearest."""
        if not self.descriptors:
            return [self.options[index] for index in units.argmax(axis=1)]
        apart = np.square(units[:, None, :] - self.places[None, :, :]).sum(axis=2)
        return [self.options[index] for index in apart.argmin(axis=1)]

    def spread(self, units: Array) -> list[str]:
        """Return options for evenly spread *units* (n): every option gets an equal share."""
        last = len(self.options) - 1
        return [self.options[min(int(u * (last + 1)), last)] for u in units.tolist()]
