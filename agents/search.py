"""Finding the point of a space where an acquisition is greatest.

The best of many feasible points start local searches by gradient along the
continuous parameters (linear constraints kept), alternating with changes of one discrete or
categorical parameter at a time. Every candidate is decoded, checked against all constraints and
forbidden regions, and valued as the point that would really be tried.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.exceptions.errors import OptimizationGradientError
from botorch.exceptions.warnings import OptimizationWarning
from botorch.generation.gen import gen_candidates_scipy
from numpy.typing import NDArray

from agents.acquisition import jitter_is_fine
from agents.listed import SHOWN, Ranked
from agents.once import Spent
from agents.parameters import Categorical, Continuous, Parameter
from agents.protocols import Parameters, Value
from agents.space import Key, Space

Array = NDArray[np.float64]
Score = Callable[[Array], Array]
Row = tuple[torch.Tensor, torch.Tensor, float]
"""Columns, factors and bound of one constraint on the unit cube, as BoTorch takes it."""

SAMPLES = 256
NEARBY = (0.02, 0.1, 0.3)
"""Shares of the way from a good point to a sample, at which to look as well."""
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
FLAT = 1e-6
"""A search ends where a step gains less than this part of the acquisition."""
STEPS_CONSTRAINED = 30
"""Steps of one local search; with constraints each costs more, and a round may follow."""


@dataclass(frozen=True)
class Target:
    """What is to be maximised over *space*: *score* of points, *function* for its gradient."""

    space: Space
    score: Score
    function: AcquisitionFunction
    taken: frozenset[Key]
    spent: Spent


def best_searched(
    target: Target, good: Sequence[Parameters], restarts: int, seed: int
) -> list[Ranked]:
    """Return the best points found in *target*'s space, best first, well apart.

    *good* points (what was measured best) are looked around as well; the same *seed* gives the
    same points.
    """
    space = target.space
    found = _ranked(target, target.spent.renewed(starting_points(space, good, seed)))
    for turn in range(ROUNDS):
        before = found[0].value if found else -np.inf
        starts = _apart(space, found, restarts if turn == 0 else AGAIN)
        found = _ranked(target, [*_climbed(target, starts), *_points(found)])
        found = _ranked(target, [*_varied(target, _points(found)[:AGAIN]), *_points(found)])
        if not _has_levels(space) or not found or found[0].value <= before + ENOUGH:
            break
    return _apart(space, found, SHOWN)


def starting_points(space: Space, good: Sequence[Parameters], seed: int) -> list[Parameters]:
    """Return samples of *space*, and points on the way from *good* ones to some of them."""
    samples = space.sample(SAMPLES, seed)
    starts: list[Parameters] = list(samples)
    units = space.encode(samples[: SAMPLES // 4])
    for point, share in ((point, share) for point in good for share in NEARBY):
        centre = space.encode([point])
        starts.extend(space.decode(centre + share * (units - centre)))
    return starts


def _points(ranked: Iterable[Ranked]) -> list[Parameters]:
    return [entry.point for entry in ranked]


def _ranked(target: Target, points: Iterable[Parameters]) -> list[Ranked]:
    """Return those of *points* that may be tried, each once, best first."""
    space = target.space
    kept = {
        space.key(point): point
        for point in points
        if space.key(point) not in target.taken
        and target.spent.free(point)
        and not space.check(point)
    }
    if not kept:
        return []
    values = target.score(space.encode(list(kept.values())))
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


def _climbed(target: Target, starts: Sequence[Ranked]) -> list[Parameters]:
    """Return where local searches from *starts* end, along the continuous parameters."""
    space = target.space
    fixed = _fixed_columns(space)
    if not starts or len(fixed) == space.dimension:
        return []
    units = torch.as_tensor(space.encode(_points(starts)))
    equal, unequal = _rows(space, fixed)
    with jitter_is_fine(), unfinished_is_fine():
        try:
            ends, _ = gen_candidates_scipy(
                units[:, None, :],
                target.function,
                lower_bounds=torch.zeros(space.dimension, dtype=torch.float64),
                upper_bounds=torch.ones(space.dimension, dtype=torch.float64),
                inequality_constraints=unequal or None,
                equality_constraints=equal or None,
                fixed_features={column: units[:, column] for column in fixed},
                options=_options(bool(equal or unequal)),
            )
        except OptimizationGradientError:
            return []
    return [space.repaired(point) for point in space.decode(ends[:, 0, :].numpy())]


@contextmanager
def unfinished_is_fine() -> Iterator[None]:
    """Drop the warning of a search that ends early: its point is judged like any other.

    The library shows it whatever the filters say, so that all warnings are caught and the
    others given on.
    """
    with warnings.catch_warnings(record=True) as caught:
        yield
    for warning in caught:
        if not issubclass(warning.category, OptimizationWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _options(constrained: bool) -> dict[str, float | None]:
    """Return the options of a search; constrained ones are kept apart, as fixed columns differ."""
    if constrained:
        return {"maxiter": STEPS_CONSTRAINED, "max_optimization_problem_aggregation_size": 1}
    return {"maxiter": STEPS, "ftol": FLAT, "factr": None}


def _fixed_columns(space: Space) -> list[int]:
    """Return the columns without a useful gradient.

    Those of discrete and categorical parameters, and of log-scaled ones that a constraint names:
    on the unit cube it would not be linear.
    """
    named = {name for constraint in space.constraints for name in constraint.coefficients}
    return [
        column
        for parameter in space.parameters
        if not isinstance(parameter, Continuous) or (parameter.log and parameter.name in named)
        for column in range(*space.columns[parameter.name].indices(space.dimension))
    ]


def _rows(space: Space, fixed: Sequence[int]) -> tuple[list[Row], list[Row]]:
    """Return equalities and inequalities (sum >= bound) of *space* on the unit cube.

    Constraints that only name *fixed* columns are left out: nothing moves in them.
    """
    equal: list[Row] = []
    unequal: list[Row] = []
    for constraint in space.constraints:
        columns, factors, bound = [], [], constraint.bound
        for name, factor in constraint.coefficients.items():
            parameter = space.parameter(name)
            if isinstance(parameter, Categorical):
                continue
            columns.append(space.columns[name].start)
            factors.append(factor * (parameter.high - parameter.low))
            bound -= factor * parameter.low
        if set(columns) <= set(fixed):
            continue
        sign = -1.0 if constraint.relation == "<=" else 1.0
        row = torch.tensor(columns), sign * torch.tensor(factors, dtype=torch.float64), sign * bound
        (equal if constraint.relation == "==" else unequal).append(row)
    return equal, unequal


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
