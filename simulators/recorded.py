"""Recorded tables: reads a folder's data.csv by its meta.json, and tells all that is wrong with it.

Columns that ``meta.json`` doesn't name are never looked at.
"""

import csv
import difflib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from simulators.errors import TableError, TableProblem
from simulators.recorded_meta import chosen, read_meta, read_text, words
from simulators.recorded_table import RecordedTable, TableObjective, TableParameter, Value

__all__ = ["RecordedTable", "TableError", "read_table"]

ROUNDING = 1e-3
"""A value may lie outside its stated bounds by the rounding of the bound, but by no more than
this part of the range."""
SAME = 1e-9
"""Numbers of one column closer than this part of the range are the same setting: parts in 1e16
come from a spreadsheet's arithmetic, nobody's bench resolves 1e-9."""
SHOWN = 20
"""More problems than this are counted, not listed."""


def read_table(folder: Path, objectives: Sequence[str] = ()) -> RecordedTable:
    """Return the table in *folder*, with *objectives* in this order (all that it states if none).

    A row without a value (an empty cell) for one of the objectives is an experiment without a
    result: left out, and said so in the table's notes. Raises TableError with every problem:
    a missing file or column, a value that is NaN, no number, or outside what is stated.
    """
    meta = read_meta(folder / "meta.json")
    parameters, all_objectives = words(meta, folder / "meta.json")
    wanted = chosen(all_objectives, objectives, folder / "meta.json")
    reading = _Reading(folder / "data.csv", parameters, wanted)
    reading.read()
    pool, outcomes, widened = reading.points()
    notes = list(reading.notes)
    if meta.rows is not None and meta.rows != reading.rows:
        notes.append(f"meta.json states {meta.rows} rows, data.csv has {reading.rows}")
    return RecordedTable(
        name=meta.name or folder.resolve().name,
        folder=folder,
        parameters=widened,
        objectives=wanted,
        pool=pool,
        outcomes=outcomes,
        kind=meta.kind,
        constraint=meta.constraint or "",
        notes=tuple(notes),
    )


@dataclass
class _Reading:
    """One pass over data.csv: rows that hold, problems, and what was left out."""

    path: Path
    parameters: tuple[TableParameter, ...]
    objectives: tuple[TableObjective, ...]
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[TableProblem] = field(default_factory=list)
    _good: list[tuple[dict[str, Value], dict[str, float]]] = field(default_factory=list)
    _empty: list[int] = field(default_factory=list)

    def read(self) -> None:
        """Read every row; raises TableError with all problems when there is one."""
        lines = self._lines()
        header = [name.strip() for name in next(lines, (0, []))[1]]
        places = self._places(header)
        if not self.problems:
            for line, row in lines:
                self._take(line, row, len(header), places)
        if self.problems:
            self._refuse()
        if not self._good:
            raise TableError([TableProblem(self.path, "holds no usable row: the pool is empty")])
        if self._empty:
            shown = ", ".join(str(line) for line in self._empty[:SHOWN])
            names = ", ".join(objective.name for objective in self.objectives)
            self.notes.append(
                f"{len(self._empty)} of {self.rows} rows have no value for {names} and are left "
                f"out (lines {shown}{', …' if len(self._empty) > SHOWN else ''} of data.csv)"
            )

    def _refuse(self) -> None:
        shown = self.problems[:SHOWN]
        if len(self.problems) > SHOWN:
            shown.append(TableProblem(self.path, f"and {len(self.problems) - SHOWN} more like it"))
        raise TableError(shown)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(io.StringIO(read_text(self.path), newline=""), strict=True)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, row
        except csv.Error as error:
            message = f"isn't well-formed CSV: {error}"
            raise TableError([TableProblem(self.path, message, row=reader.line_num)]) from error

    def _places(self, header: list[str]) -> dict[str, int]:
        words: list[TableParameter | TableObjective] = [*self.parameters, *self.objectives]
        for word in words:
            count = header.count(word.name)
            if count > 1:
                self.problems.append(TableProblem(self.path, "twice in the header", 1, word.name))
            if count == 0:
                near = difflib.get_close_matches(word.name, header, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(header)}"
                message = f"the column that meta.json names is missing; {hint}"
                self.problems.append(TableProblem(self.path, message, 1, word.name))
        return {word.name: header.index(word.name) for word in words if word.name in header}

    def _take(self, line: int, row: list[str], width: int, places: dict[str, int]) -> None:
        self.rows += 1
        if len(row) != width and any(cell.strip() for cell in row[width:]):
            message = f"has {len(row)} cells where the header has {width}"
            self.problems.append(TableProblem(self.path, message, line))
            return
        cells = {name: row[i].strip() if i < len(row) else "" for name, i in places.items()}
        before = len(self.problems)
        point = {p.name: self._setting(p, cells[p.name], line) for p in self.parameters}
        empty = [o.name for o in self.objectives if not cells[o.name]]
        values = {
            o.name: self._number(cells[o.name], line, o.name)
            for o in self.objectives
            if cells[o.name]
        }
        if len(self.problems) > before:
            return
        if empty:
            self._empty.append(line)
            return
        self._good.append((point, values))

    def _number(self, text: str, line: int, column: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in text:
            message = "a finite number is needed; mend or remove the row"
            shown = text or "(empty)"
            self.problems.append(TableProblem(self.path, message, line, column, shown))
        return number

    def _setting(self, parameter: TableParameter, text: str, line: int) -> Value:
        if parameter.type == "categorical":
            return self._option(parameter, text, line)
        number = self._number(text, line, parameter.name)
        if not math.isfinite(number):
            return number
        number = self._in_bounds(parameter, number, text, line)
        if parameter.type == "integer":
            if number != round(number):
                message = "an integer is needed, as meta.json states"
                self.problems.append(TableProblem(self.path, message, line, parameter.name, text))
            return round(number)
        return number

    def _option(self, parameter: TableParameter, text: str, line: int) -> str:
        if not text:
            message = "is empty; an option is needed"
            self.problems.append(TableProblem(self.path, message, line, parameter.name))
        elif parameter.options and text not in parameter.options:
            same = [option for option in parameter.options if _equal_numbers(option, text)]
            if same:
                return same[0]
            near = difflib.get_close_matches(text, parameter.options, n=3)
            accepted = ", ".join(near or parameter.options[:12])
            message = f"not one of the {len(parameter.options)} options (such as {accepted})"
            self.problems.append(TableProblem(self.path, message, line, parameter.name, text))
        return text

    def _in_bounds(self, parameter: TableParameter, number: float, text: str, line: int) -> float:
        if parameter.type == "discrete" and parameter.values:
            nearest = min(parameter.values, key=lambda value: abs(value - number))
            if abs(nearest - number) <= _slack(nearest, parameter):
                return nearest
            accepted = ", ".join(f"{value:g}" for value in parameter.values[:12])
            message = f"not one of the values stated: {accepted}"
            self.problems.append(TableProblem(self.path, message, line, parameter.name, text))
            return number
        low = -math.inf if parameter.low is None else parameter.low
        high = math.inf if parameter.high is None else parameter.high
        if not low - _slack(low, parameter) <= number <= high + _slack(high, parameter):
            message = f"outside {low:g} to {high:g} {parameter.unit}".rstrip() + ", as stated"
            self.problems.append(TableProblem(self.path, message, line, parameter.name, text))
        return number

    def points(
        self,
    ) -> tuple[
        tuple[dict[str, Value], ...],
        tuple[tuple[dict[str, float], ...], ...],
        tuple[TableParameter, ...],
    ]:
        """Return the distinct points, their replicates, and the parameters as in the data."""
        settled = {
            p.name: _settled([point[p.name] for point, _ in self._good]) for p in self.parameters
        }
        replicates: dict[tuple[Value, ...], list[dict[str, float]]] = {}
        for point, values in self._good:
            key = tuple(settled[p.name][point[p.name]] for p in self.parameters)
            replicates.setdefault(key, []).append(values)
        names = [parameter.name for parameter in self.parameters]
        pool = tuple(dict(zip(names, key, strict=True)) for key in replicates)
        seen = {name: [point[name] for point in pool] for name in names}
        widened = tuple(_as_seen(p, seen[p.name]) for p in self.parameters)
        return pool, tuple(tuple(found) for found in replicates.values()), widened


def _equal_numbers(option: str, text: str) -> bool:
    try:
        return float(option) == float(text)
    except ValueError:
        return False


def _slack(bound: float, parameter: TableParameter) -> float:
    """Return how far outside *bound* rounding may put a value: half of its last digit."""
    if not math.isfinite(bound):
        return 0.0
    low = bound if parameter.low is None else parameter.low
    high = bound if parameter.high is None else parameter.high
    mantissa = repr(float(bound)).split("e")
    digits = len(mantissa[0].partition(".")[2])
    power = int(mantissa[1]) if len(mantissa) > 1 else 0
    return min(0.5 * 10.0 ** (power - digits), ROUNDING * (high - low))


def _settled(column: list[Value]) -> dict[Value, Value]:
    """Return for each value of *column* the one that stands for it: the first of its equals."""
    first: dict[Value, int] = {}
    for place, value in enumerate(column):
        first.setdefault(value, place)
    numbers = sorted(value for value in first if not isinstance(value, str))
    found: dict[Value, Value] = {value: value for value in first}
    if not numbers:
        return found
    gap = SAME * (numbers[-1] - numbers[0])
    group = [numbers[0]]
    for number in [*numbers[1:], math.inf]:
        if number - group[-1] > gap:
            stands = min(group, key=lambda value: first[value])
            found.update(dict.fromkeys(group, stands))
            group = []
        group.append(number)
    return found


def _as_seen(parameter: TableParameter, column: list[Value]) -> TableParameter:
    """Return *parameter* with bounds, values or options that take in all of *column*."""
    if parameter.type == "categorical":
        return replace(
            parameter, options=parameter.options or tuple(dict.fromkeys(map(str, column)))
        )
    numbers = [float(value) for value in column]
    low = min(numbers if parameter.low is None else [*numbers, parameter.low])
    high = max(numbers if parameter.high is None else [*numbers, parameter.high])
    values = parameter.values
    if parameter.type == "discrete" and not values:
        values = tuple(sorted(set(numbers)))
    return replace(parameter, low=low, high=high, values=values)
