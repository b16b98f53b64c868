"""The words and signs of an expression, and how its mistakes are told."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from controller.errors import ExpressionError

LONGEST = 2000
"""Characters of an expression."""

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_SIGN = re.compile(r"<=|>=|==|!=|[-+*/()<>=]")
_SPACE = re.compile(r"\s*")
_ATOM = re.compile(r"(?:[A-Za-zµμΩ_]\w{0,19}|°[CF]|%)(?:(?:\^|\*\*)-?[1-9])?(?![\w.])")
_TIMES = re.compile(r"\s*([*/·])\s*")
_PLAIN = {"×": "*", "÷": "/", "−": "-", "≤": "<=", "≥": ">=", "≠": "!="}
_OTHER_SIGN = re.compile("|".join(_PLAIN))
KEYWORDS = ("and", "or", "not", "true", "false")
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign; *text* of a quoted word is without the quotes."""

    kind: str
    text: str
    place: int
    unit: str | None = None
    """Of a number: what stood behind it."""


def mistake(text: str, place: int, message: str) -> ExpressionError:
    """Return the error that tells of something wrong at *place* (counted from 0) of *text*."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    found = text[place : place + 20].split(maxsplit=1)
    where = f"at {found[0]!r} (character {place + 1})" if found else "at its end"
    return ExpressionError(f"{shown!r}: {where}: {message}")


def near(name: str, known: Collection[str]) -> str:
    """Return the known names that look like *name*, as the end of a message; or some of all."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(known)}
    close = get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return "near it: " + ", ".join(by_lower[found] for found in close)
    if not known:
        return "none is declared"
    some = sorted(known)[:8]
    return "declared: " + ", ".join(some) + (" …" if len(known) > len(some) else "")


def tokens(text: str, names: Collection[str]) -> list[Token]:
    """Return the tokens of *text*; *names* are those that an expression may name.

    Behind a number, what isn't one of *names* is its unit.
    """
    if len(text) > LONGEST:
        raise mistake(text, 0, f"{len(text)} characters; at most {LONGEST}")
    found: list[Token] = []
    place = _after_space(text, 0)
    while place < len(text):
        token, place = _token(text, place, names)
        found.append(token)
        place = _after_space(text, place)
    return found


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _token(text: str, place: int, names: Collection[str]) -> tuple[Token, int]:
    if match := _NUMBER.match(text, place):
        unit, end = _unit(text, match.end(), names)
        return Token("number", match[0], place, unit), end
    if match := _NAME.match(text, place):
        kind = "keyword" if match[0] in KEYWORDS else "name"
        return Token(kind, match[0], place), match.end()
    if match := _QUOTED.match(text, place):
        return Token("word", match[1] if match[1] is not None else match[2], place), match.end()
    if match := _SIGN.match(text, place):
        return Token("sign", match[0], place), match.end()
    if match := _OTHER_SIGN.match(text, place):
        return Token("sign", _PLAIN[match[0]], place), match.end()
    raise mistake(text, place, "can't be read; a number, a name, a sign or a quoted word is needed")


def _unit(text: str, place: int, names: Collection[str]) -> tuple[str | None, int]:
    """Return the unit that begins at or behind *place*, and where it ends; None without one."""
    start = _after_space(text, place)
    if text.startswith("1/", start):
        found, end = "1", start + 1
    else:
        match = _ATOM.match(text, start)
        if match is None or match[0] in KEYWORDS:
            return None, place
        if match[0] in names:
            raise mistake(text, start, "a name straight behind a number; write * between them")
        found, end = match[0], match.end()
    while times := _TIMES.match(text, end):
        atom = _ATOM.match(text, times.end())
        if atom is None or atom[0] in KEYWORDS or text.startswith("**", times.start(1)):
            break
        if atom[0] in names:
            break
        found, end = f"{found}{times[1]}{atom[0]}", atom.end()
    return found, end
