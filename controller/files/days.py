"""What a campaign file says for days at a beamline: when to measure and measure again, upkeep."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from controller.errors import ExpressionError
from controller.files.beamline import FilePart, Name
from controller.files.conditions import Conditions, condition_of
from controller.files.plan_calls import PlanCall, duration
from controller.files.units import seconds
from models.values import Verdict

Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _condition(text: str) -> str:
    try:
        condition_of(text)
    except ExpressionError as error:
        raise ValueError(str(error)) from error
    return text


Duration = Annotated[str, AfterValidator(duration)]


class MeasureWhen(FilePart):
    """What must hold while it is measured; else what was measured doesn't count."""

    all: tuple[Annotated[str, AfterValidator(_condition)], ...] = Field(
        min_length=1, description="such as `ring.current > 50 mA` or `front_end.status == Open`"
    )
    for_: Duration | None = Field(
        default=None, alias="for", description="so long before it goes on after a break: 60 s"
    )
    settle: PlanCall | None = Field(
        default=None, description="a plan that runs after a break, before it is measured again"
    )

    def conditions(self) -> Conditions:
        """Return them as they are judged."""
        wait_s = 0.0 if self.for_ is None else seconds(self.for_)
        return Conditions(tuple(map(condition_of, self.all)), wait_s, self.settle)


class Every(FilePart):
    """How often: after so many experiments, or so much time, whatever comes first."""

    experiments: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="number of experiments"
    )
    time: Duration | None = Field(default=None, description="such as `2 h`")

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if self.experiments is None and self.time is None:
            raise ValueError("give `experiments`, `time` or both")
        return self


class Drift(FilePart):
    """When a score of the last measurement's quality has gone too far."""

    metric: Name = Field(description="a quality score, as the reducer calls it")
    above: Bound = Field(description="upkeep is due when the score is above this")


MEASURE_AGAIN = "measure again"
"""What running the plan of ``remeasure`` is called; no upkeep may be called so."""


def _not_reserved(name: str) -> str:
    if name == MEASURE_AGAIN:
        raise ValueError(f"{MEASURE_AGAIN!r} is what `remeasure` is called; choose another name")
    return name


class Upkeep(FilePart):
    """A plan that keeps the bench true: energy calibration on a foil, dark current, I0 offset."""

    name: Annotated[Name, AfterValidator(_not_reserved)] = Field(
        description="what it is called in the journal"
    )
    plan: PlanCall = Field(description="the plan")
    at_start: bool = Field(default=True, strict=True, description="before the first experiment")
    every: Every | None = Field(default=None, description="and again after so much")
    when: Drift | None = Field(default=None, description="and when a metric says so")
    required: bool = Field(
        default=False, strict=True, description="whether the campaign stops when it fails twice"
    )

    @model_validator(mode="after")
    def _ever_due(self) -> Self:
        if not self.at_start and self.every is None and self.when is None:
            raise ValueError("is never due; give `every` or `when`, or leave `at_start` true")
        return self


class Remeasure(FilePart):
    """Measuring what is at the bench again, for longer, where the reducer isn't sure of it."""

    plan: PlanCall = Field(description="a plan that only reads, such as a longer scan")
    verdicts: tuple[Verdict, ...] = Field(
        default=(Verdict.SUSPECT,),
        min_length=1,
        description="after which verdicts of the reducer: suspect, rejected",
    )
    at_most: Annotated[int, Field(strict=True, ge=1, le=10)] = Field(
        default=1, description="so often at most for one experiment"
    )

    @field_validator("verdicts")
    @classmethod
    def _doubtful(cls, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        if Verdict.ACCEPTED in verdicts:
            raise ValueError("what was accepted isn't measured again: suspect, rejected or both")
        return verdicts


class OnRejected(StrEnum):
    """What follows a measurement that the reducer rejects: of something new, or broken."""

    GO_ON = "go_on"
    """It teaches nothing; the next experiment comes."""
    HOLD = "hold"
    """Nothing is tried until a person has said what it was, or that it may go on."""
