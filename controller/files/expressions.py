"""Linear expressions of campaign files, parsed into typed values: nothing is ever evaluated.

    comparison := sum (("==" | "=" | "<=" | ">=" | "<" | ">") sum)+
    sum        := ["+" | "-"] product (("+" | "-") product)*
    product    := factor (("*" | "/") factor)*
    factor     := number | name | "`any name`" | "(" sum ")" | ("+" | "-") factor

A product may hold one name, and nothing is divided by a name: what comes out is a weighted sum
of names against a bound. ``0.1 <= x <= 0.5`` gives two.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from agents.constraints import LinearConstraint
from controller.errors import ExpressionError

Relation = Literal["==", "<=", ">="]

LONGEST = 1000
_DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`|(?P<sign>==|<=|>=|[-+*/()<>=]))"
)


@dataclass(frozen=True, slots=True)
class Linear:
    """A weighted sum of names, and a constant."""

    weights: Mapping[str, float] = field(default_factory=dict)
    constant: float = 0.0

    def plus(self, other: "Linear", factor: float) -> "Linear":
        """Return this sum and *factor* times *other*."""
        weights = dict(self.weights)
        for name, weight in other.weights.items():
            weights[name] = weights.get(name, 0.0) + factor * weight
        return Linear(weights, self.constant + factor * other.constant)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``sum of weights relation bound``; *strict* where the bound itself doesn't count."""

    weights: Mapping[str, float]
    relation: Relation
    bound: float
    strict: bool
    text: str

    def constraint(
        self, tolerance: float = 0.0, constants: Mapping[str, float] | None = None
    ) -> LinearConstraint:
        """Return it as a constraint on parameters; names in *constants* are put in as numbers.

        A strict relation takes the next number beyond the bound. Raises ExpressionError where
        no parameter is left, SpaceError where the numbers make no constraint.
        """
        known = constants or {}
        weights = {n: w for n, w in self.weights.items() if n not in known and w != 0.0}
        if not weights:
            raise ExpressionError(f"{self.text!r}: names no parameter of the space")
        fixed = math.fsum(w * known[n] for n, w in self.weights.items() if n in known)
        bound = self.bound - fixed
        if self.strict:
            bound = math.nextafter(bound, math.inf if self.relation == ">=" else -math.inf)
        return LinearConstraint(weights, self.relation, bound, tolerance, self.text)


def parse(text: str) -> tuple[Comparison, ...]:
    """Return the comparisons in *text*; ExpressionError says where it can't be read."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {LONGEST}")
    parser = _Parser(text, _tokens(text))
    found = parser.comparisons()
    for comparison in found:
        numbers = [comparison.bound, *comparison.weights.values()]
        if not all(math.isfinite(number) for number in numbers):
            raise ExpressionError(f"{text!r}: has a number too large to compute with")
        if not any(comparison.weights.values()):
            raise ExpressionError(f"{text!r}: names no parameter, or one that cancels out")
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    tokens, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            start = len(text) - len(text[place:].lstrip())
            raise ExpressionError(f"{text!r}: can't be read from {text[start : start + 10]!r} on")
        kind = cast("str", match.lastgroup)
        found = match[kind]
        tokens.append(_Token("name" if kind == "quoted" else kind, found, match.start(kind)))
        place = match.end()
    return tokens


class _Parser:
    """Recursive descent, one method per line of the grammar."""

    def __init__(self, text: str, tokens: list[_Token]):
        self._text = text
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def comparisons(self) -> tuple[Comparison, ...]:
        left = self._sum()
        found = []
        while (sign := self._take("==", "=", "<=", ">=", "<", ">")) is not None:
            right = self._sum()
            difference = left.plus(right, -1.0)
            relation = cast("Relation", {"=": "==", "<": "<=", ">": ">="}.get(sign, sign))
            strict = sign in ("<", ">")
            bound = 0.0 - difference.constant
            found.append(Comparison(difference.weights, relation, bound, strict, self._text))
            left = right
        if self._next < len(self._tokens):
            raise self._error("an operator")
        if not found:
            raise self._error("a comparison: ==, <=, >=, < or >")
        return tuple(found)

    def _sum(self) -> Linear:
        total = self._product()
        while (sign := self._take("+", "-")) is not None:
            total = total.plus(self._product(), 1.0 if sign == "+" else -1.0)
        return total

    def _product(self) -> Linear:
        product = self._factor()
        while (sign := self._take("*", "/")) is not None:
            other = self._factor()
            if sign == "/":
                product = self._divided(product, other)
            elif other.weights and product.weights:
                raise ExpressionError(f"{self._text!r}: multiplies two names; it must be linear")
            else:
                number, rest = (product, other) if other.weights else (other, product)
                product = Linear().plus(rest, number.constant)
        return product

    def _divided(self, product: Linear, divisor: Linear) -> Linear:
        if divisor.weights:
            raise ExpressionError(f"{self._text!r}: divides by a name; it must be linear")
        if divisor.constant == 0 or not math.isfinite(1.0 / divisor.constant):
            raise ExpressionError(f"{self._text!r}: divides by zero")
        weights = {name: weight / divisor.constant for name, weight in product.weights.items()}
        return Linear(weights, product.constant / divisor.constant)

    def _factor(self) -> Linear:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(f"{self._text[:40]!r}…: nested more than {_DEEPEST} deep")
        try:
            return self._atom()
        finally:
            self._depth -= 1

    def _atom(self) -> Linear:
        sign = self._take("+", "-")
        if sign is not None:
            return Linear().plus(self._factor(), 1.0 if sign == "+" else -1.0)
        if self._take("(") is not None:
            inside = self._sum()
            if self._take(")") is None:
                raise self._error("a closing bracket")
            return inside
        token = self._tokens[self._next] if self._next < len(self._tokens) else None
        if token is None or token.kind == "sign":
            raise self._error("a number or a name")
        self._next += 1
        if token.kind == "number":
            return Linear(constant=float(token.text))
        return Linear({token.text: 1.0})

    def _take(self, *signs: str) -> str | None:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            if token.kind == "sign" and token.text in signs:
                self._next += 1
                return token.text
        return None

    def _error(self, wanted: str) -> ExpressionError:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            where = f"at {token.text!r} (character {token.place + 1})"
        else:
            where = "at its end"
        return ExpressionError(f"{self._text!r}: {where}, {wanted} is needed")
