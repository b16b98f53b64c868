"""The statements of an expression: what compares numbers, words, true and false; and, or, not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.safety.language.amounts import Amount, Amounts, says
from controller.safety.language.evaluation import (
    MarginOf,
    Slots,
    StatementOf,
    below,
    contrary,
    joined,
    same,
    same_number,
    slot,
)
from controller.safety.language.margins import difference, gap, joined_margin, rise, sameness
from controller.safety.language.scales import Scale
from controller.safety.language.tokens import near
from controller.safety.language.tree import All, Comparison, Flag, Name, Node, Not, Some, Word
from controller.safety.language.values import Term

_CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_STATEMENTS = (All, Some, Not, Comparison)


@dataclass(frozen=True, slots=True)
class Statement:
    """What says whether it is so, and how far from not being so."""

    run: StatementOf
    margin: MarginOf


class Statements:
    """Binds the statements of one text; *negated* asks for the contrary."""

    def __init__(self, amounts: Amounts):
        self._amounts = amounts

    def is_statement(self, node: Node) -> bool:
        """Return whether *node* is so or not so, and no number."""
        if isinstance(node, Name):
            return self._amounts.term(node).unit is None
        return isinstance(node, (*_STATEMENTS, Flag, Word))

    def statement(self, node: Node, *, negated: bool = False) -> Statement:
        """Return *node*, or its contrary; ExpressionError where it isn't a statement."""
        match node:
            case Not():
                return self.statement(node.of, negated=not negated)
            case All():
                return self._joined(node.parts, negated, every=not negated)
            case Some():
                return self._joined(node.parts, negated, every=negated)
            case Comparison():
                return self._comparison(node, negated)
            case Name():
                return self._flag(node, negated)
            case Flag():
                raise self._amounts.wrong(node.place, "always so, or never: compare a signal to it")
        message = "a statement is needed here: a comparison, or a signal that is true or false"
        raise self._amounts.wrong(node.place, message)

    def _joined(self, parts: tuple[Node, ...], negated: bool, *, every: bool) -> Statement:
        return _all([self.statement(part, negated=negated) for part in parts], every=every)

    def _flag(self, node: Name, negated: bool) -> Statement:
        term = self._amounts.term(node)
        if term.unit is not None or term.words:
            message = f"says {says(term)}: compare it with a number or a word"
            raise self._amounts.wrong(node.place, message)
        run: StatementOf = slot(self._amounts.slot(node))
        run = contrary(run) if negated else run
        return Statement(run, run)

    def _comparison(self, node: Comparison, negated: bool) -> Statement:
        parts = zip(node.parts, node.signs, node.parts[1:], strict=False)
        pairs = [
            self._pair(first, _CONTRARY[sign] if negated else sign, second)
            for first, sign, second in parts
        ]
        return _all(pairs, every=not negated)

    def _pair(self, first: Node, sign: str, second: Node) -> Statement:
        for side in (first, second):
            if isinstance(side, _STATEMENTS):
                message = "a statement can't be compared; join statements by and, or, not"
                raise self._amounts.wrong(side.place, message)
        term = self._said_by(first) or self._said_by(second)
        if term is not None:
            return self._said(first, sign, second, term)
        return self._numbers(self._amounts.number(first), sign, self._amounts.number(second))

    def _said_by(self, node: Node) -> Term | None:
        """Return the term of a signal that says words, or true and false."""
        term = self._amounts.terms.get(node.name) if isinstance(node, Name) else None
        return term if term is not None and term.unit is None else None

    def _said(self, first: Node, sign: str, second: Node, term: Term) -> Statement:
        if sign not in ("==", "!="):
            message = f"compares {says(term)}: only == and != can"
            raise self._amounts.wrong(first.place, message)
        sides = [self._side(node, term) for node in (first, second)]
        run = same(sides[0], sides[1], contrary=sign == "!=")
        return Statement(run, run)

    def _side(self, node: Node, term: Term) -> Callable[[Slots], Any]:
        """Return what gives one side of a comparison with a signal of *term*."""
        own = self._said_by(node)
        if own is not None and isinstance(node, Name):
            if bool(own.words) != bool(term.words):
                raise self._amounts.wrong(node.place, f"says {says(own)}, not {says(term)}")
            return slot(self._amounts.slot(node))
        if isinstance(node, Flag) and not term.words:
            value = node.value
            return lambda _slots: value
        word = node.name if isinstance(node, Name) else getattr(node, "word", "")
        if word in self._amounts.terms or word not in term.words:
            hint = near(word, term.words) if word and term.words else f"needed: {says(term)}"
            raise self._amounts.wrong(node.place, f"the other side says {says(term)}; {hint}")
        return lambda _slots: word

    def _numbers(self, first: Amount, sign: str, second: Amount) -> Statement:
        if first.constant is not None and second.constant is not None:
            raise self._amounts.wrong(first.place, "compares numbers alone; name a signal")
        with self._amounts.fitting(second.place):
            scale = _common(first, second)
            a, b = first.given_in(scale), second.given_in(scale)
        unit = scale.text
        if sign in ("==", "!="):
            distance = sameness if sign == "==" else difference
            return Statement(same_number(a, b, contrary=sign == "!="), gap(a, b, unit, distance))
        if sign in (">", ">="):
            a, b = b, a
        return Statement(below(a, b, equal=sign in ("<=", ">=")), gap(a, b, unit, rise))


def _all(parts: list[Statement], *, every: bool) -> Statement:
    if len(parts) == 1:
        return parts[0]
    run = joined(tuple(part.run for part in parts), decides=not every)
    return Statement(run, joined_margin(tuple(part.margin for part in parts), least=every))


def _common(first: Amount, second: Amount) -> Scale:
    """Return the unit in which both are compared: that of a signal rather than of a number."""
    if first.scale is None or (first.constant is not None and second.scale is not None):
        return second.scale or Scale()
    return first.scale
