"""What plans are given: typed, JSON-able arguments with the unit of each."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from instruments.grids import EnergyGrid


class Unit(str):
    """The unit of an argument, as ``Annotated[float, Unit("degC")]``."""


class Signal(str):
    """The signal that an argument is written to, unchanged: its hard limits are the argument's."""


def as_key(name: str) -> str:
    """Return *name* as a key of a document, where event-model allows neither ``.`` nor ``/``."""
    return name.replace(".", "%2E").replace("/", "%2F")


class Recipe(BaseModel):
    """Base of all plan arguments: nothing unknown, nothing that isn't a finite number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def units(cls) -> dict[str, str]:
        """Return the unit of every numeric argument that has one."""
        return {
            name: str(mark)
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Unit)
        }

    @classmethod
    def signals(cls) -> dict[str, str]:
        """Return the signal (``furnace.setpoint``) of every argument that is written to one."""
        return {
            name: str(mark)
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Signal)
        }

    def metadata(self) -> dict[str, Any]:
        """Return the recipe for the start document."""
        return {"recipe": self.model_dump(mode="json")}


class OxidationRecipe(Recipe):
    """Treat a regenerated catalyst in oxygen and hydrogen, then take a spectrum in these gases."""

    temperature: Annotated[float, Unit("degC"), Signal("furnace.setpoint")]
    o2: Annotated[float, Unit("mL/min"), Signal("o2.setpoint"), Field(ge=0)]
    h2: Annotated[float, Unit("mL/min"), Signal("h2.setpoint"), Field(ge=0)]
    dwell: Annotated[float, Unit("min"), Field(ge=0)]
    grid: EnergyGrid
    exposure: Annotated[float, Unit("s"), Signal("spectrometer.exposure"), Field(gt=0)] = 10.0
    total_flow: Annotated[float, Unit("mL/min"), Signal("he.setpoint"), Field(gt=0)] = 100.0
    purge_s: Annotated[float, Unit("s"), Field(ge=0)] = 120.0
    regeneration_temperature: Annotated[float, Unit("degC"), Signal("furnace.setpoint")] = 350.0
    regeneration_h2: Annotated[float, Unit("mL/min"), Signal("h2.setpoint"), Field(ge=0)] = 5.0
    regeneration_s: Annotated[float, Unit("s"), Field(ge=0)] = 600.0

    @model_validator(mode="after")
    def _flows_fit(self) -> Self:
        most = max(self.o2 + self.h2, self.regeneration_h2)
        if most > self.total_flow:
            raise ValueError(
                f"o2 + h2 and regeneration_h2 (here {most:g} mL/min) must fit into "
                f"total_flow ({self.total_flow:g} mL/min)"
            )
        return self

    @property
    def balance(self) -> float:
        """The helium (mL/min) that makes up the total flow."""
        return self.total_flow - self.o2 - self.h2


class StepScanRecipe(Recipe):
    """One spectrum, point by point, of whatever the sample is now."""

    grid: EnergyGrid
    exposure: Annotated[float, Unit("s"), Signal("detector.exposure"), Field(gt=0)] = 1.0


class SpectrumRecipe(Recipe):
    """One spectrum with the whole grid at once; by default around the K edge of copper."""

    grid: EnergyGrid = EnergyGrid(
        regions=(
            (8885.0, 8955.0, 5.0),
            (8955.0, 8975.0, 1.0),
            (8975.0, 9015.0, 0.4),
            (9015.0, 9065.0, 1.0),
            (9065.0, 9340.0, 5.0),
        )
    )
    exposure: Annotated[float, Unit("s"), Signal("spectrometer.exposure"), Field(gt=0)] = 10.0


class CoolingRecipe(Recipe):
    """Where to leave the station."""

    temperature: Annotated[float, Unit("degC"), Signal("furnace.setpoint")] = 40.0
    total_flow: Annotated[float, Unit("mL/min"), Signal("he.setpoint"), Field(gt=0)] = 100.0


class RecordedRecipe(Recipe):
    """A point of a recorded table; its columns are the arguments, whatever they are called."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    def point(self) -> dict[str, float | int | str]:
        """Return the values by column."""
        return dict(self.model_extra or {})

    def metadata(self) -> dict[str, Any]:
        """Return the point for the start document, columns spelled as documents can."""
        return {"recipe": {as_key(column): value for column, value in self.point().items()}}
