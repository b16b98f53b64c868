"""The words of a campaign file, or of a recorded table, in the words of the agents."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agents.protocols import Goal, Objective, Value
from agents.space import (
    Categorical,
    Continuous,
    Discrete,
    ForbiddenRegion,
    Integer,
    LinearConstraint,
    Parameter,
    Space,
)
from controller.files.campaign import (
    Campaign,
    CategoricalOptions,
    ContinuousRange,
    DiscreteValues,
    Forbidden,
    IntegerRange,
)
from controller.files.expressions import parse


class Column(Protocol):
    """A parameter of a recorded table, numbers in its unit."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def type(self) -> str:
        """One of continuous, integer, discrete, categorical."""
        ...

    @property
    def unit(self) -> str:
        """Its unit, as the table spells it."""
        ...

    @property
    def low(self) -> float | None:
        """Its lowest value; None for a categorical one."""
        ...

    @property
    def high(self) -> float | None:
        """Its highest value; None for a categorical one."""
        ...

    @property
    def values(self) -> Sequence[float]:
        """All values of a discrete one."""
        ...

    @property
    def options(self) -> Sequence[str]:
        """All options of a categorical one."""
        ...


class Result(Protocol):
    """A measured column of a recorded table."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def goal(self) -> str:
        """One of maximize, minimize, target."""
        ...

    @property
    def unit(self) -> str:
        """Its unit, as the table spells it."""
        ...

    @property
    def target(self) -> float | None:
        """The value to reach, in its unit."""
        ...


class Table(Protocol):
    """What a campaign must know of a recorded table; ``simulators.recorded`` keeps it."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def parameters(self) -> Sequence[Column]:
        """The columns that were set."""
        ...

    @property
    def objectives(self) -> Sequence[Result]:
        """The columns that were measured and are wanted, the leading one first."""
        ...

    @property
    def pool(self) -> Sequence[Mapping[str, Value]]:
        """The distinct points."""
        ...


def space_of(campaign: Campaign, table: Table | None = None) -> Space:
    """Return the space of *campaign*: its own, or that of its *table* with the pool.

    Raises ExpressionError for an expression that can't be used and SpaceError for a space that
    makes no sense.
    """
    constraints = constraints_of(campaign)
    regions = tuple(region_of(forbidden, campaign) for forbidden in campaign.forbidden)
    if table is not None:
        columns = tuple(column_parameter(column) for column in table.parameters)
        return Space(columns, constraints, regions, tuple(table.pool))
    ranges = campaign.space or {}
    parameters = tuple(_parameter(name, range_) for name, range_ in ranges.items())
    once = tuple(name for name, range_ in ranges.items() if getattr(range_, "once", False))
    return Space(parameters, constraints, regions, once=once)


def objectives_of(campaign: Campaign, table: Table | None = None) -> tuple[Objective, ...]:
    """Return what *campaign* wants: its own objectives, or those of its *table*."""
    if campaign.objectives or table is None:
        return tuple(wanted.objective() for wanted in campaign.objectives)
    return tuple(
        Objective(result.name, Goal(result.goal), result.unit, result.target)
        for result in table.objectives
    )


def constants_of(campaign: Campaign) -> dict[str, float]:
    """Return the numbers that expressions may name besides parameters: fixed plan arguments."""
    arguments = campaign.plan.arguments if campaign.plan is not None else {}
    return {
        name: float(value)
        for name, value in arguments.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def constraints_of(campaign: Campaign) -> tuple[LinearConstraint, ...]:
    """Return the constraints of *campaign*; a chained comparison gives several."""
    constants = constants_of(campaign)
    return tuple(
        comparison.constraint(constraint.tolerance, constants)
        for constraint in campaign.constraints
        for comparison in parse(constraint.expression)
    )


def region_of(forbidden: Forbidden, campaign: Campaign) -> ForbiddenRegion:
    """Return *forbidden* as a region; the conditions of chained comparisons all count."""
    constants = constants_of(campaign)
    conditions = [
        comparison.constraint(constants=constants)
        for text in forbidden.when
        for comparison in parse(text)
    ]
    return ForbiddenRegion(tuple(conditions), forbidden.reason)


def _parameter(
    name: str, range_: ContinuousRange | IntegerRange | DiscreteValues | CategoricalOptions
) -> Parameter:
    if isinstance(range_, ContinuousRange):
        return Continuous(name, range_.low, range_.high, range_.unit, range_.log)
    if isinstance(range_, IntegerRange):
        return Integer(name, range_.low, range_.high, range_.unit)
    if isinstance(range_, DiscreteValues):
        return Discrete(name, range_.values, range_.unit)
    rows = tuple(range_.descriptors[option] for option in range_.options if range_.descriptors)
    return Categorical(name, range_.options, range_.unit, rows)


def column_parameter(column: Column) -> Parameter:
    """Return *column* as a parameter; one that never varies is a single discrete value."""
    if column.type == "categorical":
        return Categorical(column.name, tuple(column.options), column.unit)
    low, high = column.low, column.high
    if column.type == "discrete" or low is None or high is None or low == high:
        values = tuple(column.values) or tuple({v for v in (low, high) if v is not None})
        return Discrete(column.name, values, column.unit)
    if column.type == "integer":
        return Integer(column.name, round(low), round(high), column.unit)
    return Continuous(column.name, low, high, column.unit)
