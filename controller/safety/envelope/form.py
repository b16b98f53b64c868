"""The form of an envelope file; what its parts mean together is in ``meaning``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controller.safety.envelope.counts_file import Rule
from controller.safety.envelope.file_values import LimitText, Pattern, SignalName
from controller.safety.envelope.parts import (
    DeadManPart,
    QuantityPart,
    ReleasePart,
    SafePart,
    SignalPart,
    Writes,
)


class EnvelopeForm(BaseModel):
    """A file of config/safety: what may be written to which signal, by which rules, and why."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, title="heliostat safety envelope"
    )

    name: Annotated[str, Field(min_length=1, description="what the envelope is called")]
    description: str = Field(default="", description="what it protects, for people")
    sources: dict[str, str] = Field(
        default_factory=dict, description="where each limit comes from, by signal or topic"
    )
    limits: Annotated[dict[SignalName, LimitText], Field(max_length=1000)] = Field(
        description="by dotted signal: bounds `low..high unit`, or the list of members"
    )
    safe: SafePart = Field(
        default_factory=dict,
        description="for a limited signal, the value that makes it safe (heater off, shutter "
        "shut); or the stages in which they are written",
    )
    free: Annotated[tuple[Pattern, ...], Field(max_length=200)] = Field(
        default=(), description="patterns of signals that don't act on the world (detector.*)"
    )
    signals: Annotated[dict[SignalName, SignalPart], Field(max_length=1000)] = Field(
        default_factory=dict,
        description="signals that rules name; those with limits need no entry",
    )
    quantities: Annotated[dict[SignalName, QuantityPart], Field(max_length=100)] = Field(
        default_factory=dict,
        description="what rules speak of by one name: setpoint and readback, or an expression",
    )
    rules: Annotated[tuple[Rule, ...], Field(max_length=500)] = Field(
        default=(), description="what must be so, each with a name"
    )
    hold: Writes = Field(
        default_factory=dict, description="what is written when the bench holds; all else stays"
    )
    maintenance: Annotated[tuple[Pattern, ...], Field(max_length=200)] = Field(
        default=(), description="patterns of signals that a person alone may have written"
    )
    release: ReleasePart | None = Field(
        default=None, description="what is released without a person; without it nothing is"
    )
    dead_man: DeadManPart = Field(
        default=DeadManPart(), description="leases, and the record at the IOC"
    )

    def safe_stages(self) -> tuple[tuple[str, dict[str, float | str]], ...]:
        """Return name and writes of each stage; a flat map is one stage without a name."""
        if isinstance(self.safe, dict):
            return (("", self.safe),) if self.safe else ()
        return tuple((stage.stage, stage.write) for stage in self.safe)
