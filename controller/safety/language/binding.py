"""An expression with its names declared and its units checked, ready to be judged.

``bind`` reads the text, looks each name up, checks that what is compared or added fits, and works
out all factors; what is left for the moment of judging are closures over floats. ``not`` is carried
inwards: the contrary of ``a < b`` is ``a >= b``, which three-valued logic doesn't mind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.safety.language.amounts import Amounts
from controller.safety.language.evaluation import (
    MarginOf,
    NumberOf,
    Reader,
    StatementOf,
)
from controller.safety.language.expression import Expression
from controller.safety.language.parse import parse
from controller.safety.language.scales import Scale
from controller.safety.language.statements import Statements
from controller.safety.language.values import Interval, Known, Margin, Term, Truth

_TRUTHS = {True: Truth.TRUE, False: Truth.FALSE, None: Truth.UNKNOWN}


def bind(text: str, terms: Mapping[str, Term]) -> Expression:
    """Return *text* as an expression over the signals and quantities of *terms*.

    Raises ExpressionError: says at which character, what is accepted there, and for a name that
    isn't known which are near it.
    """
    tree = parse(text, terms.keys())
    amounts = Amounts(text, terms)
    statements = Statements(amounts)
    if statements.is_statement(tree):
        found = statements.statement(tree)
        return _Bound(text, None, amounts.readers(), tuple(amounts.slots), found.run, found.margin)
    amount = amounts.number(tree)
    unit = (amount.scale or Scale()).text
    return _Bound(text, unit, amounts.readers(), tuple(amounts.slots), number=amount.run)


@dataclass(frozen=True, slots=True)
class _Bound:
    """An expression that was bound; either a number or a statement."""

    text: str
    unit: str | None
    _readers: tuple[Reader, ...] = field(repr=False)
    _slots: tuple[str, ...] = field(repr=False)
    _statement: StatementOf | None = field(default=None, repr=False)
    _margin: MarginOf | None = field(default=None, repr=False)
    number: NumberOf | None = field(default=None, repr=False)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._slots)

    def truth(self, known: Known) -> Truth:
        if self._statement is None:
            return Truth.UNKNOWN
        return _TRUTHS[self._statement(self._read(known))]

    def interval(self, known: Known) -> Interval | None:
        span = None if self.number is None else self.number(self._read(known))
        return None if span is None else Interval(*span)

    def measured(self, known: Known) -> Margin | None:
        found = None if self._margin is None else self._margin(self._read(known))
        return found if isinstance(found, Margin) else None

    def margin(self, known: Known) -> float | None:
        found = self.measured(known)
        return None if found is None else found.value

    def _read(self, known: Known) -> list[object]:
        return [read(known(name)) for read, name in zip(self._readers, self._slots, strict=True)]
