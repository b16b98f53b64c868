"""What a campaign file says for days at a beamline: when to measure, upkeep, and stock."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from controller.errors import ExpressionError
from controller.files.beamline import FilePart, Name
from controller.files.conditions import Conditions, condition_of
from controller.files.plan_calls import PlanCall, duration
from controller.files.units import seconds

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


class Upkeep(FilePart):
    """A plan that keeps the bench true: energy calibration on a foil, dark current, I0 offset."""

    name: Name = Field(description="what it is called in the journal")
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
