"""What an expression of a rule is made of, as it was written: nothing is known yet of its names.

Every part knows at which character of the text it begins (counted from 0).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands there; *unit* None where none was written."""

    place: int
    value: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A signal, a quantity, or (beside a signal that says words) a word without quotes."""

    place: int
    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word in quotes."""

    place: int
    word: str


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``."""

    place: int
    value: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """A number with a sign (1 or -1) before it."""

    place: int
    sign: int
    of: "Node"


@dataclass(frozen=True, slots=True)
class Sum:
    """Parts each added or (sign -1) taken away."""

    place: int
    parts: tuple[tuple[int, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Parts each multiplied or (power -1) divided by, from left to right."""

    place: int
    parts: tuple[tuple[int, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Parts compared with their neighbours: ``signs`` has one less than ``parts``."""

    place: int
    parts: tuple["Node", ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary of a statement."""

    place: int
    of: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """Statements joined by ``and``."""

    place: int
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Statements joined by ``or``."""

    place: int
    parts: tuple["Node", ...]


Node = Number | Name | Word | Flag | Signed | Sum | Product | Comparison | Not | All | Some
