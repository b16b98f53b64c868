"""What is worked out each time a rule is judged: closures over floats, and nothing else.

A number is all values it may have, as (low, high), or None where it isn't known. Not finite is
never known: a sum or product that leaves the range of floats isn't either, so that no later
division brings it back. The ends of an interval come from the same operations, in the same order,
as any value within it; these are monotone, rounding included, so the interval holds them all.

A statement is True, False, or None where it is neither surely so nor surely not so.
"""

from collections.abc import Callable, Sequence
from typing import Any

from controller.safety.language.values import Interval, Margin, Value

Span = tuple[float, float]
Slots = Sequence[Any]
"""What is known of each name, in their order; each as its reader (below) gave it."""
NumberOf = Callable[[Slots], Span | None]
StatementOf = Callable[[Slots], bool | None]
Reader = Callable[[Value | None], Any]

_MOST = 1.7976931348623157e308


MarginOf = Callable[[Slots], Margin | bool | None]
"""True and False where no number says how far."""


def read_number(value: Value | None) -> Span | None:
    """Return what is known of a number; None for anything else, not finite or upside down."""
    if not isinstance(value, Interval):
        return None
    low, high = float(value.low), float(value.high)
    return (low, high) if -_MOST <= low <= high <= _MOST else None


def read_flag(value: Value | None) -> bool | None:
    """Return what is known of a true or false."""
    return value if isinstance(value, bool) else None


def word_reader(words: frozenset[str]) -> Reader:
    """Return what reads a word that is one of *words*; no other is known."""

    def read(value: Value | None) -> str | None:
        return value if isinstance(value, str) and value in words else None

    return read


def slot(index: int) -> Callable[[Slots], Any]:
    """Return what gives the slot *index*."""
    return lambda slots: slots[index]


def constant(value: float) -> NumberOf:
    """Return what gives *value*, always."""
    span = (value, value)
    return lambda _slots: span


def scaled(number: NumberOf, factor: float, offset: float) -> NumberOf:
    """Return *number* times *factor* and then *offset* more."""

    def run(slots: Slots) -> Span | None:
        span = number(slots)
        if span is None:
            return None
        one, other = span[0] * factor + offset, span[1] * factor + offset
        return _finite((one, other) if factor >= 0 else (other, one))

    return number if factor == 1.0 and offset == 0.0 else run


def added(first: NumberOf, second: NumberOf) -> NumberOf:
    """Return the sum of both."""

    def run(slots: Slots) -> Span | None:
        a, b = first(slots), second(slots)
        return None if a is None or b is None else _finite((a[0] + b[0], a[1] + b[1]))

    return run


def taken_away(first: NumberOf, second: NumberOf) -> NumberOf:
    """Return *first* less *second*."""

    def run(slots: Slots) -> Span | None:
        a, b = first(slots), second(slots)
        return None if a is None or b is None else _finite((a[0] - b[1], a[1] - b[0]))

    return run


def times(first: NumberOf, second: NumberOf) -> NumberOf:
    """Return the product of both."""

    def run(slots: Slots) -> Span | None:
        a, b = first(slots), second(slots)
        if a is None or b is None:
            return None
        if a[0] >= 0.0 and b[0] >= 0.0:
            return _finite((a[0] * b[0], a[1] * b[1]))
        corners = (a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])
        return _finite((min(corners), max(corners)))

    return run


def divided(first: NumberOf, second: NumberOf) -> NumberOf:
    """Return *first* by *second*; unknown where the divisor may be zero."""

    def run(slots: Slots) -> Span | None:
        a, b = first(slots), second(slots)
        if a is None or b is None or b[0] <= 0.0 <= b[1]:
            return None
        if a[0] >= 0.0 and b[0] > 0.0:
            return _finite((a[0] / b[1], a[1] / b[0]))
        corners = (a[0] / b[0], a[0] / b[1], a[1] / b[0], a[1] / b[1])
        return _finite((min(corners), max(corners)))

    return run


def below(first: NumberOf, second: NumberOf, *, equal: bool) -> StatementOf:
    """Return whether *first* is below *second*, or (*equal*) not above it."""

    def strictly(slots: Slots) -> bool | None:
        a, b = first(slots), second(slots)
        if a is None or b is None:
            return None
        return True if a[1] < b[0] else False if a[0] >= b[1] else None

    def at_most(slots: Slots) -> bool | None:
        a, b = first(slots), second(slots)
        if a is None or b is None:
            return None
        return True if a[1] <= b[0] else False if a[0] > b[1] else None

    return at_most if equal else strictly


def same_number(first: NumberOf, second: NumberOf, *, contrary: bool) -> StatementOf:
    """Return whether both are one number; *contrary*: whether they aren't."""

    def run(slots: Slots) -> bool | None:
        a, b = first(slots), second(slots)
        if a is None or b is None:
            return None
        if a[1] < b[0] or b[1] < a[0]:
            return contrary
        return not contrary if a[0] == a[1] == b[0] == b[1] else None

    return run


def same(
    first: Callable[[Slots], Any], second: Callable[[Slots], Any], *, contrary: bool
) -> StatementOf:
    """Return whether both are the same word, or the same of true and false."""

    def run(slots: Slots) -> bool | None:
        a, b = first(slots), second(slots)
        return None if a is None or b is None else (a == b) is not contrary

    return run


def contrary(flag: StatementOf) -> StatementOf:
    """Return the contrary of a signal that says true or false."""

    def run(slots: Slots) -> bool | None:
        said = flag(slots)
        return None if said is None else not said

    return run


def joined(parts: tuple[StatementOf, ...], *, decides: bool) -> StatementOf:
    """Return ``and`` of *parts* (one False *decides*) or ``or`` of them (one True does)."""

    def run(slots: Slots) -> bool | None:
        result: bool | None = not decides
        for part in parts:
            said = part(slots)
            if said is decides:
                return decides
            if said is None:
                result = None
        return result

    return run


def _finite(span: Span) -> Span | None:
    return span if -_MOST <= span[0] <= span[1] <= _MOST else None
