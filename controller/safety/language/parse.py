"""Reading the text of an expression into its tree, by recursive descent: nothing is evaluated.

    statement  := either
    either     := both ("or" both)*
    both       := contrary ("and" contrary)*
    contrary   := "not" contrary | comparison
    comparison := sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*
    sum        := product (("+" | "-") product)*
    product    := factor (("*" | "/") factor)*
    factor     := ("+" | "-") factor | atom
    atom       := number [unit] | name | "word" | "true" | "false" | "(" statement ")"

A chain goes one way: ``0 < x <= 5``.
"""

from collections.abc import Collection

from controller.safety.language.tokens import Token, mistake, tokens
from controller.safety.language.tree import (
    All,
    Comparison,
    Flag,
    Name,
    Node,
    Not,
    Number,
    Product,
    Signed,
    Some,
    Sum,
    Word,
)

DEEPEST = 50
"""Brackets, ``not`` and signs inside one another."""

_RISING = frozenset({"<", "<="})
_FALLING = frozenset({">", ">="})
_SAME = frozenset({"=="})


def parse(text: str, names: Collection[str] = ()) -> Node:
    """Return the tree of *text*, which may name *names*.

    Raises ExpressionError, which says where it can't be read and what is needed there.
    """
    parser = _Parser(text, tokens(text, names))
    return parser.whole()


class _Parser:
    """One method per line of the grammar."""

    def __init__(self, text: str, found: list[Token]):
        self._text = text
        self._tokens = found
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        if not self._tokens:
            raise mistake(self._text, 0, "there is nothing; a number, a name or ( is needed")
        node = self._either()
        if self._next < len(self._tokens):
            raise self._wrong("an operator, and, or, or the end is needed")
        return node

    def _either(self) -> Node:
        place = self._place()
        parts = [self._both()]
        while self._take("keyword", "or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Some(place, tuple(parts))

    def _both(self) -> Node:
        place = self._place()
        parts = [self._contrary()]
        while self._take("keyword", "and"):
            parts.append(self._contrary())
        return parts[0] if len(parts) == 1 else All(place, tuple(parts))

    def _contrary(self) -> Node:
        place = self._place()
        if not self._take("keyword", "not"):
            return self._comparison()
        self._deeper()
        node = Not(place, self._contrary())
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        place = self._place()
        parts, signs = [self._sum()], list[str]()
        while (sign := self._take("sign", "<", "<=", ">", ">=", "==", "!=", "=")) is not None:
            if sign.text == "=":
                raise mistake(self._text, sign.place, "write == for equal")
            if signs and not any({*signs, sign.text} <= way for way in (_RISING, _FALLING, _SAME)):
                raise mistake(self._text, sign.place, "a chain goes one way: 0 < x <= 5")
            signs.append(sign.text)
            parts.append(self._sum())
        return parts[0] if not signs else Comparison(place, tuple(parts), tuple(signs))

    def _sum(self) -> Node:
        place = self._place()
        parts = [(1, self._product())]
        while (sign := self._take("sign", "+", "-")) is not None:
            parts.append((1 if sign.text == "+" else -1, self._product()))
        return parts[0][1] if len(parts) == 1 else Sum(place, tuple(parts))

    def _product(self) -> Node:
        place = self._place()
        parts = [(1, self._factor())]
        while (sign := self._take("sign", "*", "/")) is not None:
            parts.append((1 if sign.text == "*" else -1, self._factor()))
        return parts[0][1] if len(parts) == 1 else Product(place, tuple(parts))

    def _factor(self) -> Node:
        place = self._place()
        sign = self._take("sign", "+", "-")
        if sign is None:
            return self._atom()
        self._deeper()
        inside = self._factor()
        self._depth -= 1
        return Signed(place, 1 if sign.text == "+" else -1, inside)

    def _atom(self) -> Node:
        if bracket := self._take("sign", "("):
            self._deeper()
            inside = self._either()
            if not self._take("sign", ")"):
                raise self._wrong(f"the bracket of character {bracket.place + 1} isn't closed")
            self._depth -= 1
            return inside
        if token := self._take("number"):
            return self._number(token)
        if token := self._take("name"):
            return Name(token.place, token.text)
        if token := self._take("word"):
            return Word(token.place, token.text)
        if token := self._take("keyword", "true", "false"):
            return Flag(token.place, token.text == "true")
        raise self._wrong("a number, a name, a word or ( is needed")

    def _number(self, token: Token) -> Number:
        value = float(token.text)
        if not -1e300 < value < 1e300:
            raise mistake(self._text, token.place, "a number too large to compute with")
        return Number(token.place, value, token.unit)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"nested more than {DEEPEST} deep")

    def _take(self, kind: str, *texts: str) -> Token | None:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            if token.kind == kind and (not texts or token.text in texts):
                self._next += 1
                return token
        return None

    def _place(self) -> int:
        if self._next < len(self._tokens):
            return self._tokens[self._next].place
        return len(self._text)

    def _wrong(self, message: str) -> Exception:
        return mistake(self._text, self._place(), message)
