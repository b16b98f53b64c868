"""The units of sums and products in an expression, and the factors between them.

Asked when an expression is bound, never when it is judged. A temperature in degC counts from a
zero that isn't its own (``POINT``): it may be compared, and taken from another one, and nothing
else; ``K`` is plain. A unit that isn't known (sccm) fits itself alone and cancels itself.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.errors import UnitError
from controller.files.units import compatible, convert, nature

_DIFFERENCE = {"degC": "K", "°C": "K", "celsius": "K", "delta_degC": "K"}
_SIGNS = str.maketrans({"·": "*"})


class Kind(StrEnum):
    """What a number in a unit means."""

    PLAIN = "plain"
    """Written or declared in this unit."""
    POINT = "point"
    """On a scale whose zero is somewhere else."""
    COMPUTED = "computed"
    """Came from a sum, a difference or a product: of kelvin, never a point on a scale."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit as powers of simple ones, in their order; none of them is a pure number."""

    powers: tuple[tuple[str, int], ...] = ()
    kind: Kind = Kind.PLAIN

    @property
    def text(self) -> str:
        """The unit as people write it; empty for a pure number."""
        over = [_power(name, power) for name, power in self.powers if power > 0]
        under = [_power(name, -power) for name, power in self.powers if power < 0]
        if not over and not under:
            return ""
        return "/".join(["*".join(over) or "1", *under])

    def computed(self) -> "Scale":
        """Return the unit of a sum or a difference in this one."""
        return Scale(tuple((_step(name), power) for name, power in self.powers), Kind.COMPUTED)


def known_unit(unit: str, declared: frozenset[str]) -> bool:
    """Return whether *unit* can be computed with: known, or one that a signal is declared in."""
    text = unit.strip()
    return text in declared or all(nature(name) != "opaque" for name, _ in _split(text))


def scale_of(unit: str) -> Scale:
    """Return the scale of a signal, or of a number, in *unit*."""
    text = unit.strip()
    if nature(text) == "offset":
        return Scale(((text, 1),), Kind.POINT)
    if text in ("", "1"):
        return Scale()
    if nature(text) == "opaque" and any(nature(name) == "opaque" for name, _ in _split(text)):
        return Scale(((text, 1),))
    powers = tuple((_step(name), power) for name, power in _split(text))
    return Scale(powers, Kind.COMPUTED if text == "delta_degC" else Kind.PLAIN)


def product(first: Scale, second: Scale, power: int) -> tuple[Scale, float]:
    """Return the unit of *first* times *second* (power -1: by it), and the factor to be in it.

    Units of one dimension are made one: mL/min times s is mL, with the factor 1/60.
    """
    if Kind.POINT in (first.kind, second.kind):
        unit = first.text if first.kind is Kind.POINT else second.text
        raise UnitError(f"{unit} has a zero that isn't its own; compare it, or take a difference")
    powers: dict[str, int] = {}
    factor = 1.0
    for name, exponent in (*first.powers, *((n, p * power) for n, p in second.powers)):
        factor *= _merge(powers, name, exponent)
    return Scale(tuple((n, p) for n, p in powers.items() if p), Kind.COMPUTED), factor


def conversion(source: Scale, target: Scale) -> tuple[float, float]:
    """Return factor and offset that give a number of *source* in *target*.

    Raises UnitError where they don't fit, or where it isn't said what is meant.
    """
    if Kind.POINT in (source.kind, target.kind):
        return _point_conversion(source, target)
    return factor_between(source, target), 0.0


def converted(value: float, source: Scale, target: Scale) -> float:
    """Return *value* of *source* in *target*, as exactly as it goes: for numbers in the text."""
    if Kind.POINT in (source.kind, target.kind):
        _point_conversion(source, target)
        return convert(value, source.text, target.text)
    factor = factor_between(source, target)
    return value if factor == 1.0 else value * factor


def factor_between(source: Scale, target: Scale) -> float:
    """Return the factor from *source* to *target*, taking points as differences."""
    powers = dict(source.computed().powers)
    for name, power in target.computed().powers:
        powers[name] = powers.get(name, 0) - power
    left = {name: power for name, power in powers.items() if power}
    if not left:
        return 1.0
    over = Scale(tuple((n, p) for n, p in source.computed().powers if n in left))
    under = Scale(tuple((n, p) for n, p in target.computed().powers if n in left))
    if any(nature(name) == "opaque" for name in left) or not compatible(over.text, under.text):
        raise UnitError(_misfit(source, target))
    return convert(1.0, over.text, under.text)


def _point_conversion(source: Scale, target: Scale) -> tuple[float, float]:
    if source.text == target.text:
        return 1.0, 0.0
    if Kind.COMPUTED in (source.kind, target.kind):
        point = source if source.kind is Kind.POINT else target
        raise UnitError(
            f"a computed difference isn't a temperature in {point.text}: give it in K, "
            "without a unit, or compare the two temperatures"
        )
    if not compatible(source.text, target.text):
        raise UnitError(_misfit(source, target))
    return factor_between(source, target), convert(0.0, source.text, target.text)


def _misfit(source: Scale, target: Scale) -> str:
    return f"{source.text or 'a pure number'} doesn't fit {target.text or 'a pure number'}"


def _merge(powers: dict[str, int], name: str, exponent: int) -> float:
    """Put a simple unit into *powers*; return the factor that this costs."""
    if name in powers:
        powers[name] += exponent
        return 1.0
    if nature(name) != "opaque":
        if compatible(name, ""):
            return float(convert(1.0, name, "") ** exponent)
        for other in powers:
            if nature(other) != "opaque" and compatible(name, other):
                powers[other] += exponent
                return float(convert(1.0, name, other) ** exponent)
    powers[name] = exponent
    return 1.0


def _split(text: str) -> list[tuple[str, int]]:
    """Return the simple units in *text* with their powers; the pure number 1 is none of them."""
    found: dict[str, int] = {}
    sign = 1
    for part in _parts(text):
        if part in ("*", "/"):
            sign = 1 if part == "*" else -1
            continue
        name, _, power = part.partition("^")
        if name != "1":
            found[name] = found.get(name, 0) + sign * int(power or "1")
    return [(name, power) for name, power in found.items() if power]


def _parts(text: str) -> list[str]:
    plain = text.translate(_SIGNS).replace("**", "^")
    spaced = plain.replace("*", " * ").replace("/", " / ")
    return [part.strip() for part in spaced.split() if part.strip()]


def _step(name: str) -> str:
    """Return the unit of differences on the scale of *name*."""
    if nature(name) != "offset":
        return _DIFFERENCE.get(name, name)
    return _DIFFERENCE.get(name, f"delta_{name.replace('°F', 'degF')}")


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}**{power}"
