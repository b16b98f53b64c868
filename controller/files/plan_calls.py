"""A plan as a campaign file calls it."""

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from controller.errors import UnitError
from controller.files.beamline import FilePart, Name
from controller.files.units import seconds
from instruments.effects import Effect


def duration(text: str) -> str:
    """Return *text* (``48 h``) as it is; ValueError where it is no duration."""
    try:
        seconds(text)
    except UnitError as error:
        raise ValueError(str(error)) from error
    return text


class PlanCall(FilePart):
    """A plan by its name; the space's parameters and these fixed arguments are its arguments."""

    name: Name = Field(
        description="the plan's name; `package.module:function` for a plan of your own, seen from "
        "the beamline file"
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="arguments that stay the same, in the plan's units"
    )
    effect: Effect | None = Field(
        default=None,
        description="what the plan does to the world, for generic plans and your own, which count "
        "as irreversible unless it is said: read_only, repeatable, reconcilable or irreversible",
    )
    consumes: dict[Name, Annotated[float, Field(strict=True, gt=0)]] | None = Field(
        default=None,
        description="what each attempt at an experiment uses up of the campaign's `stock`; "
        "`plan` only",
    )
    longest: Annotated[str, AfterValidator(duration)] | None = Field(
        default=None,
        description="the longest time that a plan of your own or a generic one takes, such as "
        "`20 min`, so that none is begun that can't end before `until`",
    )

    @property
    def is_own(self) -> bool:
        """Whether it is a function of the user's own (``package.module:function``)."""
        return ":" in self.name
