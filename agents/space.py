"""The space of a campaign: parameters, what limits them together, and the unit cube.

``encode`` gives one column per numeric parameter (its place between its bounds) and one per
option of a categorical one (one-hot), in the order of the parameters. Discrete values keep
their distances: values 1, 2 and 10 lie at 0, 0.11 and 1.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.constraints import ForbiddenRegion, LinearConstraint
from agents.errors import PointError, SpaceError
from agents.parameters import Categorical, Continuous, Discrete, Integer, Parameter, number
from agents.polytope import Polytope, polytope_of
from agents.protocols import Parameters, Value

__all__ = [
    "Categorical",
    "Continuous",
    "Discrete",
    "ForbiddenRegion",
    "Integer",
    "LinearConstraint",
    "Parameter",
    "Space",
]

Array = NDArray[np.float64]
Key = tuple[Value, ...]
Points = list[dict[str, Value]]
BLOCK = 256
BLOCKS = 64
FRUITLESS = 2048
"""So many candidates without a new point, and a sample ends."""
LISTABLE = 4096
"""A grid of so many points is listed rather than searched."""


@dataclass(frozen=True)
class Space:
    """All points that a campaign may try; with a *pool*, only the points of the pool.

    A pool's points keep their very numbers. Raises SpaceError where it makes no sense: names
    that repeat, a constraint on what isn't a number, nothing that keeps all constraints, a pool
    that is empty, repeats itself or breaks a bound or constraint. Pool entries inside a
    forbidden region are left out.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[LinearConstraint, ...] = ()
    forbidden: tuple[ForbiddenRegion, ...] = ()
    pool: tuple[Parameters, ...] | None = None

    def __post_init__(self) -> None:
        for field in ("parameters", "constraints", "forbidden"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        self._check_names()
        if self.pool is None:
            self._check_feasible()
        else:
            object.__setattr__(self, "pool", self._checked_pool(self.pool))

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def parameter(self, name: str) -> Parameter:
        """Return the parameter called *name*; PointError if there is none."""
        if name not in self._by_name:
            raise PointError(f"parameter {name!r} is unknown; known: {', '.join(self.names)}")
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @property
    def dimension(self) -> int:
        """The number of columns of the encoded space."""
        return sum(parameter.width for parameter in self.parameters)

    @cached_property
    def columns(self) -> Mapping[str, slice]:
        """Each parameter's columns in the encoded space."""
        ends = np.cumsum([parameter.width for parameter in self.parameters]).tolist()
        return {
            parameter.name: slice(end - parameter.width, end)
            for parameter, end in zip(self.parameters, ends, strict=True)
        }

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The place of each column's parameter (dimension)."""
        widths = [parameter.width for parameter in self.parameters]
        return np.repeat(np.arange(len(widths)), widths)

    def check(self, point: Parameters) -> tuple[str, ...]:
        """Return why *point* is not of the space, one reason each; empty if it is."""
        faults = self._faults(point)
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

    def _faults(self, point: Parameters) -> tuple[str, ...]:
        """Return what is wrong with the names and values of *point*, each by itself."""
        unknown = [name for name in point if name not in self._by_name]
        known = ", ".join(self.names)
        faults = [f"parameter {name!r} is unknown; known: {known}" for name in unknown]
        for name, parameter in self._by_name.items():
            fault = (
                parameter.fault(point[name])
                if name in point
                else f"parameter {name!r} is missing; accepted: {parameter.accepts}"
            )
            faults.extend([fault] if fault else [])
        return tuple(faults)

    def key(self, point: Parameters) -> Key:
        """Return a hashable form of *point*, equal for equal points (6 and 6.0 are equal)."""
        return tuple(point[name] for name in self.names)

    def encode(self, points: Sequence[Parameters]) -> Array:
        """Return *points* in the unit cube (n x dimension).

        Numbers off a grid or beyond a bound are taken as they are or at the bound: what was
        really applied may miss its setpoint. PointError for a missing parameter, an unknown
        option, or what is no finite number.
        """
        blocks = []
        for parameter in self.parameters:
            if missing := [point for point in points if parameter.name not in point]:
                raise PointError(f"parameter {parameter.name!r} is missing in {dict(missing[0])}")
            given = [point[parameter.name] for point in points]
            if isinstance(parameter, Categorical):
                blocks.append(parameter.encode([str(value) for value in given]))
            else:
                plain = np.array([number(parameter.name, value) for value in given])
                blocks.append(parameter.encode(plain)[:, None])
        return np.hstack(blocks)

    def decode(self, array: Array) -> Points:
        """Return the points at *array* (n x dimension); with a pool, the nearest of the pool.

        The exact inverse of ``encode`` for every point that the space makes or the pool holds,
        and for every number with up to 14 digits (see ``agents.parameters``). Constraints are
        not looked at. PointError for another shape or what is no finite number.
        """
        units = np.asarray(array, dtype=np.float64)
        if units.ndim != 2 or units.shape[1] != self.dimension or not np.isfinite(units).all():
            raise PointError(
                f"decode needs finite numbers of shape n x {self.dimension}, got {units.shape}"
            )
        if self.pool is not None:
            return [dict(self.pool[self._nearest_in_pool(row)]) for row in units]
        inside = np.clip(units, 0.0, 1.0)
        columns: list[Sequence[Value]] = []
        for parameter in self.parameters:
            block = inside[:, self.columns[parameter.name]]
            if isinstance(parameter, Categorical):
                columns.append(parameter.decode(block))
            else:
                columns.append(parameter.decode(block[:, 0]))
        return self._points(columns)

    def _points(self, columns: Iterable[Sequence[Value]]) -> Points:
        """Return one point per row of *columns* (one sequence per parameter)."""
        return [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]

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

    def _sobol(self, seed: int, dimension: int) -> Iterable[Array]:
        """Yield blocks (BLOCK x dimension) of scrambled Sobol points."""
        from scipy.stats import qmc

        engine = qmc.Sobol(dimension, rng=np.random.default_rng(seed))
        for _ in range(BLOCKS):
            yield engine.random(BLOCK)

    def _candidates(self, seed: int) -> Iterable[dict[str, Value]]:
        """Yield points that may keep the constraints: first plain ones, then constructed ones."""
        equal = any(constraint.relation == "==" for constraint in self.constraints)
        plain = 0 if equal else BLOCKS
        if self.constraints and not equal:
            plain = 2
        for block in itertools.islice(self._sobol(seed, len(self.parameters)), plain):
            yield from self._spread(block)
        if self.constraints:
            for turn, block in enumerate(self._sobol(seed, len(self.parameters))):
                yield from self._constructed(self._spread(block), seed + turn)

    def _spread(self, units: Array) -> Points:
        """Return points for evenly spread *units* (n x parameters)."""
        columns = [p.spread(units[:, index]) for index, p in enumerate(self.parameters)]
        return self._points(columns)

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
        rows = self.polytope.spread(len(points), seed)
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
        for block in self._sobol(seed, len(self.parameters)):
            for row in self.encode(self._spread(block)):
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
            faults = self._faults(point) or tuple(
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
