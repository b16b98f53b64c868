"""The envelope: the hard limits that no write may pass, whoever asks.

What an envelope doesn't name is not writable (default deny). ``limits`` name a signal by its
dotted device path with bounds (``20..850 degC``) or members (``[Open, Closed]``); ``free``
are patterns of signals that don't act on the world (detectors, file writers); ``safe`` names
for a limited signal the value that it may always be given. Bounds are in the unit in which the
device is written, which is stated with them and compared, never converted.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from numbers import Real
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from agents.digest import digest_of
from agents.space import Categorical, Space
from controller.safety.declared import DeadMan, Quantity, Stage, StandingRelease, WatchedSignal
from controller.safety.rules.specs import AnyRule

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_LIMIT = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+(\S.*?)|([^\s\d.+-]\S*))?\s*")

SignalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.\w+)*$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[\w*?]+(\.[\w*?]+)+$")]
"""A pattern has at least two parts, so that none frees everything."""


def _is_finite(value: Any) -> bool:
    """Return whether *value* is a finite number: bool, text and None aren't."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond doubles
        return False


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of a number, both allowed, in *unit*. *safe_value* may be written in every state."""

    low: float
    high: float
    unit: str = ""
    safe_value: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"bounds {self.low!r}..{self.high!r}: finite numbers, low below high")
        if self.safe_value is not None and not self.low <= self.safe_value <= self.high:
            raise ValueError(f"safe value {self.safe_value!r} is outside {self.accepts}")

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return f"{self.low:.12g} to {self.high:.12g} {self.unit}".rstrip()

    def refuses(self, value: Any) -> str:
        """Return why *value* may not be written, empty when it may."""
        if not _is_finite(value):
            return f"not a finite number; allowed {self.accepts}"
        if self.low <= value <= self.high:
            return ""
        return f"allowed {self.accepts}"

    def safe(self, value: Any) -> bool:
        """Whether *value* is the one that makes this signal safe."""
        return self.safe_value is not None and not self.refuses(value) and value == self.safe_value


@dataclass(frozen=True, slots=True)
class Members:
    """The members of an enumeration that may be written."""

    options: tuple[str, ...]
    safe_value: str | None = None

    def __post_init__(self) -> None:
        if not self.options or len(set(self.options)) != len(self.options):
            raise ValueError(f"members {list(self.options)}: at least one, each once")
        if self.safe_value is not None and self.safe_value not in self.options:
            raise ValueError(f"safe value {self.safe_value!r} is not one of {self.accepts}")

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return " or ".join(self.options)

    def refuses(self, value: Any) -> str:
        """Return why *value* may not be written, empty when it may."""
        if isinstance(value, str) and value in self.options:
            return ""
        return f"allowed {self.accepts}"

    def safe(self, value: Any) -> bool:
        """Whether *value* is the one that makes this signal safe."""
        return isinstance(value, str) and value == self.safe_value


@dataclass(frozen=True, slots=True)
class Envelope:
    """Which signals may be written, and with what; all others may not."""

    name: str
    limits: Mapping[str, Limit | Members]
    free: tuple[str, ...] = ()
    signals: Mapping[str, WatchedSignal] = field(default_factory=dict)
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    rules: tuple[AnyRule, ...] = ()
    stages: tuple[Stage, ...] = ()
    """The safe sequence; without one all safe values are one stage."""
    hold: Mapping[str, float | str] = field(default_factory=dict)
    """What is written when the bench holds; all else stays as it is."""
    maintenance: tuple[str, ...] = ()
    """Patterns of signals that a person alone may have written, in maintenance."""
    release: StandingRelease | None = None
    dead_man: DeadMan = field(default_factory=DeadMan)

    def is_free(self, signal: str) -> bool:
        """Whether *signal* is listed as not acting on the world."""
        return any(fnmatchcase(signal, pattern) for pattern in self.free)

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may not be written to *signal*, or an empty string."""
        if self.is_free(signal):
            return ""
        limit = self.limits.get(signal)
        if limit is None:
            return f"envelope {self.name!r} neither limits it nor lists it as free"
        return limit.refuses(value)

    def is_safe(self, signal: str, value: Any) -> bool:
        """Whether *value* is what makes *signal* safe, and so may be written in every state."""
        limit = self.limits.get(signal)
        return limit is not None and limit.safe(value)

    def safe_values(self) -> dict[str, float | str]:
        """Return the value that makes each signal safe, for those that have one."""
        return {s: v for s, limit in self.limits.items() if (v := limit.safe_value) is not None}

    def digest(self) -> str:
        """Return the hash of all that is allowed; the name doesn't count."""
        return digest_of({"limits": self.limits, "free": sorted(self.free)})


def parse_limit(text: str) -> Limit:
    """Return the bounds written as ``low..high unit``; ValueError says what is wrong."""
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no limit; write low..high and the unit: 20..850 degC")
    return Limit(float(match[1]), float(match[2]), match[3] or match[4] or "")


def _readable(text: str | tuple[str, ...]) -> str | tuple[str, ...]:
    _allowed(text, None)
    return text


LimitText = Annotated[str | tuple[str, ...], AfterValidator(_readable)]
"""``20..850 degC``, or the members of an enumeration."""


class EnvelopeFile(BaseModel):
    """A file of config/safety: what may be written to which signal, and why so much."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, title="heliostat safety envelope"
    )

    name: Annotated[str, Field(min_length=1, description="what the envelope is called")]
    description: str = Field(default="", description="what it protects, for people")
    sources: dict[str, str] = Field(
        default_factory=dict, description="where each limit comes from, by signal or topic"
    )
    limits: dict[SignalName, LimitText] = Field(
        description="by dotted signal: bounds `low..high unit`, or the list of members"
    )
    safe: dict[SignalName, Annotated[float, Field(strict=True)] | str] = Field(
        default_factory=dict,
        description="for a limited signal, the value that makes it safe (heater off, shutter shut)",
    )
    free: tuple[Pattern, ...] = Field(
        default=(), description="patterns of signals that don't act on the world (detector.*)"
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        unknown = [signal for signal in self.safe if signal not in self.limits]
        if unknown:
            raise ValueError(f"safe: {', '.join(unknown)} has no limit; name it under limits too")
        both = [s for s in self.limits if any(fnmatchcase(s, pattern) for pattern in self.free)]
        if both:
            raise ValueError(f"free: {', '.join(both)} has a limit and can't be free as well")
        self.envelope()
        return self

    def envelope(self) -> Envelope:
        """Return the envelope that the gate enforces."""
        limits = {s: _allowed(text, self.safe.get(s)) for s, text in self.limits.items()}
        return Envelope(self.name, limits, self.free)


def _allowed(text: str | tuple[str, ...], safe_value: float | str | None) -> Limit | Members:
    if isinstance(text, tuple):
        if safe_value is not None and not isinstance(safe_value, str):
            raise ValueError(f"safe value {safe_value!r} is a number where a member is needed")
        return Members(text, safe_value)
    limit = parse_limit(text)
    if isinstance(safe_value, str):
        raise ValueError(f"safe value {safe_value!r} is text where a number is needed")
    return Limit(limit.low, limit.high, limit.unit, safe_value)


def envelope_of_space(
    name: str,
    space: Space,
    prefix: str = "bench.point.",
    free: tuple[str, ...] = ("bench.measure",),
) -> Envelope:
    """Return the envelope of a recorded bench: each parameter within what was recorded.

    The signal of a parameter is *prefix* and its name.
    """
    limits: dict[str, Limit | Members] = {}
    for parameter in space.parameters:
        if isinstance(parameter, Categorical):
            limits[prefix + parameter.name] = Members(parameter.options)
            continue
        low, high = float(parameter.low), float(parameter.high)
        if low == high:  # it never varied: the narrowest limit there is
            high = math.nextafter(high, math.inf)
        limits[prefix + parameter.name] = Limit(low, high, parameter.unit)
    return Envelope(name, limits, free)
