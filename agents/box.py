"""Parameters side by side: their points, and the unit cube for models.

``encode`` gives one column per numeric parameter (its place between its bounds) and one per
option of a categorical one (one-hot; with descriptors one per descriptor), in the order of the
parameters. Discrete values keep their distances: values 1, 2 and 10 lie at 0, 0.11 and 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.errors import PointError
from agents.parameters import Categorical, Parameter
from agents.protocols import Parameters, Value
from agents.ranges import number

Array = NDArray[np.float64]
Key = tuple[Value, ...]
Points = list[dict[str, Value]]
BLOCK = 256
BLOCKS = 64


@dataclass(frozen=True)
class Box:
    """All combinations of what *parameters* accept."""

    parameters: tuple[Parameter, ...]

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
    def scales(self) -> tuple[str, ...]:
        """What has a lengthscale of its own, in the order of the columns: parameters by name.

        Of a categorical one with descriptors, each of these.
        """
        return tuple(
            name
            for parameter in self.parameters
            for name in (
                parameter.scales if isinstance(parameter, Categorical) else (parameter.name,)
            )
        )

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Which of ``scales`` each column has (dimension)."""
        widths: list[int] = []
        for parameter in self.parameters:
            if isinstance(parameter, Categorical) and parameter.descriptors:
                widths += [1] * parameter.width
            else:
                widths.append(parameter.width)
        return np.repeat(np.arange(len(widths)), widths)

    def faults(self, point: Parameters) -> tuple[str, ...]:
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
        """Return the points at *array* (n x dimension).

        The exact inverse of ``encode`` for every point that a space makes, and for every number
        with up to 14 digits (see ``agents.ranges``). Constraints are not looked at. PointError
        for another shape or what is no finite number.
        """
        inside = np.clip(self.units(array), 0.0, 1.0)
        columns: list[Sequence[Value]] = []
        for parameter in self.parameters:
            block = inside[:, self.columns[parameter.name]]
            if isinstance(parameter, Categorical):
                columns.append(parameter.decode(block))
            else:
                columns.append(parameter.decode(block[:, 0]))
        return self._points(columns)

    def units(self, array: Array) -> Array:
        """Return *array* if it is of shape n x dimension and finite; PointError otherwise."""
        units = np.asarray(array, dtype=np.float64)
        if units.ndim != 2 or units.shape[1] != self.dimension or not np.isfinite(units).all():
            raise PointError(
                f"decode needs finite numbers of shape n x {self.dimension}, got {units.shape}"
            )
        return units

    def _points(self, columns: Iterable[Sequence[Value]]) -> Points:
        """Return one point per row of *columns* (one sequence per parameter)."""
        return [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]

    def spread(self, units: Array) -> Points:
        """Return points for evenly spread *units* (n x parameters)."""
        columns = [p.spread(units[:, index]) for index, p in enumerate(self.parameters)]
        return self._points(columns)

    def sobol(self, seed: int, dimension: int) -> Iterable[Array]:
        """Yield blocks (BLOCK x dimension) of scrambled Sobol points."""
        from scipy.stats import qmc

        engine = qmc.Sobol(dimension, rng=np.random.default_rng(seed))
        for _ in range(BLOCKS):
            yield engine.random(BLOCK)
