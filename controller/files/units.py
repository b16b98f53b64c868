"""Units of parameters, limits and durations: which fit each other, and conversion.

A unit that pint doesn't know ("struts", "% of total flow") is opaque: it fits itself only.
"""

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from controller.errors import UnitError

if TYPE_CHECKING:
    from pint import UnitRegistry

_DURATIONS_S = {
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_ATOM = r"(?:[A-Za-zµμΩ_]{1,20}|°[CF]|%|1)(?:(?:\^|\*\*)-?[1-9])?"
_UNIT = re.compile(rf"{_ATOM}(?:\s*[*/·]\s*{_ATOM}){{0,7}}")
"""Names with small powers, times and divided by each other; pint's own parser is asked no more."""
_SPELLINGS = {"°C": "degC", "°F": "degF", "%": "percent", "·": "*", "^": "**", "Ω": "ohm"}


@lru_cache(maxsize=1)
def _registry() -> "UnitRegistry[Any]":
    from pint import UnitRegistry

    return UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)


@lru_cache(maxsize=512)
def _known(unit: str) -> Any | None:
    """Return pint's unit for *unit*, or None where it is opaque."""
    import pint

    if unit and not _UNIT.fullmatch(unit):
        return None
    text = unit
    for spelling, plain in _SPELLINGS.items():
        text = text.replace(spelling, plain)
    try:
        return _registry().Unit(text)
    except (pint.PintError, ValueError):
        return None


def compatible(first: str, second: str) -> bool:
    """Return whether a value in unit *first* can be given in unit *second*."""
    if first.strip() == second.strip():
        return True
    ours, theirs = _known(first.strip()), _known(second.strip())
    if ours is None or theirs is None:
        return False
    return bool(ours.is_compatible_with(theirs))


def convert(value: float, source: str, wanted: str) -> float:
    """Return *value*, given in unit *source*, in unit *wanted*: 300 K is 26.85 degC.

    Exact where the units are spelled alike. Raises UnitError where they don't fit.
    """
    if source.strip() == wanted.strip():
        return value
    if not compatible(source, wanted):
        raise UnitError(f"{value:g} {source}: can't be given in {wanted!r}")
    quantity = _registry().Quantity(value, _known(source.strip()))
    return float(quantity.to(_known(wanted.strip())).magnitude)


def alike(first: str, second: str) -> bool:
    """Return whether a number means the same in both units; ``C`` and ``degC`` are one to IOCs."""
    ours, theirs = (_SPELLED.get(unit.strip(), unit.strip()) for unit in (first, second))
    if ours == theirs:
        return True
    if not compatible(ours, theirs):
        return False
    return convert(1.0, ours, theirs) == 1.0 and convert(0.0, ours, theirs) == 0.0


_SPELLED = {
    **dict.fromkeys(("C", "deg C", "Deg C", "DegC", "degrees C", "Celsius", "°C"), "degC"),
    **dict.fromkeys(("deg", "degree"), "degrees"),
    **dict.fromkeys(("sec", "Sec", "second"), "s"),
    **dict.fromkeys(("sccm",), "mL/min"),
}
"""What IOCs write for units, in ours; a standard cubic centimetre per minute is what MFCs count."""


def seconds(duration: str) -> float:
    """Return *duration* ("48 h", "90 min", "2 d") in seconds; UnitError where it isn't one."""
    match = _DURATION.fullmatch(duration)
    if match is None or match[2] not in _DURATIONS_S:
        raise UnitError(f"{duration!r} is no duration; write a number and s, min, h or d: 48 h")
    value = float(match[1]) * _DURATIONS_S[match[2]]
    if not 0 < value < 1e9:
        raise UnitError(
            f"{duration!r} is no duration to plan with: more than 0, less than 30 years"
        )
    return value


@lru_cache(maxsize=512)
def nature(unit: str) -> Literal["opaque", "plain", "offset"]:
    """Return how *unit* counts: from a zero of its own, from another (degC), or pint can't tell.

    Logarithmic units are opaque too: sums and products mean something else in them.
    """
    known = _known(unit.strip())
    if known is None:
        return "opaque"
    zero, one, two = (
        float(_registry().Quantity(value, known).to_base_units().magnitude)
        for value in (0.0, 1.0, 2.0)
    )
    if zero == 0.0 and math.isclose(two, 2.0 * one):
        return "plain"
    return "offset" if math.isclose(two - one, one - zero) else "opaque"
