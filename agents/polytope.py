"""What linear constraints leave of a box: finding, repairing and spreading points in it.

Works on the numeric parameters that the constraints name, in their own units (n x k arrays,
one column per parameter). Whole-number and discrete parameters are exact: they are chosen by a
mixed-integer linear programme (scipy's HiGHS), the rest follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.constraints import ROUNDING, LinearConstraint
from agents.parameters import Discrete, Integer, Numeric

Array = NDArray[np.float64]
BLOCK = 1024
BLOCKS = 16
GRANTED = 0.9
"""Share of a tolerance that points are spread over; the rest is for rounding."""
INSIDE = 1e-12
"""Share of the box by which a point may lie outside of a facet, by rounding."""


@dataclass(frozen=True)
class Polytope:
    """The points of *parameters* that keep *constraints*."""

    parameters: tuple[Numeric, ...]
    constraints: tuple[LinearConstraint, ...]

    @cached_property
    def low(self) -> Array:
        """Lower bounds (k)."""
        return np.array([float(parameter.low) for parameter in self.parameters])

    @cached_property
    def high(self) -> Array:
        """Upper bounds (k)."""
        return np.array([float(parameter.high) for parameter in self.parameters])

    def rows(self, relations: Sequence[str]) -> tuple[Array, Array]:
        """Return A (m x k) and b (m) of the constraints with *relations*; ``>=`` is negated."""
        kept = [constraint for constraint in self.constraints if constraint.relation in relations]
        sign = np.array([-1.0 if constraint.relation == ">=" else 1.0 for constraint in kept])
        factors = [
            [constraint.coefficients.get(parameter.name, 0.0) for parameter in self.parameters]
            for constraint in kept
        ]
        a = np.array(factors).reshape(len(kept), len(self.parameters))
        return a * sign[:, None], np.array([c.bound for c in kept]) * sign

    def nearest(self, target: Array | None = None) -> Array | None:
        """Return the point nearest to *target* (k) in the box's taxicab metric, or None if empty.

        Without a target, any point. Tolerances are granted, whole numbers and discrete values
        are met exactly.
        """
        from scipy.optimize import Bounds, milp
        from scipy.optimize import LinearConstraint as Rows

        k = len(self.parameters)
        goal = (self.low + self.high) / 2 if target is None else target
        matrix, lower, upper, integral, cost = self._programme(goal)
        size = matrix.shape[1]
        top = np.full(size, np.inf)
        top[:k] = self.high
        top[2 * k :] = 1.0
        floor = np.zeros(size)
        floor[:k] = self.low
        found = milp(
            cost,
            constraints=Rows(matrix, lower, upper),
            bounds=Bounds(floor, top),
            integrality=integral,
        )
        if found.x is None:
            return None
        return self._on_values(np.asarray(found.x, dtype=np.float64))

    def _on_values(self, solution: Array) -> Array:
        """Return the point (k) that *solution* begins with, discrete ones exactly on a value."""
        k = len(self.parameters)
        return np.array(
            [
                float(parameter.canonical(value))
                if isinstance(parameter, (Integer, Discrete))
                else value
                for parameter, value in zip(self.parameters, solution[:k].tolist(), strict=True)
            ]
        )

    def _programme(self, goal: Array) -> tuple[Array, Array, Array, NDArray[np.int64], Array]:
        """Return rows (m x v), their limits (m), integrality (v) and cost (v).

        Variables: the point x (k), its distances t (k) with |x - goal| <= t, and one switch per
        value of a discrete parameter.
        """
        k = len(self.parameters)
        choices = [
            (column, parameter.values)
            for column, parameter in enumerate(self.parameters)
            if isinstance(parameter, Discrete)
        ]
        size = 2 * k + sum(len(values) for _, values in choices)
        eye = np.eye(k)
        blocks = [np.hstack([eye, -eye]), np.hstack([eye, eye])]
        lower, upper = [np.full(k, -np.inf), goal], [goal, np.full(k, np.inf)]
        for constraint in self.constraints:
            row, low, high = self._limits(constraint)
            blocks.append(np.hstack([row, np.zeros(k)])[None, :])
            lower.append(np.array([low]))
            upper.append(np.array([high]))
        matrix = np.zeros((sum(len(block) for block in blocks), size))
        matrix[:, : 2 * k] = np.vstack(blocks)
        integral = np.zeros(size, dtype=np.int64)
        integral[[isinstance(p, Integer) for p in self.parameters] + [False] * (size - k)] = 1
        start = 2 * k
        for column, values in choices:
            switches = slice(start, start + len(values))
            rows = np.zeros((2, size))
            rows[0, switches], rows[1, switches], rows[1, column] = 1.0, values, -1.0
            matrix = np.vstack([matrix, rows])
            lower.append(np.array([1.0, 0.0]))
            upper.append(np.array([1.0, 0.0]))
            integral[switches] = 1
            start += len(values)
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        cost = np.zeros(size)
        cost[k : 2 * k] = 1 / span
        return matrix, np.concatenate(lower), np.concatenate(upper), integral, cost

    def _limits(self, constraint: LinearConstraint) -> tuple[Array, float, float]:
        """Return the row (k) of *constraint* and the limits of its sum, tolerance granted."""
        row = np.array([constraint.coefficients.get(p.name, 0.0) for p in self.parameters])
        low, high = constraint.bound - constraint.tolerance, constraint.bound + constraint.tolerance
        if constraint.relation == "<=":
            low = -np.inf
        if constraint.relation == ">=":
            high = np.inf
        return row, low, high

    def spread(self, count: int, seed: int) -> Array:
        """Return *count* points (count x k) spread over the polytope, the same for the same *seed*.

        Equality constraints are met at their bound, discrete parameters are treated as
        continuous (see ``nearest``). Sobol points in the box around the polytope, inside its
        own subspace, where enough of them fall inside; else hit-and-run.
        """
        from scipy.stats import qmc

        anchor, basis = self._frame
        if basis.shape[1] == 0:
            return np.repeat(anchor[None, :], count, axis=0)
        low, high = self._extent
        engine = qmc.Sobol(basis.shape[1], rng=np.random.default_rng(seed))
        kept: list[Array] = []
        for _ in range(BLOCKS):
            points = anchor + (low + engine.random(BLOCK) * (high - low)) @ basis.T
            kept.extend(points[self._inside(points)])
            if len(kept) >= count:
                return np.clip(np.array(kept[:count]), self.low, self.high)
        walked = self._walk(count - len(kept), np.random.default_rng([seed, 1]))
        return np.clip(
            np.vstack([*[point[None, :] for point in kept], walked]), self.low, self.high
        )

    def settled(self, points: Array, seed: int) -> Array:
        """Return *points* (n x k) with whole-number and discrete parameters on their values.

        The continuous ones make up for what the equalities lose by that (least squares), to
        anywhere within the tolerances. Where their bounds don't let them, ``nearest`` must.
        """
        stepped = np.array([isinstance(p, (Integer, Discrete)) for p in self.parameters])
        equal = [constraint for constraint in self.constraints if constraint.relation == "=="]
        if not equal or not stepped.any() or stepped.all():
            return points
        on_values = np.array([self._on_values(point) for point in points])
        a, b = self.rows(("==",))
        play = GRANTED * np.array([constraint.tolerance for constraint in equal])
        aim = b + play * np.random.default_rng([seed, 2]).uniform(-1, 1, (len(points), len(b)))
        missing = aim - on_values @ a.T
        on_values[:, ~stepped] += missing @ np.linalg.pinv(a[:, ~stepped]).T
        return np.asarray(np.clip(on_values, self.low, self.high))

    def _inside(self, points: Array) -> NDArray[np.bool_]:
        """Return which of *points* (n x k) are inside box and inequalities."""
        slack = INSIDE * (self.high - self.low)
        a, b = self.rows(("<=", ">="))
        boxed = np.all((points >= self.low - slack) & (points <= self.high + slack), axis=1)
        size = np.abs(points) @ np.abs(a).T + np.abs(b)
        return np.asarray(boxed & np.all(points @ a.T - b <= ROUNDING * size, axis=1))

    @cached_property
    def _frame(self) -> tuple[Array, Array]:
        """A point well inside (k) and an orthonormal basis (k x f) of the free directions."""
        from scipy.linalg import null_space

        a, _ = self.rows(("==",))
        basis = null_space(a) if len(a) else np.eye(len(self.parameters))
        return self._centre(basis), np.asarray(basis)

    def _facets(self) -> tuple[Array, Array]:
        """Return A (m x k) and b (m) of all inequalities, those of the box included."""
        a, b = self.rows(("<=", ">="))
        eye = np.eye(len(self.parameters))
        return np.vstack([a, eye, -eye]), np.concatenate([b, self.high, -self.low])

    def _centre(self, basis: Array) -> Array:
        """Return the centre (k) of the largest ball within the free directions *basis*.

        Where the equalities can't be met at their very bounds (discrete values within a
        tolerance), the nearest point that can be had.
        """
        from scipy.optimize import linprog

        a, b = self._facets()
        a_eq, b_eq = self.rows(("==",))
        reach = np.linalg.norm(a @ basis, axis=1)
        found = linprog(
            np.append(np.zeros(a.shape[1]), -1.0),
            A_ub=np.hstack([a, reach[:, None]]),
            b_ub=b,
            A_eq=np.hstack([a_eq, np.zeros((len(a_eq), 1))]) if len(a_eq) else None,
            b_eq=b_eq if len(a_eq) else None,
            bounds=[(None, None)] * a.shape[1] + [(0, None)],
        )
        if found.x is not None:
            return np.asarray(found.x[:-1], dtype=np.float64)
        nearest = self.nearest()
        return (self.low + self.high) / 2 if nearest is None else nearest

    @cached_property
    def _extent(self) -> tuple[Array, Array]:
        """Bounds (f) of the polytope along each free direction, from its centre."""
        from scipy.optimize import linprog

        anchor, basis = self._frame
        a, b = self._facets()
        room = np.maximum(b - a @ anchor, 0.0)
        ends = []
        for direction in np.vstack([np.eye(basis.shape[1]), -np.eye(basis.shape[1])]):
            found = linprog(direction, A_ub=a @ basis, b_ub=room, bounds=(None, None))
            ends.append(0.0 if found.x is None else float(direction @ found.x))
        f = basis.shape[1]
        return np.array(ends[:f]), -np.array(ends[f:])

    def _walk(self, count: int, generator: np.random.Generator) -> Array:
        """Return *count* points (count x k) of a hit-and-run walk (Smith 1984), thinned."""
        anchor, basis = self._frame
        a, b = self._facets()
        reduced, room = a @ basis, np.maximum(b - a @ anchor, 0.0)
        place, points = np.zeros(basis.shape[1]), []
        for step in range(count * (thinning := 10 * basis.shape[1])):
            direction = generator.standard_normal(len(place))
            speed, left = reduced @ direction, np.maximum(room - reduced @ place, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = left / speed
            ahead = np.min(reach[speed > INSIDE], initial=np.inf)
            behind = np.max(reach[speed < -INSIDE], initial=-np.inf)
            place = place + direction * generator.uniform(behind, ahead)
            if step % thinning == thinning - 1:
                points.append(anchor + basis @ place)
        return np.array(points).reshape(-1, len(anchor))


def polytope_of(
    parameters: Mapping[str, Numeric], constraints: Sequence[LinearConstraint]
) -> Polytope:
    """Return the polytope of *constraints*, over those of *parameters* that they name."""
    named = {name for constraint in constraints for name in constraint.coefficients}
    kept = tuple(parameter for name, parameter in parameters.items() if name in named)
    return Polytope(kept, tuple(constraints))
