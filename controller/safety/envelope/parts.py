"""What an envelope file declares beside limits and rules: the form of each part."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from controller.safety.envelope.file_values import DurationText, SignalName, Text, is_safe_value
from controller.safety.language.values import Term

DEFAULT_AGE = "5 s"
"""How long what a signal said counts, where the file doesn't say it."""

SafeValue = Annotated[float | str, BeforeValidator(is_safe_value)]
"""A finite number, or the member of an enumeration."""
Writes = Annotated[dict[SignalName, SafeValue], Field(max_length=1000)]
PvName = Annotated[str, Field(max_length=200, pattern=r"^(\{prefix\})?[A-Za-z0-9_:.\-\[\]<>;]+$")]
Lease = Annotated[DurationText, Field(description="how long controller and engine may be silent")]


class Part(BaseModel):
    """What every part is: nothing unknown, nothing that isn't a finite number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SignalPart(Part):
    """A signal that rules name: a number with its unit, one of some words, or true and false."""

    unit: Annotated[str, Field(max_length=60)] | None = Field(
        default=None, description="of a number; '1' or empty: without a unit"
    )
    words: tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] | None = Field(
        default=None, min_length=2, max_length=64, description="the members of an enumeration"
    )
    max_age: DurationText = Field(
        default=DEFAULT_AGE, description="not confirmed for longer than this, it is unknown"
    )
    updates_every: DurationText | None = Field(
        default=None, description="its record's own time stamps count too: it makes one so often"
    )

    changes_every: DurationText | None = Field(
        default=None,
        description="of a noisy sensor: exactly the same for longer than this, it is stuck",
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.changes_every is not None and self.unit is None:
            raise ValueError("`changes_every` is for the noise of a number: give its `unit` too")
        if self.unit is not None and self.words is not None:
            raise ValueError("give either `unit` (a number) or `words`, not both")
        if self.words is not None and len(set(self.words)) != len(self.words):
            raise ValueError(f"words {list(self.words)}: each once")
        return self

    def term(self) -> Term:
        """Return what an expression may do with it."""
        return Term(self.unit, self.words or ())


class PairPart(Part):
    """A quantity that is commanded and read back: judged by the worst of both."""

    setpoint: SignalName = Field(description="what is written")
    readback: SignalName = Field(description="what says where it is")
    unit: str | None = Field(default=None, max_length=60, description="default: the setpoint's")


def _form_of_quantity(value: Any) -> str:
    return "sum" if isinstance(value, str) else "pair"


QuantityPart = Annotated[
    Annotated[PairPart, Tag("pair")] | Annotated[Text, Tag("sum")],
    Discriminator(_form_of_quantity),
]
"""Setpoint and readback, or an expression over signals and other quantities."""


class StagePart(Part):
    """A stage of the safe sequence: all is written at once, and read back before a deadline."""

    stage: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="what it is called"
    )
    within: DurationText = Field(default="1 s", description="the deadline")
    write: Writes = Field(min_length=1, description="signal and safe value")


def _form_of_safe(value: Any) -> str:
    return "map" if isinstance(value, Mapping) else "stages"


SafePart = Annotated[
    Annotated[Writes, Tag("map")]
    | Annotated[tuple[StagePart, ...], Field(max_length=20), Tag("stages")],
    Discriminator(_form_of_safe),
]
"""Safe values by signal, written all at once; or stages, one after the other."""


class ReleasePart(Part):
    """What is released without a person: deaths of our own processes, when all checks pass again.

    Never a condition at the bench, never an emergency stop.
    """

    at_most_per_h: Annotated[int, Field(strict=True, ge=1, le=3600)] = Field(
        description="how often within an hour"
    )


class DeadManPart(Part):
    """Who is watched, and by what the bench goes safe when the gate itself is gone."""

    lease: Lease = "3 s"
    record: PvName | None = Field(
        default=None,
        description="the PV that the gate renews every second; `{prefix}` is the beamline's",
    )
