"""A parameter that trades the cost of an experiment for what it tells: a fast scan, a short count.

What is wanted is the outcome at the *target* value of it. An experiment at another value is worth
what it is expected to add to the best mean at the target, in the place where it is made:
E max(mean + s Z - best, 0) with s = |cov(f(x, v), f(x, target))| / sqrt(var f(x, v) + noise), the
spread of the mean at the target once (x, v) is measured. At the target itself and without noise
this is the expected improvement. (The expected improvement of a conditional mean: Picheny,
Ginsbourger, Richet & Caplin, Technometrics 55, 2013, section 3, with the median for the quantile;
of a mean at another fidelity, weighed by its cost: Huang, Allen, Notz & Miller, Struct. Multidisc.
Optim. 32, 2006.) Divided by the cost of the experiment it says where a unit of cost is spent best.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.cost_options import CostOptions, FidelityOptions
from agents.errors import AgentOptionError
from agents.excess import Aim
from agents.parameters import Categorical
from agents.prospects import Question
from agents.space import Space
from models.surrogates.factor import solved
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.kernel import correlation

Array = NDArray[np.float64]

STEP = 1e-6
"""Of the central differences that slopes are taken by."""
LEAST = 1e-9
"""The least spread that an experiment is taken to have left."""


@dataclass(frozen=True)
class Fidelity:
    """The *column* of the unit cube that it has, and the place of the *target* there."""

    name: str
    column: int
    target: float

    def projected(self, places: Array) -> Array:
        """Return *places* (m x d) at the target."""
        moved = places.copy()
        moved[:, self.column] = self.target
        return moved


def fidelity_of(stated: FidelityOptions, costs: CostOptions | None, space: Space) -> Fidelity:
    """Return what is *stated*; AgentOptionError says why it can't be had of *space*."""
    name = stated.parameter
    if name not in space.names:
        raise AgentOptionError(
            f"fidelity.parameter: {name!r} is no parameter; parameters: {', '.join(space.names)}"
        )
    parameter = space.parameter(name)
    if isinstance(parameter, Categorical):
        raise AgentOptionError(f"fidelity.parameter: {name!r} has options and no numbers")
    if (fault := parameter.fault(stated.target)) is not None:
        raise AgentOptionError(f"fidelity.target: {fault}")
    if costs is None or name not in costs.measuring:
        raise AgentOptionError(
            f"fidelity: say what it costs, under costs.measuring.{name}: where all values cost "
            "the same, only the target is worth measuring"
        )
    if space.pool is not None or any(name in each.coefficients for each in space.constraints):
        raise AgentOptionError(
            f"fidelity: every point must be possible at {name} {stated.target:g}: no recorded "
            f"table, and no constraint that names {name}"
        )
    if len(space.names) == 1:
        raise AgentOptionError(f"fidelity: {name!r} is the only parameter; nothing is left to find")
    column = space.columns[name].start
    first = next(iter(space.sample(1, seed=0)))
    return Fidelity(name, column, float(space.encode([{**first, name: stated.target}])[0, column]))


@dataclass(frozen=True)
class Told:
    """Log expected gain of the mean at the target, by an experiment at any fidelity."""

    process: GaussianProcess
    aim: Aim
    best: float
    fidelity: Fidelity

    def values(self, points: Array) -> Array:
        """Return the log expected gain (m) of *points* (m x d)."""
        mean, spread = self.ahead(points)
        return np.asarray(self.aim.excess(mean, spread, np.array(self.best)).value)

    def ahead(self, points: Array) -> tuple[Array, Array]:
        """Return mean (m) at the target, and by how much (m) an experiment may move it."""
        process, targets = self.process, self.fidelity.projected(points)
        here = solved(process.factor, process.cross(points))
        crossed = process.cross(targets)
        there = solved(process.factor, crossed)
        mean = process.mean + process.weights @ crossed
        column = self.fidelity.column
        length = process.column_lengths[column : column + 1]
        away = np.abs(points[:, column : column + 1] - self.fidelity.target)
        alike = correlation(away, np.zeros((1, 1)), length)[0][:, 0]
        shared = np.abs(alike - (here * there).sum(0))
        variance = np.maximum(1 - np.square(here).sum(0), LEAST**2) + process.scatter**2
        return np.asarray(mean), np.maximum(shared / np.sqrt(variance), LEAST)

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d), by central differences."""
        count, dimension = points.shape
        steps = STEP * np.eye(dimension)
        around = np.vstack([points, *(points + s for s in steps), *(points - s for s in steps)])
        values = self.values(around).reshape(2 * dimension + 1, count)
        rise = values[1 : dimension + 1] - values[dimension + 1 :]
        return values[0], np.nan_to_num(rise.T / (2 * STEP))


def told(belief: Belief, fidelity: Fidelity, asked: Question) -> Told:
    """Return what experiments tell of the best outcome at the target, beyond what is *asked* for.

    The best so far is the best mean at the target, of all places where anything was measured;
    pending experiments count as if they had come out as expected.
    """
    process = belief.process
    if len(asked.pending):
        process = process.imagining(asked.pending, process.moments(asked.pending)[0])
    places = fidelity.projected(process.training.inputs)
    best = float(belief.aim.worth(process.means(places)).max())
    return Told(process, belief.aim, best, fidelity)
