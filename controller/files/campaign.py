"""The campaign file: what is tried, what is wanted of it, by which plan, until when.

Everything a campaign decides by stands here; the beamline file says where, the envelope what
may be written. Values are checked where they stand; what they mean together (units, names of
plans and agents, feasibility) is checked in ``controller.checks.checking``.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from agents.protocols import Goal, Objective
from controller.errors import ExpressionError
from controller.files.beamline import FilePart, Name
from controller.files.days import (
    Duration,
    MeasureWhen,
    OnRejected,
    Positive,
    Remeasure,
    Upkeep,
)
from controller.files.expressions import parse
from controller.files.notifying import Notify
from controller.files.plan_calls import PlanCall
from controller.files.units import seconds

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1)]
T = TypeVar("T", float, str)
_DATE = re.compile(r"\s*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")


class ContinuousRange(FilePart):
    """Any number between two bounds."""

    type: Literal["continuous"]
    low: Number = Field(description="the lowest value, in `unit`")
    high: Number = Field(description="the highest value, in `unit`")
    unit: str = Field(default="", description="such as degC or mL/min; converted to the plan's")
    log: bool = Field(default=False, strict=True, description="ratios matter, not differences")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        _require_order(self.low, self.high)
        if self.log and self.low <= 0:
            raise ValueError(f"log: needs low above 0, but low is {self.low:g}")
        return self


class IntegerRange(FilePart):
    """Any whole number between two bounds."""

    type: Literal["integer"]
    low: Annotated[int, Field(strict=True)] = Field(description="the lowest value, in `unit`")
    high: Annotated[int, Field(strict=True)] = Field(description="the highest value, in `unit`")
    unit: str = Field(default="", description="such as count")
    once: bool = Field(default=False, strict=True, description="no value is used twice: spots")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        _require_order(self.low, self.high)
        return self


class DiscreteValues(FilePart):
    """One of a few numbers, whose order and distances mean something."""

    type: Literal["discrete"]
    values: tuple[Number, ...] = Field(min_length=1, description="the values, in `unit`")
    unit: str = Field(default="", description="such as mm")
    once: bool = Field(default=False, strict=True, description="no value is used twice: spots")

    @field_validator("values")
    @classmethod
    def _values_differ(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return _require_different(values)


class CategoricalOptions(FilePart):
    """One of several options without an order."""

    type: Literal["categorical"]
    options: tuple[Name, ...] = Field(min_length=1, description="the options, as text")
    descriptors: dict[Name, tuple[Number, ...]] = Field(
        default_factory=dict, description="numbers for each option: what they have in common"
    )
    unit: str = Field(default="", description="seldom of use here")
    once: bool = Field(default=False, strict=True, description="no value is used twice: spots")

    @field_validator("options")
    @classmethod
    def _options_differ(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        return _require_different(options)

    @model_validator(mode="after")
    def _descriptors_tell_options_apart(self) -> Self:
        if not self.descriptors:
            return self
        if set(self.descriptors) != set(self.options):
            wrong = sorted(set(self.descriptors) ^ set(self.options))
            raise ValueError(
                f"descriptors: {', '.join(wrong)}: every option needs them, nothing else has any"
            )
        rows = list(self.descriptors.values())
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            lengths = ", ".join(f"{name} {len(row)}" for name, row in self.descriptors.items())
            raise ValueError(f"descriptors: every option needs equally many; got {lengths}")
        if len(set(rows)) != len(rows):
            raise ValueError("descriptors: two options have the same; add one that differs")
        return self


def _require_order(low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"low {low:g} must be below high {high:g}; exchange them")


def _require_different(values: tuple[T, ...]) -> tuple[T, ...]:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValueError(f"{', '.join(map(str, sorted(twice)))}: stands there more than once")
    return values


Range = Annotated[
    ContinuousRange | IntegerRange | DiscreteValues | CategoricalOptions,
    Field(discriminator="type"),
]


def _readable(expression: str) -> str:
    try:
        parse(expression)
    except ExpressionError as error:
        raise ValueError(str(error)) from error
    return expression


Expression = Annotated[str, AfterValidator(_readable)]


class Constraint(FilePart):
    """What every point keeps: a linear equation or inequality of parameters."""

    expression: Expression = Field(
        description="such as `a + b + c == 100` or `a <= 2 * b`; a name that is no identifier "
        "stands in backticks, a number of `plan.arguments` by its name"
    )
    tolerance: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="by how much it may be missed, in the unit of the sum"
    )


class Forbidden(FilePart):
    """Where nothing is tried: all of the inequalities hold there."""

    when: tuple[Expression, ...] = Field(min_length=1, description="linear inequalities")
    reason: Name = Field(description="why not, for people")


class Wanted(FilePart):
    """A measured quantity and what is wanted of it. The first one of a campaign leads it."""

    name: Name = Field(description="as the reducer or the recorded table calls it")
    goal: Goal = Field(description="maximize, minimize or target")
    target: Number | None = Field(default=None, description="the value to reach (`goal: target`)")
    unit: str = Field(default="", description="its unit")

    @model_validator(mode="after")
    def _target_belongs_to_target(self) -> Self:
        if (self.goal is Goal.TARGET) != (self.target is not None):
            raise ValueError("`target` is needed with `goal: target`, and with no other goal")
        return self

    def objective(self) -> Objective:
        """Return it in the words of the agents."""
        return Objective(self.name, self.goal, self.unit, self.target)


class GoalReached(FilePart):
    """When the campaign may stop: an objective is good enough, with some confidence."""

    objective: Name = Field(description="the name of one of the objectives")
    at_least: Number | None = Field(default=None, description="reached from here upwards")
    at_most: Number | None = Field(default=None, description="reached from here downwards")
    confidence: Annotated[Number, Field(ge=0.5, lt=1)] = Field(
        default=0.8,
        description="how probable that must be, given value and sigma",
    )

    @model_validator(mode="after")
    def _one_side_is_given(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either `at_least` or `at_most`")
        return self


class Chosen(FilePart):
    """Something chosen by its name, and what it is told."""

    name: Name = Field(description="its name")
    options: dict[str, JsonValue] = Field(default_factory=dict, description="what it is told")


class Budget(FilePart):
    """What a campaign may use up; whatever runs out first ends it."""

    experiments: Count | None = Field(default=None, description="number of experiments")
    duration: Duration | None = Field(
        default=None, description="time from its start, such as `48 h`"
    )

    @model_validator(mode="after")
    def _something_is_limited(self) -> Self:
        if self.experiments is None and self.duration is None:
            raise ValueError("give `experiments`, `duration` or both: a campaign must end")
        return self

    @property
    def duration_s(self) -> float | None:
        """The duration in seconds."""
        return None if self.duration is None else seconds(self.duration)


class Autonomy(StrEnum):
    """What may happen without a person's word."""

    ADVISE = "advise"
    """Nothing runs."""
    APPROVE_EACH = "approve_each"
    APPROVE_BY_EXCEPTION = "approve_by_exception"
    """It runs unless someone objects in time, or a rule asks."""
    AUTONOMOUS = "autonomous"


class OnAlarm(StrEnum):
    """What follows where the agent says that its model isn't to be trusted."""

    ASK = "ask"
    """Nothing runs without a person's word."""
    GO_ON = "go_on"
    """The point that fills space is tried."""


class StopRules(FilePart):
    """When going on isn't worth it; numbers in the first objective's unit."""

    expected_gain_below: Positive | None = Field(
        default=None, description="ends when the next experiment promises less than this"
    )
    regret_below: Positive | None = Field(
        default=None,
        description="ends when the best of the space can hardly be better by more than this",
    )
    no_gain_in: Count | None = Field(
        default=None, description="ends when so many experiments have gained nothing"
    )
    in_a_row: Count = Field(
        default=3, description="so many decisions of a model must say so, one after the other"
    )
    at_least: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=10,
        description="so many measured experiments are made in any case: few mislead a model",
    )

    @model_validator(mode="after")
    def _a_rule_is_given(self) -> Self:
        if (self.expected_gain_below, self.regret_below, self.no_gain_in) == (None, None, None):
            raise ValueError("give `expected_gain_below`, `regret_below`, `no_gain_in` or several")
        return self


def _with_zone(value: Any) -> Any:
    """Return ``2026-07-01 08:00 Europe/Berlin`` as a time; leave every other value alone."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("write a time with its zone: 2026-07-01T08:00+02:00")
    if "/" in value:
        text, _, zone = value.strip().rpartition(" ")
        try:
            return datetime.fromisoformat(text.strip()).replace(tzinfo=ZoneInfo(zone))
        except (ValueError, ZoneInfoNotFoundError, OSError) as error:
            message = f"{value!r}: write a time and a zone: 2026-07-01 08:00 Europe/Berlin"
            raise ValueError(message) from error
    return value


class Campaign(FilePart):
    """A file of config/campaigns: everything that a campaign decides by."""

    model_config = ConfigDict(title="heliostat campaign")

    name: Name = Field(description="what the campaign is called; its folder too")
    description: str = Field(default="", description="what it is for, for people")
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="goes into every start document; the beamline says which keys it needs "
        "(proposal, sample, persons)",
    )
    beamline: Name = Field(description="the beamline file, seen from this file")
    safety: Name | None = Field(
        default=None,
        description="the envelope file, seen from this file; none for recorded tables",
    )
    space: dict[Name, Range] | None = Field(
        default=None, min_length=1, description="what may be set; left out for recorded tables"
    )
    constraints: tuple[Constraint, ...] = Field(default=(), description="what every point keeps")
    forbidden: tuple[Forbidden, ...] = Field(default=(), description="where nothing is tried")
    objectives: tuple[Wanted, ...] = Field(
        default=(),
        description="what is wanted; left out: all that a recorded table has",
    )
    goal: GoalReached | None = Field(default=None, description="when it is good enough to stop")
    agent: Chosen = Field(default=Chosen(name="bayesian"), description="who decides what to try")
    plan: PlanCall | None = Field(
        default=None, description="how one experiment is done; left out for recorded tables"
    )
    reducer: Chosen | None = Field(
        default=None, description="how documents become values; left out for recorded tables"
    )
    budget: Budget = Field(description="what may be used up")
    autonomy: Autonomy = Field(
        default=Autonomy.AUTONOMOUS, description="what may happen without a person's word"
    )
    stop: StopRules | None = Field(default=None, description="when going on isn't worth it")
    on_alarm: OnAlarm | None = Field(
        default=None,
        description="what follows where the model isn't to be trusted: `ask` a person, or `go_on` "
        "with a point that fills space; left out: ask where somebody can be asked",
    )
    until: Annotated[AwareDatetime, BeforeValidator(_with_zone)] | None = Field(
        default=None,
        description="nothing starts that can't end before, cool-down and purge included; with "
        "its zone: 2026-07-01T08:00+02:00 or 2026-07-01 08:00 Europe/Berlin",
    )
    finally_: PlanCall | None = Field(
        default=None,
        alias="finally",
        description="runs at the end, whatever happened",
    )
    measure_when: MeasureWhen | None = Field(
        default=None, description="what must hold while it is measured"
    )
    upkeep: tuple[Upkeep, ...] = Field(default=(), description="what keeps the bench true")
    remeasure: Remeasure | None = Field(
        default=None, description="what is done where the reducer isn't sure of a measurement"
    )
    on_rejected: OnRejected = Field(
        default=OnRejected.GO_ON,
        description="what follows a measurement that the reducer rejects (of something that it "
        "doesn't know, or broken): `go_on`, or `hold` until a person says what it was (`heliostat "
        "amend`, `retract`), or resumes the campaign",
    )
    stock: dict[Name, Positive] | None = Field(
        default=None,
        min_length=1,
        description="what there is of all that plans consume; the campaign ends before it is short",
    )
    notify: Notify | None = Field(
        default=None, description="who is told what, by e-mail, webhook or a program"
    )
    decision_timeout: Duration = Field(
        default="60 s",
        description="how long a decision is waited for (your time) before the worker is started "
        "anew and a point that fills the space is taken instead; in processes only",
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        default=0, description="the same seed, the same campaign"
    )

    @property
    def decision_timeout_s(self) -> float:
        """How long a decision is waited for, in real seconds."""
        return seconds(self.decision_timeout)

    @field_validator("upkeep")
    @classmethod
    def _upkeep_differs(cls, upkeep: tuple[Upkeep, ...]) -> tuple[Upkeep, ...]:
        _require_different(tuple(one.name for one in upkeep))
        return upkeep

    @field_validator("objectives")
    @classmethod
    def _objectives_differ(cls, objectives: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
        _require_different(tuple(wanted.name for wanted in objectives))
        return objectives
