"""Expressions of rules at random: written, spoiled, and compared with the reference."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from controller.errors import ExpressionError
from controller.safety.language.binding import bind
from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Term, Truth, Value
from tests.support.rule_reference import Amount, Refused, Undecided, worth

TERMS: Mapping[str, Term] = {
    "furnace.temperature": Term("degC"),
    "furnace.setpoint": Term("degC"),
    "cryo.sample": Term("K"),
    "furnace.ramp_rate": Term("K/min"),
    "gas.h2.flow": Term("mL/min"),
    "gas.total": Term("mL/min"),
    "exhaust.flow": Term("L/min"),
    "valve.opening": Term("%"),
    "detector.count": Term(""),
    "ring.current": Term("mA"),
    "pump.flow": Term("sccm"),
    "since": Term("s"),
    "shutter.status": Term(None, ("Open", "Closed")),
    "valve.status": Term(None, ("Open", "Closed", "Moving")),
    "hutch.searched": Term(None),
    "door.closed": Term(None),
}
_BY_DIMENSION: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "flow": (("gas.h2.flow", "gas.total", "exhaust.flow"), ("mL/min", "L/min", "mL / s")),
    "temperature": (("furnace.temperature", "furnace.setpoint", "cryo.sample"), ("degC", "K")),
    "rate": (("furnace.ramp_rate",), ("K/min", "degC/min", "K*s^-1")),
    "ratio": (("valve.opening", "detector.count"), ("%",)),
    "time": (("since",), ("s", "min", "h")),
    "current": (("ring.current",), ("mA", "A")),
    "standard": (("pump.flow",), ("sccm",)),
}
_PIECES = (
    *TERMS, "and", "or", "not", "true", "(", ")", "<", "<=", ">", ">=", "==", "!=", "=", "+", "-",
    "*", "/", "3", "0.03", "200 degC", "20 mL/min", "3 %", "5 K", "Open", "'Closed'", '"', ".",
    "1e5", "1e308", "0", "5 1/s", "×", "≤", "**", "mL/min", "K", "s", "\n", ",", "\x00", "é", "²",
    "gas", "flow", "Opn", "1e999", "-", "- -", "5 mL/min*since", "_", "lambda", "[0]", "{}",
    "__import__",
)  # fmt: skip


def statement(rng: Random, depth: int = 3) -> str:
    """Return a statement that fits the declarations, more often than not."""
    kind = rng.random()
    if depth > 0 and kind < 0.4:
        joint = rng.choice((" and ", " or "))
        parts = [statement(rng, depth - 1) for _ in range(rng.randint(2, 3))]
        return _maybe_bracketed(rng, joint.join(_maybe_bracketed(rng, p, 0.5) for p in parts), 0.3)
    if depth > 0 and kind < 0.5:
        return f"not {_bracketed(statement(rng, depth - 1))}"
    if kind < 0.6:
        return f"{rng.choice(('shutter.status', 'valve.status'))} {rng.choice(('==', '!='))} " + (
            rng.choice(("Open", "'Closed'", '"Open"', "valve.status"))
        )
    if kind < 0.7:
        flag = rng.choice(("hutch.searched", "door.closed"))
        return rng.choice((flag, f"{flag} == true", f"false != {flag}", f"not {flag}"))
    dimension = rng.choice((*_BY_DIMENSION, "flow", "temperature", "ratio"))
    return _comparison(rng, dimension, depth)


def _comparison(rng: Random, dimension: str, depth: int) -> str:
    rising = rng.random() < 0.5
    signs = ("<", "<=") if rising else (">", ">=")
    first, second = number(rng, dimension, depth), number(rng, dimension, depth)
    if rng.random() < 0.1:
        return f"{first} {rng.choice(('==', '!='))} {second}"
    text = f"{first} {rng.choice(signs)} {second}"
    return f"{text} {rng.choice(signs)} {number(rng, dimension, 0)}" if rng.random() < 0.2 else text


def number(rng: Random, dimension: str, depth: int) -> str:
    """Return a number of *dimension*."""
    names, units = _BY_DIMENSION[dimension]
    kind = rng.random()
    if depth > 0 and kind < 0.2:
        sign = rng.choice((" + ", " - ", "-", "+"))
        return f"{number(rng, dimension, depth - 1)}{sign}{number(rng, dimension, depth - 1)}"
    if depth > 0 and kind < 0.4 and dimension == "ratio":
        one = rng.choice(("flow", "time", "current"))
        return f"{_factor(rng, one, depth - 1)} / {_factor(rng, one, depth - 1)}"
    if depth > 0 and kind < 0.35:
        return f"{_factor(rng, dimension, depth - 1)} * {_factor(rng, 'ratio', depth - 1)}"
    if depth > 0 and kind < 0.4:
        return f"-{_factor(rng, dimension, depth - 1)}"
    if kind < 0.75:
        return rng.choice(names)
    literal = rng.choice(("0", "3", "0.03", "20", "200", "1e3", "5.5", ".5", "-4"))
    return literal if rng.random() < 0.4 else f"{literal} {rng.choice(units)}"


def _factor(rng: Random, dimension: str, depth: int) -> str:
    text = number(rng, dimension, depth)
    return text if text in TERMS else _bracketed(text)


def _bracketed(text: str) -> str:
    return f"({text})"


def _maybe_bracketed(rng: Random, text: str, share: float) -> str:
    return _bracketed(text) if rng.random() < share else text


def spoiled(rng: Random, text: str) -> str:
    """Return *text* with pieces put in, taken out, doubled or swapped."""
    for _ in range(rng.randint(1, 4)):
        place, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        end = min(end, place + rng.randint(0, 12))
        how = rng.random()
        if how < 0.4:
            text = f"{text[:place]} {rng.choice(_PIECES)} {text[place:]}"
        elif how < 0.6:
            text = text[:place] + text[end:]
        elif how < 0.7:
            text = text[:place] + text[place:end] * rng.randint(2, 30) + text[end:]
        elif how < 0.9:
            text = text[:place] + rng.choice(_PIECES) + text[end:]
        else:
            text = text[:place] + rng.choice(string.printable) + text[place:]
    return text


def known_of(rng: Random) -> dict[str, Value | None]:
    """Return what is known of every name: intervals, words, flags; some of them nothing."""
    return {name: _known(rng, term) for name, term in TERMS.items()}


def _known(rng: Random, term: Term) -> Value | None:
    if rng.random() < 0.12:
        return None
    if term.unit is None:
        return rng.choice(term.words) if term.words else rng.random() < 0.5
    low = rng.choice((0.0, 3.0, 20.0, 200.0, -4.0, rng.uniform(-300, 900), rng.uniform(0, 5)))
    return Interval(low, low + rng.choice((0.0, 0.0, 1.0, rng.uniform(0, 200))))


def points_of(
    rng: Random, known: Mapping[str, Value | None], count: int
) -> list[dict[str, object]]:
    """Return *count* points that *known* allows: what isn't known may be anything."""
    return [{n: _one(rng, TERMS[n], value) for n, value in known.items()} for _ in range(count)]


def _one(rng: Random, term: Term, value: Value | None) -> object:
    if isinstance(value, Interval):
        inside = rng.uniform(value.low, value.high)
        return rng.choice((value.low, value.high, min(max(inside, value.low), value.high)))
    if value is not None:
        return value
    if term.unit is not None:
        return rng.choice((0.0, rng.uniform(-1e3, 1e3), rng.uniform(-1e9, 1e9)))
    return rng.choice(term.words) if term.words else rng.random() < 0.5


@dataclass(slots=True)
class Tally:
    """What came of a number of expressions."""

    accepted: int = 0
    refused: int = 0
    undecided: int = 0
    stricter: list[str] = field(default_factory=list)
    """Refused here, and not by the reference."""
    judged: int = 0
    """Judgements compared with the reference at points."""
    wrong: list[str] = field(default_factory=list)


def compare(text: str, rng: Random, tally: Tally, states: int = 3, points: int = 5) -> None:
    """Bind *text* and put into *tally* what differs from the reference."""
    try:
        bound = bind(text, TERMS)
    except ExpressionError as error:
        _refused(text, str(error), rng, tally)
        return
    tally.accepted += 1
    for _ in range(states):
        known = known_of(rng)
        try:
            values = [worth(text, TERMS, point) for point in points_of(rng, known, points)]
        except Undecided:
            tally.undecided += 1
            return
        except Refused as error:
            tally.wrong.append(f"accepted, though {error}: {text!r}")
            return
        tally.judged += 1
        tally.wrong += [f"{what}: {text!r} with {known}" for what in judged(bound, known, values)]


def _refused(text: str, message: str, rng: Random, tally: Tally) -> None:
    tally.refused += 1
    if "(character" not in message and "at its end" not in message:
        tally.wrong.append(f"doesn't say where: {message}")
    try:
        worth(text, TERMS, points_of(rng, known_of(rng), 1)[0])
    except (Refused, Undecided):
        return
    tally.stricter.append(f"{text!r}: {message}")


def judged(
    bound: Expression, known: Mapping[str, Value | None], values: list[Amount | bool | None]
) -> list[str]:
    """Return what is wrong about what *bound* says of *known*, whose points have *values*."""
    if bound.unit is not None:
        return _numbers_wrong(bound, known, values)
    truth, margin = bound.truth(known.get), bound.margin(known.get)
    wrong = []
    if truth is Truth.TRUE and False in values:
        wrong.append("true, and false at a point")
    if truth is Truth.FALSE and True in values:
        wrong.append("false, and true at a point")
    if truth is Truth.UNKNOWN and None not in values and _is_point(bound, known):
        wrong.append("unknown, though everything is known")
    if margin is not None and not abs(margin) < float("inf"):
        wrong.append(f"margin {margin}")
    if margin is not None and truth is Truth.TRUE and margin < 0:
        wrong.append(f"true with margin {margin}")
    if margin is not None and truth is Truth.FALSE and margin > 0:
        wrong.append(f"false with margin {margin}")
    return wrong


def _is_point(bound: Expression, known: Mapping[str, Value | None]) -> bool:
    """Return whether every name has one value only."""
    values = [known[name] for name in bound.names]
    return not any(v is None or (isinstance(v, Interval) and v.low != v.high) for v in values)


def _numbers_wrong(
    bound: Expression, known: Mapping[str, Value | None], values: list[Amount | bool | None]
) -> list[str]:
    interval = bound.interval(known.get)
    if interval is None:
        return []
    if any(known[name] is None for name in bound.names):
        return ["known, of something unknown"]
    lows, highs = [], []
    for value in values:
        if not isinstance(value, Amount):
            return ["a number, and the reference says a statement"]
        lows.append(value.given(bound.unit or "") - value.off_in(bound.unit or ""))
        highs.append(value.given(bound.unit or "") + value.off_in(bound.unit or ""))
    if not (interval.low <= min(highs) and max(lows) <= interval.high):
        return [f"{interval} doesn't hold {[float(low) for low in lows]}"]
    return []
