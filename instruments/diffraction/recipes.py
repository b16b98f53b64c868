"""What the plans of the diffraction station are given."""

from typing import Annotated

from pydantic import Field

from instruments.recipes import Recipe, Signal, Unit


class SpotRecipe(Recipe):
    """A pattern of one spot of the wafer."""

    x: Annotated[float, Unit("mm"), Signal("x.setpoint")]
    y: Annotated[float, Unit("mm"), Signal("y.setpoint")]
    exposure: Annotated[float, Unit("s"), Signal("detector.exposure"), Field(gt=0)] = 30.0


class SamePlaceRecipe(Recipe):
    """A pattern of where the stage stands."""

    exposure: Annotated[float, Unit("s"), Signal("detector.exposure"), Field(gt=0)] = 120.0


class UnloadRecipe(Recipe):
    """Where to leave the stage."""

    x: Annotated[float, Unit("mm"), Signal("x.setpoint")] = 50.0
    y: Annotated[float, Unit("mm"), Signal("y.setpoint")] = 47.0
