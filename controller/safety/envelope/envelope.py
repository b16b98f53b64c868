"""The envelope: the hard limits that no write may pass, whoever asks.

What an envelope doesn't name is not writable (default deny). ``limits`` name a signal by its
dotted device path with bounds (20 to 850 degC) or members (Open, Closed); ``free`` are
patterns of signals that don't act on the world (detectors, file writers); ``safe`` names
for a limited signal the value that it may always be given. Bounds are in the unit in which the
device is written, which is stated with them and compared, never converted.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from fnmatch import fnmatchcase
from numbers import Real
from typing import Any

from agents.digest import digest_of
from agents.space import Categorical, Space
from controller.safety.envelope.declared import (
    DeadMan,
    Quantity,
    Stage,
    StandingRelease,
    WatchedSignal,
)
from controller.safety.envelope.specs import AnyRule

HARMLESS_RELEASES_PER_H = 3600
"""How often a bench where nothing can be unsafe may go on by itself after a process died."""


def is_finite(value: Any) -> bool:
    """Return whether *value* is a finite number: bool, text and None aren't."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond doubles
        return False


def _is_word(value: Any) -> bool:
    """Return whether *value* is text, and none that a device could read as nan or infinity."""
    if not isinstance(value, str):
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return True


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
        if not is_finite(value):
            return (
                f"not a finite number; allowed {self.accepts}: give a number of these, and look at "
                "what it was worked out from (a division by zero, a reading that failed)"
            )
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
        """Whether *signal* is listed as not acting on the world, and not as people's alone."""
        free = any(fnmatchcase(signal, pattern) for pattern in self.free)
        return free and not self.is_maintenance(signal)

    def is_maintenance(self, signal: str) -> bool:
        """Whether *signal* is written by people alone, in maintenance."""
        return any(fnmatchcase(signal, pattern) for pattern in self.maintenance)

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may not be written to *signal*, or an empty string."""
        if self.is_free(signal):
            return ""
        limit = self.limits.get(signal)
        if self.is_maintenance(signal) and not self.is_safe(signal, value):
            return "written in maintenance alone, by a person who has the device: `heliostat write`"
        if limit is None:
            return f"envelope {self.name!r} neither limits it nor lists it as free"
        return limit.refuses(value)

    def reason_against_hand(self, signal: str, value: Any) -> str:
        """Return why a person may not have *value* written to *signal* in maintenance, or ""."""
        limit = self.limits.get(signal)
        if limit is not None:
            return limit.refuses(value)
        if not self.is_maintenance(signal):
            return f"envelope {self.name!r} neither limits it nor names it under `maintenance:`"
        if _is_word(value) or is_finite(value):
            return ""
        return "neither a finite number nor a word"

    def is_safe(self, signal: str, value: Any) -> bool:
        """Whether *value* is what makes *signal* safe, and so may be written in every state."""
        limit = self.limits.get(signal)
        return limit is not None and limit.safe(value)

    def safe_values(self) -> dict[str, float | str]:
        """Return the value that makes each signal safe, for those that have one."""
        return {s: v for s, limit in self.limits.items() if (v := limit.safe_value) is not None}

    def rules_said(self) -> dict[str, Any]:
        """Return what each rule says, by its name, as plain data that can be compared."""
        return {rule.name: _said(rule) for rule in self.rules}

    def said(self) -> dict[str, Any]:
        """Return what each field says, as plain data that can be compared."""
        return {field.name: _said(getattr(self, field.name)) for field in fields(self)}

    def digest(self) -> str:
        """Return the hash of all that is allowed and asked for; the name doesn't count."""
        parts = self.said()
        del parts["name"]
        return digest_of({**parts, "free": sorted(self.free)})


def _said(value: Any) -> Any:
    """Return *value* as plain data; an expression is what it says, a rule's source is left out."""
    if isinstance(value, Mapping):
        return {str(key): _said(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_said(inner) for inner in value]
    if hasattr(value, "truth"):
        return {"text": value.text, "unit": value.unit, "factor": getattr(value, "factor", 1.0)}
    if is_dataclass(value):
        kept = [field.name for field in fields(value) if field.name != "source"]
        return {
            "kind": type(value).__name__,
            **{name: _said(getattr(value, name)) for name in kept},
        }
    return value


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
    return Envelope(name, limits, free, release=StandingRelease(HARMLESS_RELEASES_PER_H))
