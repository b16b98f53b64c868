"""What plans for any station are given: names of devices, and where they go."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from instruments.recipes import Recipe, Unit, as_key

ANY = "any"
"""The station of a plan that runs on every station with devices."""

Names = Annotated[tuple[str, ...], Field(min_length=1)]
Position = float | int | str | bool


class ReadRecipe(Recipe):
    """What is read, how often; every other argument is a device or signal and where it goes."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, Position]

    detectors: Names
    num: Annotated[int, Field(ge=1)] = 1
    delay: Annotated[float, Unit("s"), Field(ge=0)] = 0.0
    settle: Annotated[float, Unit("s"), Field(ge=0)] = 0.0
    move_timeout: Annotated[float, Unit("s"), Field(gt=0)] = 600.0
    read_timeout: Annotated[float, Unit("s"), Field(gt=0)] = 600.0

    @model_validator(mode="after")
    def _all_are_names(self) -> Self:
        for name in (*self.detectors, *self.positions()):
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{name!r} names no device: `sample_x` or `slits.gap` does")
        return self

    def positions(self) -> dict[str, Position]:
        """Return where each named device or signal goes."""
        return dict(self.model_extra or {})

    def metadata(self) -> dict[str, Any]:
        """Return the recipe for the start document, names spelled as documents can."""
        return {"recipe": {as_key(name): v for name, v in self.model_dump(mode="json").items()}}

    def duration_s(self) -> float:
        """Return how long it may take at most."""
        return self.move_timeout + self.settle + self.num * (self.delay + self.read_timeout)


class CountRecipe(ReadRecipe):
    """What is read, how often; nothing moves."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LineRecipe(ReadRecipe):
    """A device that goes from start to stop in equal steps, in its own unit, and what is read."""

    motor: str
    start: float
    stop: float
    points: Annotated[int, Field(ge=1, le=1_000_000)]

    def duration_s(self) -> float:
        """Return how long it may take at most."""
        each = self.move_timeout + self.settle + self.num * (self.delay + self.read_timeout)
        return self.move_timeout + self.points * each
