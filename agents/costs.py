"""What an experiment costs, by where the instrument stands: moving, changing, measuring.

An acquisition less the logarithm of this is improvement per cost (Snoek, Larochelle & Adams,
"Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012, section 3.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.cost_options import CostOptions, Travel
from agents.errors import AgentOptionError
from agents.parameters import Categorical, Continuous
from agents.protocols import Parameters
from agents.space import Space

Array = NDArray[np.float64]

SAME = 1e-12
"""Places in the unit cube that are no further apart are the same."""


@dataclass(frozen=True)
class Cost:
    """Minus the log cost of an experiment after one at *now*, in the unit of *stated*."""

    space: Space
    stated: CostOptions
    now: Parameters

    def values(self, points: Array) -> Array:
        """Return minus the log cost (m) of *points* (m x d)."""
        return self.slopes(points)[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the same with gradients (m x d); steps have none."""
        cost: Array = np.full(len(points), self.stated.experiment)
        by = np.zeros_like(points)
        for name, travel in self.stated.moving.items():
            column = self.space.columns[name].start
            value, slope = self._numbers(name, points[:, column])
            way = value - float(self.now[name])
            rate = np.where(way > 0, travel.up, -travel.down) * (np.abs(way) > 0)
            cost += rate * way
            by[:, column] += rate * slope
        for name, price in self.stated.measuring.items():
            column = self.space.columns[name].start
            value, slope = self._numbers(name, points[:, column])
            cost += price * value
            by[:, column] += price * slope
        for name, price in self.stated.changing.items():
            columns = self.space.columns[name]
            away = np.abs(points[:, columns] - self._here[columns]).max(axis=1)
            cost += price * (away > SAME)
        return -np.log(cost), -by / cost[:, None]

    def _numbers(self, name: str, units: Array) -> tuple[Array, Array]:
        """Return the values (m) of the parameter *name* at *units* (m), and their slopes."""
        parameter = self.space.parameter(name)
        if isinstance(parameter, Categorical):
            raise AgentOptionError(f"costs: {name!r} has options, no numbers: use changing")
        if isinstance(parameter, Continuous) and parameter.log:
            ratio = np.log(parameter.high / parameter.low)
            value = parameter.low * np.exp(ratio * units)
            return value, ratio * value
        span = float(parameter.high - parameter.low)
        return float(parameter.low) + span * units, np.full(len(units), span)

    @cached_property
    def _here(self) -> Array:
        return np.asarray(self.space.encode([self.now])[0])

    @cached_property
    def still(self) -> tuple[Array, NDArray[np.bool_]]:
        """Where the instrument stands (d), and the columns (d) along which moving costs."""
        columns = np.zeros(self.space.dimension, dtype=bool)
        for name in (*self.stated.moving, *self.stated.changing):
            columns[self.space.columns[name]] = True
        return self._here, columns


def refuse_senseless(stated: CostOptions, space: Space) -> None:
    """Refuse costs that can't be had of *space*; AgentOptionError says which and why."""
    groups: Mapping[str, Mapping[str, Travel | float]] = {
        "moving": stated.moving,
        "measuring": stated.measuring,
        "changing": stated.changing,
    }
    for group, costs in groups.items():
        for name in costs:
            if name not in space.names:
                raise AgentOptionError(
                    f"costs.{group}: {name!r} is no parameter; parameters: {', '.join(space.names)}"
                )
            parameter = space.parameter(name)
            if group != "changing" and isinstance(parameter, Categorical):
                raise AgentOptionError(
                    f"costs.{group}: {name!r} has options and no numbers; state it under changing"
                )
            if (
                group == "measuring"
                and not isinstance(parameter, Categorical)
                and parameter.low < 0
            ):
                raise AgentOptionError(
                    f"costs.measuring: {name!r} can be negative ({parameter.low:g}), "
                    "so that a cost by its value makes no sense"
                )
