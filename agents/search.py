"""Finding the point of a space where an acquisition is greatest.

The best of many feasible points start local searches by gradient along the
continuous parameters (linear constraints kept), alternating with changes of one discrete or
categorical parameter at a time. Every candidate is decoded, checked against all constraints and
forbidden regions, and valued as the point that would really be tried.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Acquisition
from agents.climbing import Bools, Rows, climb, climb_within
from agents.listed import SHOWN, Ranked
from agents.once import Spent
from agents.parameters import Categorical, Continuous, Parameter
from agents.protocols import Parameters, Value
from agents.space import Key, Space

Array = NDArray[np.float64]

SAMPLES = 512
NEARBY = (0.02, 0.1, 0.3)
"""Shares of the way from a good point to a sample, at which to look as well."""
AROUND = 24
"""Samples towards which to look from each good point, for each share."""
APART = 0.05
"""Starts and alternatives differ by so much in the unit cube."""
ROUNDS = 3
AGAIN = 2
"""So many of the best points are varied and climbed from once more."""
ENOUGH = 1e-3
"""An acquisition (a logarithm) that rises by less is not climbed further."""
LEVELS = 24
"""More levels than these of one parameter are not all looked at in one sweep."""
STEPS = 60
STEPS_CONSTRAINED = 30
"""Steps of one local search; with constraints each costs more."""


@dataclass(frozen=True)
class Ground:
    """A *space* and points spread over it, where every search begins."""

    space: Space

    @cached_property
    def samples(self) -> list[dict[str, Value]]:
        """Points of the space."""
        return self.space.sample(SAMPLES, SAMPLES)

    @cached_property
    def units(self) -> Array:
        """The same in the unit cube (n x d)."""
        return self.space.encode(self.samples)


@dataclass(frozen=True)
class Target:
    """What is to be maximised over *ground*, where nothing is *taken* or *spent*.

    *still* is a place (d) and columns (d) in which to stay there is looked at as well: where
    moving has a price, the acquisition has an edge there that no gradient finds.
    """

    ground: Ground
    acquisition: Acquisition
    taken: frozenset[Key]
    spent: Spent
    still: tuple[Array, Bools] | None = None

    @property
    def space(self) -> Space:
        """The space that is searched."""
        return self.ground.space


def best_searched(
    target: Target, good: Sequence[Parameters], restarts: int, seed: int
) -> list[Ranked]:
    """Return the best points found in *target*'s space, best first, well apart.

    *good* points (what was measured best) are looked around as well; the same *seed* gives the
    same points.
    """
    space = target.space
    places = starting_places(target, good, seed)
    found = _chosen(target, places, max(restarts, SHOWN))
    unmoved = _unmoved(target, places, restarts)
    for turn in range(ROUNDS):
        before = found[0].value if found else -np.inf
        starts = _apart(space, found, restarts if turn == 0 else AGAIN)
        found = _ranked(target, [*_climbed(target, starts), *_points(found), *unmoved])
        if not _has_levels(space):
            break
        found = _ranked(target, [*_varied(target, _points(found)[:AGAIN]), *_points(found)])
        if not found or found[0].value <= before + ENOUGH:
            break
    return _apart(space, found, SHOWN)


def starting_places(target: Target, good: Sequence[Parameters], seed: int) -> Array:
    """Return places (n x d) of points: samples, and on the way from *good* ones to some of them.

    The samples are the same at every call; towards which of them to look is drawn with *seed*.
    """
    space, units = target.space, target.ground.units
    generator = np.random.default_rng(seed)
    blocks = [units]
    for centre in space.encode(good) if good else ():
        for share in NEARBY:
            towards = units[generator.integers(len(units), size=AROUND)]
            blocks.append(centre + share * (towards - centre))
    if target.spent.used:
        points = target.spent.renewed(space.decode(np.vstack(blocks)))
        return space.encode(points) if points else np.empty((0, space.dimension))
    if _has_levels(space):
        blocks[1:] = [space.encode(space.decode(block)) for block in blocks[1:]]
    return np.clip(np.vstack(blocks), 0.0, 1.0)


def _chosen(target: Target, places: Array, count: int) -> list[Ranked]:
    """Return up to *count* points at *places* (n x d) that may be tried and lie apart, best first.

    Only as many of them are looked at as it takes.
    """
    if not len(places):
        return []
    values = target.acquisition.values(places)
    chosen: list[Ranked] = []
    rows: list[int] = []
    for row in np.argsort(-values, kind="stable").tolist():
        if len(chosen) >= count:
            break
        if rows and np.abs(places[rows] - places[row]).max(axis=1).min() <= APART:
            continue
        [point] = target.space.decode(places[row : row + 1])
        if _allowed(target, point):
            chosen.append(Ranked(point, float(values[row])))
            rows.append(row)
    return chosen


def _allowed(target: Target, point: Parameters) -> bool:
    space = target.space
    fresh = space.key(point) not in target.taken and target.spent.free(point)
    return fresh and not space.check(point)


def _points(ranked: Iterable[Ranked]) -> list[Parameters]:
    return [entry.point for entry in ranked]


def _ranked(target: Target, points: Iterable[Parameters]) -> list[Ranked]:
    """Return those of *points* that may be tried, each once, best first."""
    space = target.space
    kept = {space.key(point): point for point in points if _allowed(target, point)}
    if not kept:
        return []
    values = target.acquisition.values(space.encode(list(kept.values())))
    order = np.argsort(-values, kind="stable")
    listed = list(kept.values())
    return [Ranked(listed[place], float(values[place])) for place in order]


def _apart(space: Space, ranked: Sequence[Ranked], count: int) -> list[Ranked]:
    """Return up to *count* of the first of *ranked* that lie apart from each other."""
    chosen: list[Ranked] = []
    places: list[Array] = []
    for entry in ranked:
        place = space.encode([entry.point])[0]
        if all(np.abs(place - other).max() > APART for other in places):
            chosen.append(entry)
            places.append(place)
        if len(chosen) >= count:
            break
    return chosen


def _unmoved(target: Target, places: Array, count: int) -> list[Parameters]:
    """Return the best points found from *places* (n x d) put where the instrument stands still."""
    if target.still is None:
        return []
    here, columns = target.still
    places = target.space.encode(target.space.decode(np.where(columns, here, places)))
    starts = _chosen(target, places, count)
    return [*_points(starts), *_climbed(target, starts, columns)]


def _climbed(
    target: Target, starts: Sequence[Ranked], held: Bools | None = None
) -> list[Parameters]:
    """Return where local searches from *starts* end, along the continuous parameters.

    The columns *held* (d) stay as they are.
    """
    space = target.space
    free = _free_columns(space)
    if held is not None:
        free &= ~held
    if not starts or not free.any():
        return []
    units = space.encode(_points(starts))
    rows = _rows(space, free)
    if rows.any:
        ends = climb_within(target.acquisition.slopes, units, free, rows, STEPS_CONSTRAINED)
    else:
        ends = climb(target.acquisition.slopes, units, free, STEPS)
    return [space.repaired(point) for point in space.decode(ends)]


def _free_columns(space: Space) -> Bools:
    """Return which columns (d) have a useful gradient.

    Not those of discrete and categorical parameters, nor of log-scaled ones that a constraint
    names: on the unit cube it would not be linear.
    """
    named = {name for constraint in space.constraints for name in constraint.coefficients}
    free = np.zeros(space.dimension, dtype=bool)
    for parameter in space.parameters:
        if isinstance(parameter, Continuous) and not (parameter.log and parameter.name in named):
            free[space.columns[parameter.name]] = True
    return free


def _rows(space: Space, free: Bools) -> Rows:
    """Return the constraints of *space* on the unit cube.

    Those that name no *free* column are left out: nothing moves in them. Log-scaled parameters
    that a constraint names are held where they are, which ``repaired`` makes up for.
    """
    equal: list[tuple[Array, float]] = []
    upper: list[tuple[Array, float]] = []
    for constraint in space.constraints:
        factors, bound = np.zeros(space.dimension), constraint.bound
        for name, factor in constraint.coefficients.items():
            parameter = space.parameter(name)
            if isinstance(parameter, Categorical):
                continue
            factors[space.columns[name]] = factor * (parameter.high - parameter.low)
            bound -= factor * parameter.low
        if not factors[free].any():
            continue
        sign = -1.0 if constraint.relation == ">=" else 1.0
        (equal if constraint.relation == "==" else upper).append((sign * factors, sign * bound))
    return Rows(*_stacked(equal, space.dimension), *_stacked(upper, space.dimension))


def _stacked(rows: Sequence[tuple[Array, float]], dimension: int) -> tuple[Array, Array]:
    """Return the factors (m x d) and bounds (m) of *rows*."""
    factors = np.array([factors for factors, _ in rows]).reshape(len(rows), dimension)
    return factors, np.array([bound for _, bound in rows])


def _has_levels(space: Space) -> bool:
    return any(not isinstance(parameter, Continuous) for parameter in space.parameters)


def _varied(target: Target, points: Sequence[Parameters]) -> list[Parameters]:
    """Return *points* with one discrete or categorical parameter changed at a time."""
    space = target.space
    varied: list[Parameters] = []
    for point in points:
        for parameter in space.parameters:
            varied.extend(
                space.repaired({**point, parameter.name: level})
                for level in _levels(_offered(target, parameter), point[parameter.name])
            )
    return varied


def _offered(target: Target, parameter: Parameter) -> Sequence[Value] | None:
    """Return the levels of *parameter* that are left; None where it has none."""
    once = parameter.name in target.spent.used
    return target.spent.left(parameter.name) if once else parameter.levels


def _levels(levels: Sequence[Value] | None, now: Value) -> list[Value]:
    """Return the *levels* to try instead of *now*: all of a few, else neighbours and a spread."""
    if levels is None:
        return []
    if len(levels) <= LEVELS:
        return [level for level in levels if level != now]
    place = min(range(len(levels)), key=lambda index: abs(float(levels[index]) - float(now)))
    near = range(max(0, place - 3), min(len(levels), place + 4))
    spread = np.linspace(0, len(levels) - 1, LEVELS - len(near)).round().astype(int).tolist()
    return [levels[index] for index in sorted({*near, *spread}) if levels[index] != now]
