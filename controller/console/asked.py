"""The bodies that the console takes: strict, small, nothing unknown in them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from controller.safety.cleaning import LONGEST, cleaned
from controller.safety.desk.commands import Days, Digest

MOST = 100
"""Parameters or values in one body."""


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("says nothing; say why, in a few words")
    return cleaned(text)


Reason = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_said)]
ClientKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^=\s\x00-\x1f±]+$")]
Known = Annotated[str, Field(min_length=4, max_length=64, pattern=r"^[0-9A-Za-z_.-]+$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^=\x00-\x1f]+$")]
Point = Annotated[dict[Name, Number | Word], Field(max_length=MOST)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Estop(_Body):
    """Nothing needs to be said; who does says it."""

    reason: Annotated[str, Field(max_length=LONGEST), AfterValidator(cleaned)] = ""


class _Write(_Body):
    reason: Reason
    client_key: ClientKey | None = Field(
        default=None, description="the same key with the same body is carried out once"
    )


class CampaignCommand(_Write):
    """What the campaign is to do."""

    verb: Literal["start", "pause", "pause_now", "resume", "hold", "go_on", "stop", "abort"]
    client_key: ClientKey = Field(description="the same key with the same body is carried out once")


class Acknowledgement(_Body):
    """I have seen all up to this occurrence."""

    occurrence: int = Field(ge=1, le=2**53)
    client_key: ClientKey | None = None


class Reset(_Write):
    """Release the latch."""


class Approval(_Write):
    """What has this digest may run, for so long (s)."""

    digest: Digest
    for_s: Days = 3600.0


class Note(_Body):
    """A note for whoever reads the log."""

    text: Reason
    client_key: ClientKey | None = None


class Told(_Body):
    """A value and its standard uncertainty (0: not known), in the objective's unit."""

    mean: Number
    sigma: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0


Values = Annotated[dict[Name, Told], Field(min_length=1, max_length=MOST)]


class Proposal(_Write):
    """A point to be tried next, before what the agent would suggest; every parameter."""

    parameters: Point


class Observed(_Write):
    """What was measured elsewhere: at a point, or of an experiment here."""

    values: Values
    parameters: Point = {}
    experiment: Known | None = None


class Amendment(_Write):
    """Corrected values of an experiment; those not named stay."""

    values: Values


class Retraction(_Write):
    """The observation teaches nothing any more."""


class Resolution(_Write):
    """What became of an experiment that was cut off."""

    outcome: Literal["done", "not_done", "discard"]
