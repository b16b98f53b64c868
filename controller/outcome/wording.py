"""Numbers as people read them: a value with its uncertainty, a time, a point."""

import math
import re
from collections.abc import Mapping

from agents.protocols import Measured, Value

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def number(value: float) -> str:
    """Return *value* with four significant digits, without needless zeros."""
    return f"{value:.4g}"


def with_sigma(mean: float, sigma: float) -> str:
    """Return *mean* ± *sigma*, to two digits of *sigma*; the mean alone where it isn't known."""
    if not (sigma > 0 and math.isfinite(sigma) and math.isfinite(mean)):
        return number(mean)
    digits = 1 - math.floor(math.log10(float(f"{sigma:.1e}")))
    if not -3 <= digits <= 6:
        return f"{mean:.4g} ± {sigma:.2g}"
    places = max(digits, 0)
    return f"{round(mean, digits):.{places}f} ± {round(sigma, digits):.{places}f}"


def measured(value: Measured, unit: str = "") -> str:
    """Return *value* with its uncertainty and *unit*."""
    return f"{with_sigma(value.mean, value.sigma)} {short_unit(unit)}".rstrip()


def short_unit(unit: str) -> str:
    """Return *unit* without a remark in brackets, and nothing for the unit 1."""
    short = unit.partition(" (")[0].strip()
    return "" if short == "1" else short


def value_text(value: Value) -> str:
    """Return one value of a parameter."""
    return value if isinstance(value, str) else number(value)


def point(parameters: Mapping[str, Value]) -> str:
    """Return *parameters* as ``temperature 312, o2 1.5``."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in parameters.items())


def duration(seconds: float) -> str:
    """Return *seconds* in the two units that fit: ``3 h 12 min``."""
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"
    return f"{int(seconds // _DAY)} d {int(seconds % _DAY // _HOUR)} h"


def file_name(name: str) -> str:
    """Return *name* as a part of a path: letters, digits, dot, dash and underscore only."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "campaign"
