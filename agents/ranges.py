"""Parameters over a range: what each accepts, and its way to the unit interval and back.

A continuous parameter has more doubles between its bounds than the unit interval has near
the same place ([-1, 1] against [0, 1]), so no map of doubles to doubles can keep them all
apart. It therefore has a *resolution*: 14 decimal digits of its largest bound (12 of the value
itself on a log scale), finer than any instrument. Every value that a space makes is rounded to
it, and rounding also undoes the last-bit errors of encoding: ``decode(encode(x)) == x`` exactly
for every such *x*, for the bounds, and for every number that a person writes with fewer digits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.errors import PointError, SpaceError

Array = NDArray[np.float64]

LINEAR_DIGITS = 14
LOG_DIGITS = 12
NARROWEST = 1000
"""A continuous parameter spans at least so many steps of the coarser of the two resolutions."""
LARGEST = 1e290
"""Bounds stay clear of the ends of double precision, where rounding changes its nature."""


def number(name: str, value: object) -> float:
    """Return *value* as a finite float; PointError names the parameter otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise PointError(f"parameter {name!r}: {value!r} is not a number")
    if not math.isfinite(value):
        raise PointError(f"parameter {name!r}: {value!r} is not a finite number")
    return float(value)


def bound_of(name: str, which: str, value: float) -> float:
    """Return *value* as a finite float; SpaceError says *which* bound of parameter *name* it is."""
    try:
        return number(name, value)
    except PointError as error:
        raise SpaceError(f"{which} of {error}") from error


def require_name(name: str) -> None:
    """Refuse a *name* that is none."""
    if not isinstance(name, str) or not name.strip():
        raise SpaceError(f"a parameter needs a name, got {name!r}")


def with_unit(text: str, unit: str) -> str:
    """Return *text* followed by *unit*, if there is one."""
    return f"{text} {unit}".rstrip()


class Named(Protocol):
    """A numeric parameter, as far as its refusals speak of it."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def unit(self) -> str:
        """Its unit; empty where there is none."""
        ...

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        ...


def number_fault(parameter: Named, value: object, inside: Callable[[float], bool]) -> str | None:
    """Return what is wrong with *value*, which must be *inside*, or None."""
    try:
        plain = number(parameter.name, value)
    except PointError as error:
        return f"{error}; accepted: {parameter.accepts}"
    if inside(plain):
        return None
    given = with_unit(f"{plain!r}", parameter.unit)
    return f"parameter {parameter.name!r}: {given} is not accepted: {parameter.accepts}"


@dataclass(frozen=True)
class Continuous:
    """Any number from *low* to *high* (in *unit*), on a linear or a logarithmic scale."""

    name: str
    low: float
    high: float
    unit: str = ""
    log: bool = False
    width = 1

    def __post_init__(self) -> None:
        require_name(self.name)
        low, high = bound_of(self.name, "low", self.low), bound_of(self.name, "high", self.high)
        if not low < high:
            raise SpaceError(f"parameter {self.name!r}: low {low:g} must be below high {high:g}")
        if max(abs(low), abs(high)) > LARGEST:
            raise SpaceError(f"parameter {self.name!r}: {low:g} to {high:g} is beyond {LARGEST:g}")
        if self.log and low <= 0:
            raise SpaceError(f"parameter {self.name!r}: a log scale needs low > 0, got {low:g}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        largest = max(abs(low), abs(high))
        if high - low < max(NARROWEST * 10.0 ** (1 - LOG_DIGITS) * largest, 1 / LARGEST):
            raise SpaceError(
                f"parameter {self.name!r}: {low!r} to {high!r} is too narrow for its size; "
                "state it as an offset from its middle"
            )

    @property
    def levels(self) -> None:
        """All values, where they can be listed: here they can't."""
        return None

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return with_unit(f"{self.low:g} to {self.high:g}", self.unit)

    def fault(self, value: object) -> str | None:
        """Return what is wrong with *value*, or None."""
        return number_fault(self, value, lambda x: self.low <= x <= self.high)

    def canonical(self, value: float) -> float:
        """Return *value* at the parameter's resolution and inside its bounds.

        What is nearer to a bound than to the next step of the resolution is at the bound.
        """
        if self.log:
            rounded = float(f"{value:.{LOG_DIGITS}g}")
            near = 0.5 * 10.0**-LOG_DIGITS * value
        else:
            digits = LINEAR_DIGITS - 1 - math.floor(math.log10(max(abs(self.low), abs(self.high))))
            rounded = round(value, digits)
            near = 0.5 * 10.0**-digits
        if rounded < self.low + near:
            return self.low
        return self.high if rounded > self.high - near else rounded + 0.0

    def encode(self, values: Array) -> Array:
        """Return the places of *values* (n) in the unit interval; beyond a bound, the bound's."""
        clipped = np.clip(values, self.low, self.high)
        if self.log:
            span = math.log(self.high) - math.log(self.low)
            unit = (np.log(clipped) - math.log(self.low)) / span
        else:
            unit = (clipped - self.low) / (self.high - self.low)
        return np.asarray(np.clip(unit, 0.0, 1.0))

    def decode(self, units: Array) -> list[float]:
        """Return the values at *units* (n), at the parameter's resolution."""
        if self.log:
            span = math.log(self.high) - math.log(self.low)
            raw = np.exp(math.log(self.low) + units * span)
        else:
            raw = self.low + units * (self.high - self.low)
        ends = {0.0: self.low, 1.0: self.high}  # also where low + (high - low) misses high
        return [
            ends[unit] if unit in ends else self.canonical(value)
            for unit, value in zip(units.tolist(), raw.tolist(), strict=True)
        ]

    def spread(self, units: Array) -> list[float]:
        """Return values for evenly spread *units* (n)."""
        return self.decode(units)


@dataclass(frozen=True)
class Integer:
    """Any whole number from *low* to *high* (in *unit*)."""

    name: str
    low: int
    high: int
    unit: str = ""
    width = 1

    def __post_init__(self) -> None:
        require_name(self.name)
        for which, value in (("low", self.low), ("high", self.high)):
            if bound_of(self.name, which, value) != int(value):
                raise SpaceError(
                    f"{which} of parameter {self.name!r}: {value!r} is no whole number"
                )
            object.__setattr__(self, which, int(value))
        if not self.low < self.high:
            raise SpaceError(
                f"parameter {self.name!r}: low {self.low} must be below high {self.high}"
            )
        if max(abs(self.low), abs(self.high)) > 2**50:
            raise SpaceError(f"parameter {self.name!r}: whole numbers beyond 2**50 are not exact")

    @property
    def levels(self) -> Sequence[int]:
        """All values, in order."""
        return range(self.low, self.high + 1)

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return with_unit(f"whole numbers from {self.low} to {self.high}", self.unit)

    def fault(self, value: object) -> str | None:
        """Return what is wrong with *value*, or None."""
        return number_fault(self, value, lambda x: self.low <= x <= self.high and x == int(x))

    def canonical(self, value: float) -> int:
        """Return the nearest whole number inside the bounds."""
        return min(max(round(value), self.low), self.high)

    def encode(self, values: Array) -> Array:
        """Return the places of *values* (n) in the unit interval; beyond a bound, the bound's."""
        return np.asarray(np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0))

    def decode(self, units: Array) -> list[int]:
        """Return the whole numbers nearest to *units* (n)."""
        raw = self.low + units * (self.high - self.low)
        return [self.canonical(value) for value in raw.tolist()]

    def spread(self, units: Array) -> list[int]:
        """Return values for evenly spread *units* (n): every whole number gets an equal share."""
        raw = np.floor(self.low + units * (self.high - self.low + 1))
        return [self.canonical(value) for value in raw.tolist()]
