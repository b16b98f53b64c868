"""Texts of an envelope file with a meaning of their own: bounds, amounts, rates, durations."""

import re
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from controller.errors import UnitError
from controller.files.units import compatible, convert, seconds
from controller.safety.envelope.envelope import Limit, Members

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_LIMIT = re.compile(
    rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+(\S.*?)|([^\s\d.+-]\S*))?\s*", re.ASCII
)
_AMOUNT = re.compile(rf"\s*({_NUMBER})(?:\s*([^\s\d.+-].*?))?\s*", re.ASCII)
_OFFSET = {"degC": "K", "°C": "K", "degF": "delta_degF", "°F": "delta_degF"}
"""The unit of a difference, for scales whose zero is somewhere in the middle."""
_TIMES_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
LONGEST = 2000
"""Characters of an expression."""

SignalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.\w+)*$", max_length=200)]
Pattern = Annotated[str, StringConstraints(pattern=r"^[\w*?]+(\.[\w*?]+)+$", max_length=200)]
"""A pattern has at least two parts, so that none frees everything."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
"""An expression, as ``controller.safety.language`` reads it."""


def parse_limit(text: str) -> Limit:
    """Return the bounds written as ``low..high unit``; ValueError says what is wrong."""
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no limit; write low..high and the unit: 20..850 degC")
    return Limit(float(match[1]), float(match[2]), match[3] or match[4] or "")


def parse_amount(text: str) -> tuple[float, str]:
    """Return number and unit of ``20 K``; ValueError where it isn't a finite number of a unit."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not abs(float(match[1])) < 1e300:
        raise ValueError(f"{text!r} is no amount; write a number and its unit: 20 K")
    return float(match[1]), match[2] or ""


def parse_rate(text: str) -> tuple[float, str, float]:
    """Return number, unit and seconds of ``20 K/min``; ValueError where it isn't a rate."""
    value, unit = parse_amount(text)
    what, _, time = unit.rpartition("/")
    if time.strip() not in _TIMES_S:
        raise ValueError(f"{text!r} is no rate; write a number, a unit and a time: 20 K/min")
    return value, what.strip(), _TIMES_S[time.strip()]


def amount(text: str, unit: str) -> float:
    """Return the amount in *text* in *unit*; ValueError where it can't be given in it."""
    value, given = parse_amount(text)
    try:
        return convert(value, given, unit)
    except UnitError:
        raise ValueError(
            f"{text!r} can't be given in {unit or 'a number without a unit'}"
        ) from None


def difference(text: str, unit: str) -> float:
    """Return the difference in *text* (``2 K``) in steps of *unit* (degC); ValueError as above."""
    value, given = parse_amount(text)
    return _steps(value, given, unit, text)


def per_second(text: str, unit: str) -> float:
    """Return the rate in *text* (``20 K/min``) in steps of *unit* per second; ValueError."""
    value, given, time_s = parse_rate(text)
    return _steps(value, given, unit, text) / time_s


def duration(text: str) -> float:
    """Return the seconds of ``120 s``; ValueError where it is no duration."""
    try:
        return seconds(text)
    except UnitError as error:
        raise ValueError(str(error)) from None


def _steps(value: float, given: str, unit: str, text: str) -> float:
    wanted, given = _OFFSET.get(unit, unit), _OFFSET.get(given, given)
    if not compatible(given, wanted):
        raise ValueError(f"{text!r} is no change of something in {unit or 'no unit'}")
    return convert(value, given, wanted)


def is_safe_value(value: Any) -> float | str:
    """Return *value* if it is a finite number or text; ValueError otherwise."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    raise ValueError("a finite number is needed, or the member of an enumeration")


def _is_limit(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str):
        parse_limit(value)
        return value
    listed = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
    if not listed:
        raise ValueError("is no limit; write low..high and the unit, or a list of members")
    return Members(tuple(value)).options


def _is_count(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return f"{value:.17g}"


def _positive(value: float, text: str) -> str:
    if not 0 < value < 1e300:
        raise ValueError(f"{text!r}: more than 0 is needed")
    return text


def _needs_unit(example: str) -> Any:
    """Return what refuses a plain number: a text such as *example* is needed."""

    def check(value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValueError(f"{value!r} has no unit; write it with one: {example}")
        return value

    return BeforeValidator(check)


def _is_duration(text: str) -> str:
    return _positive(duration(text), text)


def _is_level(text: str) -> str:
    parse_amount(text)
    return text


def _is_amount(text: str) -> str:
    return _positive(parse_amount(text)[0], text)


def _is_rate(text: str) -> str:
    return _positive(parse_rate(text)[0], text)


_SHORT = StringConstraints(max_length=100)
DurationText = Annotated[
    str, _SHORT, _needs_unit("3 s, 10 min, 2 h or 1 d"), AfterValidator(_is_duration)
]
"""``120 s``, ``2 h``."""
AmountText = Annotated[str, _SHORT, _needs_unit("2 K"), AfterValidator(_is_amount)]
"""``2 K``, more than 0."""
LevelText = Annotated[str, _SHORT, _needs_unit("30 degC"), AfterValidator(_is_level)]
"""``30 degC``, also 0 and less."""
RateText = Annotated[str, _SHORT, _needs_unit("20 K/min"), AfterValidator(_is_rate)]
"""``20 K/min``, more than 0."""
CountText = Annotated[
    str,
    _SHORT,
    BeforeValidator(_is_count),
    AfterValidator(_is_amount),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number", "exclusiveMinimum": 0}]}),
]
"""``2 L``, or a plain number; more than 0."""
LimitText = Annotated[
    str | tuple[str, ...],
    BeforeValidator(_is_limit),
]
"""``20..850 degC``, or the members of an enumeration."""
