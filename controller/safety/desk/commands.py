"""What people can ask of the gate, and how that travels: strict, small, and good only once.

A command carries the boot id of the gate that it is for, a number that grows, and until when it
may be taken (by that gate's own clock, which ``Hello`` asks for): a recorded one is refused by
whoever hears it again. JSON; nothing in it is ever executed.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from controller.bus.errors import MessageRefused
from controller.safety.cleaning import LONGEST, cleaned
from controller.safety.people.people import Scope

LARGEST_BYTES = 64 * 1024
"""Of one command, or of the answer to one."""
LONGEST_S = 60.0
"""How far ahead a command may say that it may still be taken."""
_MOST = 2**53

Text = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(cleaned)]
Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(cleaned)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Days = Annotated[float, Field(gt=0.0, le=31 * 86400.0, allow_inf_nan=False)]
"""Seconds, a month of them at most."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Acknowledge(_Strict):
    """I have seen the trip number *occurrence*."""

    verb: Literal["acknowledge"] = "acknowledge"
    occurrence: int = Field(ge=1, le=_MOST)


class Reset(_Strict):
    """Release the latch."""

    verb: Literal["reset"] = "reset"
    reason: Text


class Approve(_Strict):
    """I approve what has *digest*, for so long."""

    verb: Literal["approve"] = "approve"
    digest: Digest
    for_s: Days


class Bypass(_Strict):
    """Let the rule be broken for so long; in force when a second person has said the same."""

    verb: Literal["bypass"] = "bypass"
    rule: Name
    for_s: Days
    reason: Text


class Hold(_Strict):
    """No new motion."""

    verb: Literal["hold"] = "hold"
    reason: Text


class GoOn(_Strict):
    """Go on after a hold of mine, or of somebody else."""

    verb: Literal["go_on"] = "go_on"


class TakeDevices(_Strict):
    """I take these devices for maintenance."""

    verb: Literal["take"] = "take"
    devices: tuple[Name, ...] = Field(min_length=1, max_length=100, strict=False)


class GiveBack(_Strict):
    """I return what I have taken."""

    verb: Literal["give_back"] = "give_back"


class WriteValue(_Strict):
    """Write this to a signal of a device that I have taken."""

    verb: Literal["write"] = "write"
    signal: Name
    value: float | Text


class Present(_Strict):
    """I am at the bench, for so long."""

    verb: Literal["present"] = "present"
    for_s: Days


class Sample(_Strict):
    """Another sample is in place: budgets per sample begin anew."""

    verb: Literal["sample"] = "sample"
    name: Name


class Spot(_Strict):
    """Another spot is in the beam: budgets per spot begin anew."""

    verb: Literal["spot"] = "spot"
    name: Name


class Stop(_Strict):
    """Emergency stop; it needs no number and no expiry, and may be heard twice."""

    verb: Literal["stop"] = "stop"


class ShowStatus(_Strict):
    """How do things stand?"""

    verb: Literal["status"] = "status"


class ShowLog(_Strict):
    """What does the record hold past record *after*? So many records at most."""

    verb: Literal["log"] = "log"
    after: int = Field(default=0, ge=0, le=_MOST)
    count: int = Field(default=100, ge=1, le=100)


Act = Annotated[
    Acknowledge
    | Reset
    | Approve
    | Bypass
    | Hold
    | GoOn
    | TakeDevices
    | GiveBack
    | WriteValue
    | Present
    | Sample
    | Spot
    | Stop
    | ShowStatus
    | ShowLog,
    Field(discriminator="verb"),
]

SCOPE_OF: dict[str, Scope] = {
    "acknowledge": Scope.ACKNOWLEDGE,
    "reset": Scope.RESET,
    "approve": Scope.APPROVE,
    "bypass": Scope.BYPASS,
    "hold": Scope.RUN,
    "go_on": Scope.RUN,
    "take": Scope.MAINTAIN,
    "give_back": Scope.MAINTAIN,
    "write": Scope.MAINTAIN,
    "present": Scope.STOP,
    "sample": Scope.RUN,
    "spot": Scope.RUN,
    "stop": Scope.STOP,
    "status": Scope.READ,
    "log": Scope.READ,
}
"""What a person must be allowed for each verb."""

READS = frozenset({"status", "log"})
"""Verbs that change nothing."""


class Hello(_Strict):
    """Whom do I speak to? Answered by Greeting; sent before commands."""

    kind: Literal["hello"] = "hello"


class Command(_Strict):
    """One act, for the gate of *boot*, until *not_after* by its clock, numbered *sequence*."""

    kind: Literal["command"] = "command"
    boot: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")]
    sequence: int = Field(ge=1, le=_MOST)
    not_after: float
    act: Act


class Greeting(_Strict):
    """Which gate it is, what its clock says (s), the last number it took, whom it takes you for."""

    kind: Literal["greeting"] = "greeting"
    boot: str
    clock: float
    sequence: int
    name: str
    roles: tuple[str, ...] = Field(strict=False)


class Accepted(_Strict):
    """It was done; what there is to say about it."""

    kind: Literal["accepted"] = "accepted"
    text: str = ""
    data: Any = None


class Refused(_Strict):
    """It was not done: *error* names why for programs, *reason* for people."""

    kind: Literal["refused"] = "refused"
    error: str
    reason: str


Request = Annotated[Hello | Command, Field(discriminator="kind")]
Response = Annotated[Greeting | Accepted | Refused, Field(discriminator="kind")]

_REQUEST: TypeAdapter[Hello | Command] = TypeAdapter(Request)
_RESPONSE: TypeAdapter[Greeting | Accepted | Refused] = TypeAdapter(Response)


def request_of(data: bytes) -> Hello | Command:
    """Return what *data* asks; raise MessageRefused, in few and clean words, when it is nothing."""
    if len(data) > LARGEST_BYTES:
        raise MessageRefused(f"has {len(data)} bytes, {LARGEST_BYTES} are allowed")
    try:
        return _REQUEST.validate_json(data)
    except ValidationError as error:
        raise MessageRefused(_first(error)) from None


def response_of(data: bytes) -> Greeting | Accepted | Refused:
    """Return the answer in *data*; raise MessageRefused when it isn't one."""
    try:
        return _RESPONSE.validate_json(data)
    except ValidationError as error:
        raise MessageRefused(_first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return cleaned(f"{place}: {first['msg']}" if place else first["msg"], 200)
