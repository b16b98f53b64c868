"""How far a statement is from not being so: worked out for people, not for judging."""

from collections.abc import Callable

from controller.safety.language.evaluation import (
    MarginOf,
    NumberOf,
    Slots,
    Span,
    StatementOf,
)
from controller.safety.language.values import Margin


def gap(
    first: NumberOf, second: NumberOf, unit: str, distance: Callable[[Span, Span], float]
) -> MarginOf:
    """Return the margin of a comparison whose worst *distance* is given by both intervals."""

    def run(slots: Slots) -> Margin | None:
        a, b = first(slots), second(slots)
        if a is None or b is None:
            return None
        value = distance(a, b)
        scale = max(abs(a[0]), abs(a[1]), abs(b[0]), abs(b[1]))
        if not abs(value) <= 1.7976931348623157e308:
            return None
        return Margin(value, unit, value / scale if scale > 0 else 0.0)

    return run


def rise(a: Span, b: Span) -> float:
    """Return how far *a* is below *b*, at the worst."""
    return b[0] - a[1]


def sameness(a: Span, b: Span) -> float:
    """Return 0 for one number, else the negative of how far they may be apart."""
    return -max(b[1] - a[0], a[1] - b[0]) or 0.0


def difference(a: Span, b: Span) -> float:
    """Return how far they are apart at least; negative for how far they overlap."""
    return max(b[0] - a[1], a[0] - b[1])


def said(statement: StatementOf) -> MarginOf:
    """Return the margin of a statement that isn't of numbers: so, or not."""
    return statement


def joined_margin(parts: tuple[MarginOf, ...], *, least: bool) -> MarginOf:
    """Return the margin that decides: the *least* of ``and``, the greatest of ``or``.

    One that isn't known decides unless another one does already by its sign.
    """
    choose = min if least else max

    def run(slots: Slots) -> Margin | bool | None:
        found = [part(slots) for part in parts]
        known = [margin for margin in found if margin is not None]
        best = choose(known, key=_rank) if known else None
        decided = best is not None and (_rank(best) < 0) == least and _rank(best) != 0
        return best if len(known) == len(found) or decided else None

    return run


def _rank(margin: Margin | bool) -> float:
    if isinstance(margin, Margin):
        return margin.share
    return float("inf") if margin else float("-inf")
