"""The numbers of an expression: their units, and the closures that give them.

A number written without a unit takes the unit of the other side; in products it is a factor.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from controller.errors import ExpressionError, UnitError
from controller.safety.language.evaluation import (
    NumberOf,
    Reader,
    added,
    constant,
    divided,
    read_flag,
    read_number,
    scaled,
    slot,
    taken_away,
    times,
    word_reader,
)
from controller.safety.language.scales import (
    Kind,
    Scale,
    conversion,
    converted,
    factor_between,
    known_unit,
    product,
    scale_of,
)
from controller.safety.language.tokens import KEYWORDS, mistake, near
from controller.safety.language.tree import Name, Node, Number, Product, Signed, Sum
from controller.safety.language.values import Term


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of the expression; *scale* None where no unit was written."""

    place: int
    scale: Scale | None
    run: NumberOf
    constant: float | None = None

    def given_in(self, scale: Scale) -> NumberOf:
        """Return it in *scale*; UnitError where it doesn't fit."""
        if self.scale is None:
            return self.run
        if self.constant is not None:
            return constant(converted(self.constant, self.scale, scale))
        return scaled(self.run, *conversion(self.scale, scale))


class Amounts:
    """Binds the numbers of one text; gives each name that is met a slot."""

    def __init__(self, text: str, terms: Mapping[str, Term]):
        self.text = text
        self.terms = terms
        self.slots: dict[str, int] = {}
        self._units = frozenset(t.unit.strip() for t in terms.values() if t.unit is not None)

    def wrong(self, place: int, message: str) -> ExpressionError:
        """Return the error that tells of something wrong at *place*."""
        return mistake(self.text, place, message)

    @contextmanager
    def fitting(self, place: int) -> Iterator[None]:
        """Say where it stands when units don't fit."""
        try:
            yield
        except UnitError as error:
            raise self.wrong(place, str(error)) from error

    def term(self, name: Name) -> Term:
        """Return what is declared under *name*."""
        found = self.terms.get(name.name)
        if found is None:
            known = [*self.terms, *KEYWORDS]
            raise self.wrong(name.place, f"no such signal or quantity; {near(name.name, known)}")
        return found

    def slot(self, name: Name) -> int:
        """Return the slot of *name*."""
        return self.slots.setdefault(name.name, len(self.slots))

    def readers(self) -> tuple[Reader, ...]:
        """Return for each slot what reads it."""
        return tuple(_reader(self.terms[name]) for name in self.slots)

    def number(self, node: Node) -> Amount:
        """Return the number that *node* is; ExpressionError where it isn't one."""
        match node:
            case Number():
                return self._literal(node)
            case Name():
                return self._named(node)
            case Signed():
                return self._negative(node) if node.sign < 0 else self.number(node.of)
            case Sum():
                return self._folded(self._sum(node))
            case Product():
                return self._folded(self._product(node))
        raise self.wrong(node.place, "a number is needed here; this says words, or true or false")

    def _literal(self, node: Number) -> Amount:
        if node.unit is None:
            return Amount(node.place, None, constant(node.value), node.value)
        if not known_unit(node.unit, self._units):
            raise self.wrong(
                node.place,
                f"unit {node.unit!r} isn't known; write one as in the declarations of the signals, "
                f"or such as mL/min, degC, K/min, % ({near(node.unit, self._units)})",
            )
        return Amount(node.place, scale_of(node.unit), constant(node.value), node.value)

    def _named(self, node: Name) -> Amount:
        term = self.term(node)
        if term.unit is None:
            raise self.wrong(node.place, f"isn't a number: it says {says(term)}")
        return Amount(node.place, scale_of(term.unit), slot(self.slot(node)))

    def _negative(self, node: Signed) -> Amount:
        of = self.number(node.of)
        if of.constant is not None:
            return Amount(node.place, of.scale, constant(-of.constant), -of.constant)
        if of.scale is None or of.scale.kind is Kind.POINT:
            raise self.wrong(node.place, "a temperature has no negative; compare it as it is")
        return Amount(node.place, of.scale.computed(), scaled(of.run, -1.0, 0.0))

    def _sum(self, node: Sum) -> Amount:
        parts = [(sign, self.number(part)) for sign, part in node.parts]
        target = _target([amount for _, amount in parts])
        count = sum(sign for sign, amount in parts if _is_point(amount))
        if count not in (0, 1):
            raise self.wrong(
                node.place,
                "temperatures that count from another zero (degC) can't be added or negated; "
                "take their difference, or compare them",
            )
        run: NumberOf | None = None
        for sign, amount in parts:
            with self.fitting(amount.place):
                number = self._summand(sign, amount, target, count)
            if run is None:
                run = number if sign > 0 else scaled(number, -1.0, 0.0)
            else:
                run = added(run, number) if sign > 0 else taken_away(run, number)
        if run is None:
            raise self.wrong(node.place, "an empty sum")
        still = all(amount.constant is not None for _, amount in parts)
        scale = target if target is None or count == 1 else target.computed()
        return Amount(node.place, scale, run, 0.0 if still else None)

    def _summand(self, sign: int, amount: Amount, target: Scale | None, count: int) -> NumberOf:
        if amount.scale is None or target is None:
            return amount.run
        if target.kind is not Kind.POINT or _is_point(amount):
            return amount.given_in(target)
        if sign < 0 and count == 1 and amount.scale.kind is Kind.PLAIN:
            raise UnitError(
                f"not clear if it is a temperature or a difference: less a number without a unit, "
                f"or two signals in {target.text}"
            )
        return scaled(amount.run, factor_between(amount.scale, target), 0.0)

    def _product(self, node: Product) -> Amount:
        result = self.number(node.parts[0][1])
        for power, part in node.parts[1:]:
            result = self._times(result, self.number(part), power)
        return Amount(node.place, result.scale, result.run, result.constant)

    def _times(self, first: Amount, second: Amount, power: int) -> Amount:
        if power < 0 and second.constant == 0.0:
            raise self.wrong(second.place, "divides by zero")
        factor, scale = 1.0, None
        with self.fitting(second.place):
            if first.scale is not None or second.scale is not None:
                scale, factor = product(first.scale or Scale(), second.scale or Scale(), power)
        if second.scale is None and first.scale is not None:
            scale, factor = first.scale.computed(), 1.0
        elif first.scale is None and second.scale is not None and power > 0:
            scale, factor = second.scale.computed(), 1.0
        join = times if power > 0 else divided
        still = first.constant is not None and second.constant is not None
        run = scaled(join(first.run, second.run), factor, 0.0)
        return Amount(second.place, scale, run, 0.0 if still else None)

    def _folded(self, amount: Amount) -> Amount:
        """Return *amount*, worked out where it is made of numbers of the text alone."""
        if amount.constant is None:
            return amount
        span = amount.run(())
        if span is None:
            raise self.wrong(amount.place, "a number too large to compute with")
        return Amount(amount.place, amount.scale, constant(span[0]), span[0])


def says(term: Term) -> str:
    """Return what a signal of *term* says, in words."""
    if term.unit is not None:
        return f"a number in {term.unit}" if term.unit else "a number"
    return " or ".join(term.words) if term.words else "true or false"


def _target(amounts: list[Amount]) -> Scale | None:
    """Return the unit of a sum: a scale with a zero of its own first, else that of the first."""
    scales = [amount.scale for amount in amounts if amount.scale is not None]
    return next((s for s in scales if s.kind is Kind.POINT), scales[0] if scales else None)


def _is_point(amount: Amount) -> bool:
    return amount.scale is not None and amount.scale.kind is Kind.POINT


def _reader(term: Term) -> Reader:
    if term.unit is not None:
        return read_number
    return word_reader(frozenset(term.words)) if term.words else read_flag
