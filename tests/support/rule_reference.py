"""Another way to the same: what an expression of a rule is worth at one point, by Python's grammar.

Texts are read by ``ast.parse`` (never run), values are exact fractions in base units, with a table
of units of its own and a bound of what rounding in floats may do. ``Refused`` says that the text is
no expression of a rule, ``Undecided`` that this reference can't tell (a unit that it doesn't know).
"""

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from controller.safety.language.values import Term

EPSILON = Fraction(1, 2**49)
"""Eight times what one operation in floats may be off."""


ANYTHING = Fraction(10) ** 400
"""How much something may be off that was divided by zero."""


class Refused(Exception):
    """No expression of a rule."""


class Undecided(Exception):
    """Not known here."""


ATOMS: dict[str, tuple[str, Fraction]] = {
    "L": ("volume", Fraction(1)),
    "mL": ("volume", Fraction(1, 1000)),
    "min": ("time", Fraction(60)),
    "s": ("time", Fraction(1)),
    "h": ("time", Fraction(3600)),
    "K": ("temperature", Fraction(1)),
    "mA": ("current", Fraction(1, 1000)),
    "A": ("current", Fraction(1)),
    "%": ("", Fraction(1, 100)),
    "sccm": ("sccm", Fraction(1)),
    "1": ("", Fraction(1)),
}
_POWER = r"(?:(?:\^|\*\*)-?[1-9])?"
_ATOM = r"[A-Za-zµΩ%°_]\w*"
_UNIT = rf"(?:1/\s*)?{_ATOM}{_POWER}(?:\s*[*/·]\s*{_ATOM}(?![\w.]){_POWER})*"
_LITERAL = re.compile(
    rf"(?<![\w.])((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*"
    rf"(?!(?:and|or|not|true|false)(?![\w.]))({_UNIT})?(?![\w.])"
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_SIGNS = {"×": "*", "÷": "/", "−": "-", "≤": "<=", "≥": ">=", "≠": "!="}


@dataclass(frozen=True)
class Amount:
    """A number in base units, off by *off* at most; *units* are the simple ones, as given."""

    value: Fraction
    off: Fraction
    units: tuple[tuple[str, int], ...] | None
    kind: str = "plain"
    names: bool = False

    def given(self, unit: str) -> Fraction:
        """Return it in *unit*."""
        if self.units is None:
            return self.value
        zero = Fraction("273.15") if unit == "degC" else Fraction(0)
        return (self.value - zero) / _scale(_merged_spelling(unit))

    def off_in(self, unit: str) -> Fraction:
        """Return how much it may be off, in *unit*."""
        return self.off if self.units is None else self.off / _scale(_merged_spelling(unit))


Worth = bool | None
"""So, not so, or too near to tell."""


def worth(text: str, terms: Mapping[str, Term], point: Mapping[str, object]) -> Amount | Worth:
    """Return what *text* is at *point*; its numbers are in the units of *terms*."""
    return _Reference(terms, point).whole(text)


class _Reference:
    def __init__(self, terms: Mapping[str, Term], point: Mapping[str, object]):
        self._terms = terms
        self._point = point

    def whole(self, text: str) -> Amount | Worth:
        tree = _tree(text, self._terms)
        if self._said(tree) is not None and not isinstance(tree, ast.Constant):
            return self._statement(tree)
        if isinstance(tree, ast.Compare | ast.BoolOp) or _is_not(tree):
            return self._statement(tree)
        return self._number(tree)

    # -- statements -------------------------------------------------------------------------

    def _statement(self, node: ast.expr) -> Worth:
        if isinstance(node, ast.BoolOp):
            parts = [self._statement(part) for part in node.values]
            decides = isinstance(node.op, ast.Or)
            if any(part is decides for part in parts):
                return decides
            return None if None in parts else not decides
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            of = self._statement(node.operand)
            return None if of is None else not of
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        term = self._said(node)
        if term is None or term.words:
            raise Refused("no statement")
        return bool(self._point[_dotted(node)])

    def _comparison(self, node: ast.Compare) -> Worth:
        signs = [type(op) for op in node.ops]
        ways = ({ast.Lt, ast.LtE}, {ast.Gt, ast.GtE}, {ast.Eq})
        if len(signs) > 1 and not any(set(signs) <= way for way in ways):
            raise Refused("a chain of several ways")
        sides = [node.left, *node.comparators]
        found = [self._pair(a, op, b) for a, op, b in zip(sides, signs, sides[1:], strict=False)]
        return False if False in found else None if None in found else True

    def _pair(self, first: ast.expr, sign: type[ast.cmpop], second: ast.expr) -> Worth:
        if any(isinstance(n, ast.Compare | ast.BoolOp) or _is_not(n) for n in (first, second)):
            raise Refused("compares statements")
        term = self._said(first) or self._said(second)
        if term is not None:
            if sign not in (ast.Eq, ast.NotEq):
                raise Refused("words have no order")
            same = self._word(first, term) == self._word(second, term)
            return same is (sign is ast.Eq)
        return self._numbers(self._number(first), sign, self._number(second))

    def _numbers(self, a: Amount, sign: type[ast.cmpop], b: Amount) -> Worth:
        if not (a.names or b.names):
            raise Refused("names nothing")
        _comparable(a, b)
        if a.units is None or b.units is None:
            a, b = _as_other(a, b), _as_other(b, a)
        near = abs(a.value - b.value) <= a.off + b.off
        if near and (a.off + b.off or sign in (ast.Eq, ast.NotEq)):
            return None
        return {
            ast.Lt: a.value < b.value,
            ast.LtE: a.value <= b.value,
            ast.Gt: a.value > b.value,
            ast.GtE: a.value >= b.value,
            ast.Eq: False,
            ast.NotEq: True,
        }[sign]

    def _said(self, node: ast.expr) -> Term | None:
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        term = self._terms.get(_dotted(node))
        return term if term is not None and term.unit is None else None

    def _word(self, node: ast.expr, term: Term) -> object:
        own = self._said(node)
        if own is not None:
            if bool(own.words) is not bool(term.words):
                raise Refused("words against true and false")
            return self._point[_dotted(node)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            word = node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            word = _dotted(node)
            if not term.words and word in ("true", "false"):
                return word == "true"
        else:
            raise Refused("no word")
        if word in self._terms or word not in term.words:
            raise Refused("no such word")
        return word

    # -- numbers ----------------------------------------------------------------------------

    def _number(self, node: ast.expr) -> Amount:
        if isinstance(node, ast.Call):
            return _literal(node)
        if isinstance(node, ast.Name | ast.Attribute):
            term = self._terms.get(_dotted(node))
            if term is None or term.unit is None:
                raise Refused("no number of this name")
            return _amount(Fraction(self._point[_dotted(node)]), term.unit, names=True)  # type: ignore[arg-type]
        if isinstance(node, ast.UnaryOp):
            return self._signed(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            return self._sum(node)
        if isinstance(node, ast.BinOp):
            return self._product(node)
        raise Refused("no number")

    def _signed(self, node: ast.UnaryOp) -> Amount:
        if not isinstance(node.op, ast.UAdd | ast.USub):
            raise Refused("no such sign")
        of = self._number(node.operand)
        if isinstance(node.op, ast.UAdd):
            return of
        if of.kind == "point":
            if of.names:
                raise Refused("negative of a point")
            zero = Fraction("273.15")
            return replace(of, value=-(of.value - zero) + zero)
        return replace(of, value=-of.value, kind=of.kind if not of.names else "computed")

    def _sum(self, node: ast.BinOp) -> Amount:
        parts = [(sign, self._number(part)) for sign, part in _summands(node)]
        units = [p.units for _, p in parts if p.units is not None]
        points = sum(sign for sign, p in parts if p.kind == "point")
        names = any(p.names for _, p in parts)
        for _, part in parts:
            if part.units is not None and _dimension(part.units) != _dimension(units[0]):
                raise Refused("doesn't fit")
        if points not in (0, 1):
            raise Refused("points added")
        any_point = any(p.kind == "point" for _, p in parts)
        if points and any(s < 0 and p.kind == "plain" and p.units is not None for s, p in parts):
            raise Refused("not clear")
        target = (("K", 1),) if any_point else units[0] if units else None
        scale = _scale(target) if target is not None else Fraction(1)
        total, off = Fraction(0), Fraction(0)
        for sign, part in parts:
            value = part.value * scale if part.units is None else part.value
            total += sign * value
            off += part.off * (scale if part.units is None else 1) + EPSILON * (
                abs(value) + abs(total)
            )
        kind = "point" if points else "computed"
        return Amount(total, off, target, kind if target is not None else "plain", names)

    def _product(self, node: ast.BinOp) -> Amount:
        if not isinstance(node.op, ast.Mult | ast.Div):
            raise Refused("no such sign")
        a, b = self._number(node.left), self._number(node.right)
        if isinstance(node.op, ast.Div) and not b.names and b.value == 0:
            raise Refused("divides by zero")
        if "point" in (a.kind, b.kind):
            raise Refused("a point in a product")
        power = 1 if isinstance(node.op, ast.Mult) else -1
        value, off = _times(a, b) if power == 1 else _divided(a, b)
        if a.units is None and b.units is None:
            return Amount(value, off, None, "plain", a.names or b.names)
        if b.units is None or (a.units is None and power == 1):
            kept = b.units if b.units is not None else a.units
            return Amount(value, off, kept, "computed", a.names or b.names)
        units = _merged((*(a.units or ()), *((n, p * power) for n, p in b.units)))
        return Amount(value, off, units, "computed", a.names or b.names)


def _tree(text: str, terms: Mapping[str, Term]) -> ast.expr:
    if "#" in text or "\\" in text or "_lit" in text or ";" in text or len(text) > 2000:
        raise Refused("not Python's")
    pieces, last = [], 0
    for match in _QUOTED.finditer(text):
        pieces += [_rewritten(text[last : match.start()], terms), match[0]]
        last = match.end()
    pieces.append(_rewritten(text[last:], terms))
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            return ast.parse(f"({''.join(pieces)}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Refused(str(error)) from error


def _rewritten(text: str, terms: Mapping[str, Term]) -> str:
    if re.search(r"[\w)]\s+\.(?!\d)|\.\s+[A-Za-z_]", text):
        raise Refused("a dot stands between the parts of a name")
    text = re.sub(r"\s", " ", text)
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)

    def call(match: re.Match[str]) -> str:
        unit, rest = _cut(match[2] or "", terms)
        return f"_lit({match[1]!r}, {unit!r}){rest}" if unit else f"_lit({match[1]!r}){rest}"

    return _LITERAL.sub(call, text)


def _cut(unit: str, terms: Mapping[str, Term]) -> tuple[str, str]:
    """Return *unit* up to where a declared name or a word of the grammar begins, and the rest."""
    parts = re.split(r"(\s*[*/·](?!\*)\s*)", unit)
    for index in range(0, len(parts), 2):
        if parts[index] in terms or parts[index] in ("and", "or", "not", "true", "false"):
            cut = max(index - 1, 0)
            return "".join(parts[:cut]), " " + "".join(parts[cut:])
    return unit, ""


def _literal(node: ast.Call) -> Amount:
    if not (isinstance(node.func, ast.Name) and node.func.id == "_lit"):
        raise Refused("calls something")
    texts = [ast.literal_eval(argument) for argument in node.args]
    near = float(texts[0])
    if not abs(near) < 1e300:
        raise Refused("too large")
    value = Fraction(texts[0]) if abs(near) > 1e-300 else Fraction(near)
    if len(texts) == 1:
        return Amount(value, abs(value) * EPSILON, None)
    return _amount(value, texts[1])


def _amount(value: Fraction, unit: str, *, names: bool = False) -> Amount:
    if unit in ("degC", "°C"):
        kelvin = value + Fraction("273.15")
        off = EPSILON * (abs(kelvin) + abs(value) + 300)
        return Amount(kelvin, off, (("K", 1),), "point", names)
    units = _merged_spelling(unit)
    base = value * _scale(units)
    kind = "computed" if unit == "delta_degC" else "plain"
    return Amount(base, abs(base) * EPSILON, units, kind, names)


def _merged_spelling(unit: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    sign = 1
    for part in re.findall(r"[^\s*/·]+(?:\*\*-?\d)?|[*/·]", unit):
        if part in "*/·":
            sign = -1 if part == "/" else 1
            continue
        name, _, power = part.replace("**", "^").partition("^")
        name = "K" if name in ("degC", "delta_degC") else name
        if name not in ATOMS:
            raise Undecided(name)
        if name != "1":
            found[name] = found.get(name, 0) + sign * int(power or 1)
    return tuple((n, p) for n, p in found.items() if p)


def _merged(units: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Return *units* with one for each dimension, the first that was named."""
    found: dict[str, int] = {}
    for name, power in units:
        dimension = ATOMS[name][0]
        if not dimension:
            continue
        one = next((other for other in found if ATOMS[other][0] == dimension), name)
        found[one] = found.get(one, 0) + power
    return tuple((n, p) for n, p in found.items() if p)


def _scale(units: tuple[tuple[str, int], ...]) -> Fraction:
    scale = Fraction(1)
    for name, power in units:
        scale *= ATOMS[name][1] ** power
    return scale


def _dimension(units: tuple[tuple[str, int], ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, power in units:
        dimension = ATOMS[name][0]
        found[dimension] = found.get(dimension, 0) + power
    return {d: p for d, p in found.items() if d and p}


def _comparable(a: Amount, b: Amount) -> None:
    if a.units is None or b.units is None:
        return
    if _dimension(a.units) != _dimension(b.units):
        raise Refused("doesn't fit")
    if {a.kind, b.kind} == {"point", "computed"}:
        raise Refused("a difference against a point")


def _as_other(bare: Amount, other: Amount) -> Amount:
    """Return a number without a unit as one in the unit of *other*."""
    if bare.units is not None or other.units is None:
        return bare
    zero = Fraction("273.15") if other.kind == "point" else Fraction(0)
    scale = _scale(other.units)
    off = bare.off * scale + EPSILON * (abs(zero) + abs(bare.value * scale))
    return replace(bare, value=bare.value * scale + zero, off=off)


def _times(a: Amount, b: Amount) -> tuple[Fraction, Fraction]:
    value = a.value * b.value
    if max(a.off, b.off) >= ANYTHING:
        return value, ANYTHING
    off = abs(a.value) * b.off + abs(b.value) * a.off + a.off * b.off + EPSILON * abs(value)
    return value, off


def _divided(a: Amount, b: Amount) -> tuple[Fraction, Fraction]:
    least = abs(b.value) - b.off
    if least <= 0 or max(a.off, b.off) >= ANYTHING:
        return Fraction(0), ANYTHING
    value = a.value / b.value
    return value, (a.off + abs(value) * b.off) / least + EPSILON * abs(value)


def _summands(node: ast.expr) -> list[tuple[int, ast.expr]]:
    """Return what is added, as far as no bracket stands around it."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)):
        return [(1, node)]
    right = 1 if isinstance(node.op, ast.Add) else -1
    bracket = (node.left.lineno, node.left.col_offset) != (node.lineno, node.col_offset)
    left = [(1, node.left)] if bracket else _summands(node.left)
    return [*left, (right, node.right)]


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise Refused("no name")
    return ".".join([node.id, *reversed(parts)])
