"""A plan as a campaign file calls it."""

from pydantic import Field, JsonValue

from controller.beamline import FilePart, Name


class PlanCall(FilePart):
    """A plan by its name; the space's parameters and these fixed arguments are its arguments."""

    name: Name = Field(description="the plan's name")
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="arguments that stay the same, in the plan's units"
    )
