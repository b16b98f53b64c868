"""What the plans of the powder station are given."""

from typing import Annotated

from pydantic import Field

from instruments.recipes import Recipe, Signal, Unit


class SynthesisRecipe(Recipe):
    """Heat precursors of one ratio, cool them, and take a pattern of what they have become."""

    ratio: Annotated[float, Signal("dispenser.ratio"), Field(gt=0)]
    """Moles of the first metal for each mole of the second."""
    temperature: Annotated[float, Unit("degC"), Signal("furnace.setpoint")]
    time: Annotated[float, Unit("h"), Field(ge=0)]
    ramp: Annotated[float, Unit("K/min"), Signal("furnace.ramp_rate"), Field(gt=0)] = 10.0
    exposure: Annotated[float, Unit("s"), Signal("diffractometer.exposure"), Field(gt=0)] = 120.0
    cool_to: Annotated[float, Unit("degC"), Signal("furnace.setpoint")] = 60.0
    """At which it is measured."""


class PatternRecipe(Recipe):
    """One pattern of what stands in the furnace."""

    exposure: Annotated[float, Unit("s"), Signal("diffractometer.exposure"), Field(gt=0)] = 480.0


class CoolRecipe(Recipe):
    """Where to leave the furnace."""

    temperature: Annotated[float, Unit("degC"), Signal("furnace.setpoint")] = 60.0
