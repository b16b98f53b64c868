"""What is known of a signal when a rule is judged, and what can then be said of the rule."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Interval:
    """All values that a number may have now: commanded, in flight, read, and all between."""

    low: float
    high: float


Value = Interval | str | bool
"""A number's possible values, a word (an enumeration's member), true or false."""

Known = Callable[[str], Value | None]
"""Returns what is known of the signal or quantity of a name; None when nothing is: not connected,
not a number, or not confirmed for longer than it may be."""


class Truth(Enum):
    """Three-valued: what isn't surely so, and not surely not so, is unknown."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Term:
    """What an expression may name: a number in *unit*, one of *words*, or true and false.

    *unit* empty is a number without a dimension; None says that it isn't a number.
    """

    unit: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Margin:
    """How far a statement is from not being so, in *unit*, at the worst; negative where it isn't.

    *share* is the same, as a share of the numbers compared: by it, the deciding one is found.
    """

    value: float
    unit: str
    share: float
