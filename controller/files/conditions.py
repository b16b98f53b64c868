"""Under what conditions measuring makes sense: one comparison of one signal each."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from controller.errors import ExpressionError
from controller.files.plan_calls import PlanCall
from controller.files.units import convert

_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_SIGNAL = r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*"
_TEXT = re.compile(
    rf"\s*(?P<signal>{_SIGNAL})\s*(?:(?P<relation><=|>=|==|<|>)\s*(?P<bound>.*\S))?\s*"
)
_NUMBER = re.compile(
    r"(?P<value>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\s\d+\-.][^\s]*)?"
)
_WORDS = {"true": True, "false": False}
_ACCEPTED = (
    "`signal > 50 mA` with <, <=, >, >= or ==, `signal == Open`, or the name of a signal that "
    "is true or false"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of one signal, as the bench calls it (``ring.current``)."""

    signal: str
    relation: str
    bound: float | str | bool
    text: str
    """As it stands in the file."""
    unit: str = ""
    """The unit of a number; empty: the signal's own."""

    def holds(self, value: object) -> bool:
        """Whether *value*, in the unit of the bound, keeps the condition.

        No value, NaN, and a value of another kind than the bound (a text for a number, a number
        for true and false) never do.
        """
        plain = value.item() if getattr(value, "size", 0) == 1 and hasattr(value, "item") else value
        if isinstance(self.bound, bool):
            return isinstance(plain, bool) and plain is self.bound
        if isinstance(self.bound, str):
            return isinstance(plain, str) and str.__eq__(plain, self.bound)
        if isinstance(plain, bool) or not isinstance(plain, Real):
            return False
        return _RELATIONS[self.relation](plain, self.bound)  # no comparison with NaN holds

    def given_in(self, unit: str) -> "Condition":
        """Return it for values in *unit* (as the signal says it); UnitError where none fits.

        A bound without a unit is in the signal's own already; so is one of a signal without.
        """
        if not self.unit or not unit or isinstance(self.bound, (bool, str)):
            return self
        return replace(self, bound=convert(self.bound, self.unit, unit), unit=unit)


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that must hold while measuring, and for how long (s) before it goes on after a break."""

    all: tuple[Condition, ...]
    for_s: float = 0.0
    settle: PlanCall | None = None
    """Runs once they hold again, before the experiment is repeated."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that they look at, none twice."""
        return tuple(dict.fromkeys(condition.signal for condition in self.all))


def condition_of(text: str) -> Condition:
    """Return the condition that *text* writes down; ExpressionError says what is accepted."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ExpressionError(f"{text!r} is no condition; accepted: {_ACCEPTED}")
    signal, relation, bound = match["signal"], match["relation"], match["bound"]
    if relation is None:
        return Condition(signal, "==", True, text.strip())
    number = _NUMBER.fullmatch(bound)
    if number is not None:
        value, unit = float(number["value"]), number["unit"] or ""
        return Condition(signal, relation, value, text.strip(), unit)
    if relation != "==":
        raise ExpressionError(f"{text!r}: {bound!r} is no number; accepted: {_ACCEPTED}")
    word = bound[1:-1] if bound[:1] == bound[-1:] and bound[:1] in "'\"" else bound
    return Condition(signal, "==", _WORDS.get(word.lower(), word), text.strip())
