"""The space of a campaign: parameters, and what limits them together."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.box import BLOCKS, Box, Key, Points
from agents.constraints import ForbiddenRegion, LinearConstraint
from agents.errors import SpaceError
from agents.parameters import Categorical, Continuous, Discrete, Integer, Parameter
from agents.polytope import Polytope, polytope_of
from agents.protocols import Parameters, Value

__all__ = [
    "Categorical",
    "Continuous",
    "Discrete",
    "ForbiddenRegion",
    "Integer",
    "Key",
    "LinearConstraint",
    "Parameter",
    "Space",
]

Array = NDArray[np.float64]
FRUITLESS = 2048
"""So many candidates without a new point, and a sample ends."""
LISTABLE = 4096
"""A grid of so many points is listed rather than searched."""


@dataclass(frozen=True)
class Space(Box):
    """All points that a campaign may try; with a *pool*, only the points of the pool.

    A pool's points keep their very numbers. Raises SpaceError where it makes no sense: names
    that repeat, a constraint on what isn't a number, nothing that keeps all constraints, a pool
    that is empty, repeats itself or breaks a bound or constraint. Pool entries inside a
    forbidden region are left out.
    """

    constraints: tuple[LinearConstraint, ...] = ()
    forbidden: tuple[ForbiddenRegion, ...] = ()
    pool: tuple[Parameters, ...] | None = None
    once: tuple[str, ...] = ()
    """Parameters none of whose values may be used a second time (see ``agents.once``)."""

    def __post_init__(self) -> None:
        for field in ("parameters", "constraints", "forbidden", "once"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        self._check_names()
        if self.pool is None:
            self._check_feasible()
        else:
            object.__setattr__(self, "pool", self._checked_pool(self.pool))

    def check(self, point: Parameters) -> tuple[str, ...]:
        """Return why *point* is not of the space, one reason each; empty if it is."""
        faults = self.faults(point)
        if faults:
            return faults
        reasons = [
            f"constraint {constraint.text}: got {constraint.value(point):.12g}"
            for constraint in self.constraints
            if not constraint.holds(point)
        ]
        reasons += [
            f"forbidden region ({region.text}): {region.reason}"
            for region in self.forbidden
            if region.contains(point)
        ]
        if self.pool is not None and self.key(point) not in self._pool_keys:
            reasons.append(f"point {dict(point)} is not in the pool of {len(self.pool)} points")
        return tuple(reasons)

    def decode(self, array: Array) -> Points:
        """Return the points at *array* (n x dimension); with a pool, the nearest of the pool.

        As ``Box.decode``; every point of a pool comes back with its very numbers.
        """
        if self.pool is None:
            return super().decode(array)
        return [dict(self.pool[self._nearest_in_pool(row)]) for row in self.units(array)]

    @cached_property
    def _pool_keys(self) -> dict[Key, int]:
        return {self.key(point): row for row, point in enumerate(self.pool or ())}

    def _nearest_in_pool(self, row: Array) -> int:
        return int(np.square(self.encoded_list - row).sum(axis=1).argmin())

    def sample(self, count: int, seed: int) -> Points:
        """Return up to *count* different points, spread evenly and the same for the same *seed*.

        Scrambled Sobol points as far as constraints and forbidden regions leave them, else
        points spread over what the constraints leave; with a pool, the entries nearest to Sobol
        points. Fewer where the space has no more. SpaceError if none can be found.
        """
        if self.listed is not None:
            return self._sample_list(self.listed, count, seed)
        found: dict[Key, dict[str, Value]] = {}
        fruitless = 0
        for point in self._candidates(seed):
            if len(found) >= count or fruitless > FRUITLESS:
                break
            fruitless += 1
            if not self.check(point) and self.key(point) not in found:
                found[self.key(point)] = point
                fruitless = 0
        if count > 0 and not found:
            raise SpaceError(self._nothing_left())
        return list(found.values())

    def _nothing_left(self) -> str:
        texts = [constraint.text for constraint in self.constraints]
        texts += [f"not ({region.text})" for region in self.forbidden]
        return f"space: no point keeps {'; '.join(texts)}: widen bounds or tolerance"

    def _candidates(self, seed: int) -> Iterable[dict[str, Value]]:
        """Yield points that may keep the constraints: first plain ones, then constructed ones."""
        equal = any(constraint.relation == "==" for constraint in self.constraints)
        plain = 0 if equal else BLOCKS
        if self.constraints and not equal:
            plain = 2
        for block in itertools.islice(self.sobol(seed, len(self.parameters)), plain):
            yield from self.spread(block)
        if self.constraints:
            for turn, block in enumerate(self.sobol(seed, len(self.parameters))):
                yield from self._constructed(self.spread(block), seed + turn)

    @cached_property
    def polytope(self) -> Polytope:
        """What the constraints leave of the parameters that they name."""
        numeric = {
            parameter.name: parameter
            for parameter in self.parameters
            if not isinstance(parameter, Categorical)
        }
        return polytope_of(numeric, self.constraints)

    def _constructed(self, points: Points, seed: int) -> Iterable[dict[str, Value]]:
        """Yield *points* with their constrained parameters replaced by ones that fit together."""
        polytope = self.polytope
        rows = polytope.settled(polytope.spread(len(points), seed), seed)
        for point, row in zip(points, rows, strict=True):
            yield self.repaired({**point, **self._named(row)})

    def _named(self, row: Array) -> dict[str, Value]:
        """Return the constrained parameters at *row* (k), each at a value that it accepts."""
        return {
            parameter.name: parameter.canonical(value)
            for parameter, value in zip(self.polytope.parameters, row.tolist(), strict=True)
        }

    def repaired(self, point: Parameters) -> dict[str, Value]:
        """Return *point* with its constrained parameters moved, as little as can be, to fit.

        A point that keeps all constraints is returned as it is. Forbidden regions are not
        looked at.
        """
        if all(constraint.holds(point) for constraint in self.constraints):
            return dict(point)
        row = np.array([float(point[parameter.name]) for parameter in self.polytope.parameters])
        nearest = self.polytope.nearest(row)
        if nearest is None:
            raise SpaceError(self._nothing_left())
        return {**point, **self._named(nearest)}

    @cached_property
    def listed(self) -> tuple[Parameters, ...] | None:
        """All points there are, if they can be listed: the pool, or a small grid; else None."""
        if self.pool is not None:
            return self.pool
        levels = [parameter.levels for parameter in self.parameters]
        if math.prod(math.inf if level is None else len(level) for level in levels) > LISTABLE:
            return None
        rows: Iterable[tuple[Value, ...]] = itertools.product(*(level or () for level in levels))
        grid = (dict(zip(self.names, row, strict=True)) for row in rows)
        return tuple(point for point in grid if not self.check(point))

    @cached_property
    def encoded_list(self) -> Array:
        """The listed points in the unit cube (n x dimension); empty if they can't be listed."""
        return self.encode(self.listed) if self.listed else np.empty((0, self.dimension))

    def _sample_list(self, points: Sequence[Parameters], count: int, seed: int) -> Points:
        """Return those of *points* nearest to Sobol points, none twice."""
        taken: list[int] = []
        free = np.ones(len(points), dtype=bool)
        for block in self.sobol(seed, len(self.parameters)):
            for row in self.encode(self.spread(block)):
                if len(taken) >= min(count, len(points)):
                    return [dict(points[index]) for index in taken]
                distance = np.square(self.encoded_list - row).sum(axis=1)
                index = int(np.where(free, distance, np.inf).argmin())
                free[index] = False
                taken.append(index)
        return [dict(points[index]) for index in taken]

    def _check_names(self) -> None:
        """Refuse an empty space, names that repeat, and constraints on what isn't a number."""
        if not self.parameters:
            raise SpaceError("space: has no parameter")
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise SpaceError(f"space: parameter names repeat: {', '.join(sorted(repeated))}")
        conditions = [condition for region in self.forbidden for condition in region.conditions]
        for name in self.once:
            if isinstance(self._by_name.get(name), (Continuous, type(None))):
                levels = [p.name for p in self.parameters if not isinstance(p, Continuous)]
                raise SpaceError(
                    f"parameter {name!r}: can't be used once; parameters with values that can be "
                    f"counted: {', '.join(levels) or 'none'}"
                )
        for constraint in (*self.constraints, *conditions):
            for name in constraint.coefficients:
                if isinstance(self._by_name.get(name), (Categorical, type(None))):
                    raise SpaceError(
                        f"constraint {constraint.text}: {name!r} is not a numeric parameter; "
                        f"known: {', '.join(self.names)}"
                    )

    def _check_feasible(self) -> None:
        """Refuse constraints that nothing keeps, and forbidden regions that leave nothing."""
        if self.constraints and self.polytope.nearest() is None:
            raise SpaceError(self._nothing_left())
        if (self.constraints or self.forbidden) and not self.sample(1, seed=0):
            raise SpaceError(self._nothing_left())

    def _checked_pool(self, pool: Iterable[Parameters]) -> tuple[Parameters, ...]:
        """Return *pool* without what is forbidden; SpaceError names the row (from 0) at fault."""
        rows = [dict(point) for point in pool]
        seen: dict[bytes, int] = {}
        kept: list[Parameters] = []
        for row, point in enumerate(rows):
            faults = self.faults(point) or tuple(
                f"constraint {constraint.text}: got {constraint.value(point):.12g}"
                for constraint in self.constraints
                if not constraint.holds(point)
            )
            if faults:
                raise SpaceError(f"pool, row {row}: {'; '.join(faults)}")
            place = self.encode([point]).tobytes()
            if place in seen:
                raise SpaceError(f"pool, row {row}: {point} repeats row {seen[place]}")
            seen[place] = row
            if not any(region.contains(point) for region in self.forbidden):
                kept.append(point)
        if not kept:
            raise SpaceError(f"pool: none of its {len(rows)} points may be tried; it needs one")
        return tuple(kept)
