"""Limits on parameters together: linear constraints and forbidden regions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents.errors import SpaceError

Relation = Literal["==", "<=", ">="]
ROUNDING = 1e-9
"""Share of the terms' size that is granted to rounding, beyond any tolerance."""


@dataclass(frozen=True)
class LinearConstraint:
    """A weighted sum of numeric parameters against a bound, in the parameters' units.

    With a *tolerance* (in the unit of the bound) the sum may miss the bound by so much: a
    measured mixture that is 100 % within 0.11 is ``== 100`` with tolerance 0.11. *text* is
    shown to people; it is made from the rest when left empty.
    """

    coefficients: Mapping[str, float]
    relation: Relation
    bound: float
    tolerance: float = 0.0
    text: str = ""

    def __post_init__(self) -> None:
        if self.relation not in ("==", "<=", ">="):
            raise SpaceError(f"constraint: relation {self.relation!r} is not one of ==, <=, >=")
        object.__setattr__(self, "coefficients", dict(self.coefficients))
        if not self.coefficients:
            raise SpaceError(f"constraint {self.relation} {self.bound!r}: names no parameter")
        for name, factor in (*self.coefficients.items(), ("the bound", self.bound)):
            if isinstance(factor, bool) or not math.isfinite(factor):
                raise SpaceError(f"constraint: {name} is {factor!r}, a finite number is needed")
        if not 0 <= self.tolerance < math.inf:
            raise SpaceError(f"constraint: tolerance {self.tolerance!r} must be zero or more")
        object.__setattr__(self, "text", self.text or self._written())

    def _written(self) -> str:
        terms = [
            name if factor == 1 else f"{factor:g}*{name}"
            for name, factor in self.coefficients.items()
        ]
        within = f" ± {self.tolerance:g}" if self.tolerance else ""
        return f"{' + '.join(terms)} {self.relation} {self.bound:g}{within}"

    def value(self, point: Mapping[str, float | int | str]) -> float:
        """Return the weighted sum at *point*."""
        return math.fsum(factor * float(point[name]) for name, factor in self.coefficients.items())

    def holds(self, point: Mapping[str, float | int | str]) -> bool:
        """Return whether *point* keeps the constraint, tolerance and rounding granted."""
        size = math.fsum(abs(factor * float(point[n])) for n, factor in self.coefficients.items())
        slack = self.tolerance + ROUNDING * (size + abs(self.bound))
        excess = self.value(point) - self.bound
        if self.relation == "<=":
            return excess <= slack
        if self.relation == ">=":
            return excess >= -slack
        return abs(excess) <= slack


@dataclass(frozen=True)
class ForbiddenRegion:
    """Where nothing may be tried: all *conditions* hold there. *reason* is shown to people."""

    conditions: tuple[LinearConstraint, ...]
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if not self.conditions:
            raise SpaceError(f"forbidden region {self.reason!r}: has no condition")

    def contains(self, point: Mapping[str, float | int | str]) -> bool:
        """Return whether *point* is forbidden."""
        return all(condition.holds(point) for condition in self.conditions)

    @property
    def text(self) -> str:
        """The conditions, in words."""
        return " and ".join(condition.text for condition in self.conditions)
