"""Tables of numbers in plain text, whatever stands above them: beamlines' own formats, SPEC files.

Rows are the lines that hold numbers only, parted by blanks, tabs, commas or semicolons (decimal
commas too, where something else parts the columns). The names of the columns are the last line
above the rows that has as many words; a ``#S`` line begins another scan (SPEC: the names are in
its ``#L`` line, two blanks apart).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import SpectrumError
from models.spectra.spectrum import MIN_POINTS, FloatArray

LEAST_STRAY = 3
"""So many rows apart from the others are a table that a broken line has cut in two."""

_SPLIT = re.compile(r"[\s,;]+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?")
_COMMENT = re.compile(r"^\s*(?:#L\s|#+|%+|;+|!+|//+|\*+|')\s*")
_SCAN = re.compile(r"^#S\s+(\d+)")
_XDI_COLUMN = re.compile(r"^#\s*column\.(\d+)\s*:\s*(\S+)\s*(\S*)", re.IGNORECASE)
_PARTINGS = (r"\t+", r"\s*[,;]\s*", r"\s{2,}", r"\s+")


@dataclass(frozen=True, slots=True)
class Table:
    """*rows* (n x c) with the *names* of the columns (none where nothing names them), the number
    of the *scan* in its file, and the *header* above it."""

    rows: FloatArray
    names: tuple[str, ...]
    scan: str
    header: tuple[str, ...]


def tables_in(text: str, where: str) -> list[Table]:
    """Return the tables of numbers in *text*, one for each scan; SpectrumError if there is none."""
    found = [table for part in _scans(text.splitlines()) if (table := _table(part, where))]
    if not found:
        raise SpectrumError(f"{where}: no table of numbers; accepted are columns of numbers")
    return found


def _scans(lines: Sequence[str]) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the number, the first line's number and the lines of each scan."""
    scan, first, part = "", 1, list[str]()
    for number, line in enumerate(lines, start=1):
        if match := _SCAN.match(line):
            yield scan, first, part
            scan, first, part = match[1], number, []
        part.append(line)
    yield scan, first, part


def _table(part: tuple[str, int, list[str]], where: str) -> Table | None:
    scan, first, lines = part
    rows = [(i, _numbers(line)) for i, line in enumerate(lines) if _counts(line)]
    start, end = _longest([len(row) for _, row in rows])
    if start == end:
        return None
    width = len(rows[start][1])
    outside = [i for i, row in (*rows[:start], *rows[end:]) if len(row) == width]
    broken = rows[end][0] if end < len(rows) else rows[start - 1][0]
    if len(outside) >= LEAST_STRAY or (end - start < MIN_POINTS <= len(rows)):
        raise SpectrumError(
            f"{where}: line {first + broken}: isn't a row of {width} numbers as those beside it; "
            f"mend it or comment it out with #"
        )
    header = lines[: rows[start][0]]
    values = np.asarray([row for _, row in rows[start:end]], dtype=np.float64)
    return Table(values, _names(header, width), scan, tuple(header))


def _counts(line: str) -> bool:
    return bool(line.strip()) and not _COMMENT.match(line)


def _numbers(line: str) -> list[float]:
    """Return the numbers of *line*, none if it holds anything else, or less than two."""
    words = [word for word in _SPLIT.split(line.strip()) if word]
    wide = [word for word in re.split(r"[;\s]+", line.strip()) if word]
    if "," in line and len(wide) > 1 and all(_DECIMAL_COMMA.fullmatch(word) for word in wide):
        words = [word.replace(",", ".") for word in wide]
    try:
        return [float(word) for word in words] if len(words) > 1 else []
    except ValueError:
        return []


def _longest(widths: Sequence[int]) -> tuple[int, int]:
    """Return where the longest run of equal, positive *widths* begins and ends."""
    best, start = (0, 0), 0
    for index in range(1, len(widths) + 1):
        if index == len(widths) or widths[index] != widths[start]:
            if widths[start] and index - start > best[1] - best[0]:
                best = (start, index)
            start = index
    return best


def _names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the names of *width* columns, from ``Column.N`` fields or the nearest line above."""
    fields = {int(m[1]): m for line in header if (m := _XDI_COLUMN.match(line.strip()))}
    if fields and set(fields) >= set(range(1, width + 1)):
        return tuple(f"{fields[n][2]} {fields[n][3]}".strip() for n in range(1, width + 1))
    for line in reversed(header):
        bare = _COMMENT.sub("", line).strip()
        joined = re.sub(r"\s+([\[(])", r"\1", bare)
        for parting in _PARTINGS:
            words = [word for word in re.split(parting, joined) if word]
            if len(words) == width and all(_is_name(word) for word in words):
                return tuple(words)
    below = [_COMMENT.sub("", line).strip() for line in header if line.strip()][-width:]
    if len(below) == width and all(map(_is_name, below)) and any("nergy" in n for n in below):
        return tuple(below)  # one name a line
    return ()


def _is_name(word: str) -> bool:
    return any(letter.isalpha() for letter in word) and len(word) <= 60 and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
