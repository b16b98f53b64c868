"""What the plans of the microscope are given."""

from typing import Annotated, Literal

from pydantic import Field

from instruments.recipes import Recipe, Signal, Unit

SURVEY, LOOP = "survey", "loop"


class LookRecipe(Recipe):
    """Check the tip, then survey the whole area sparsely, or take a loop at one place of it."""

    look: Literal["survey", "loop"]
    x: Annotated[float, Unit("um"), Signal("x.setpoint")]
    y: Annotated[float, Unit("um"), Signal("y.setpoint")]
    share: Annotated[float, Signal("imager.share"), Field(gt=0, le=1)] = 0.2
    """The part of the pixels that a survey measures."""
    survey_exposure: Annotated[float, Unit("s"), Signal("imager.exposure"), Field(gt=0)] = 60.0
    tip_exposure: Annotated[float, Unit("s"), Signal("tip_imager.exposure"), Field(gt=0)] = 10.0
    loop_exposure: Annotated[float, Unit("s"), Signal("loops.exposure"), Field(gt=0)] = 5.0

    def duration_s(self) -> float:
        """Return the longest time (s) that it takes."""
        looked = self.survey_exposure if self.look == SURVEY else self.loop_exposure
        return self.tip_exposure + looked + 240.0


class PulseRecipe(Recipe):
    """One pulse to recondition the tip."""

    voltage: Annotated[float, Unit("V"), Signal("tip.pulse")] = 4.0


class ParkRecipe(Recipe):
    """Where to leave the tip."""

    x: Annotated[float, Unit("um"), Signal("x.setpoint")] = 0.0
    y: Annotated[float, Unit("um"), Signal("y.setpoint")] = 0.0
