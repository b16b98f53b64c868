"""Recorded tables as problems: only points that were measured may be tried.

A point gives the mean of its replicates. A run is solved when it holds one of the best 1 % of
the points (at least one). Several objectives: the table's first one is pursued.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.parameters import Categorical, Continuous, Discrete, Parameter
from agents.protocols import Goal, Parameters, Value
from benchmarks.decisions.problem import Frame, Outcome, Problem, Wanted, unit_start

BEST_PART = 0.01
BUDGET = 100
SHORT = {
    "pvlab_crossed_barrel": "crossed_barrel",
    "pvlab_p3ht_cnt": "p3ht",
    "pvlab_agnp": "agnp",
    "pvlab_autoam": "autoam",
}
"""Names under which earlier measurements know a table."""
IN_REPOSITORY = Path(__file__).parents[2] / "simulators" / "data" / "recorded"


@dataclass(frozen=True)
class Rows:
    """The points of a table, and the mean of the pursued outcome at each."""

    name: str
    parameters: tuple[Parameter, ...]
    pool: tuple[Parameters, ...]
    values: tuple[float, ...]
    wanted: Wanted


class Recorded(Problem):
    """A table of measured points, in a fixed order: first parameter first, smallest first."""

    pool: tuple[Parameters, ...]

    def __init__(self, rows: Rows, initial: int | None = None, budget: int = BUDGET) -> None:
        places = [_places(parameter, rows.pool) for parameter in rows.parameters]
        order = np.lexsort(places[::-1])
        self.pool = tuple(rows.pool[place] for place in order)
        self._values = np.array(rows.values, dtype=float)[order]
        self._rows = rows
        self._columns = [column[order] for column in places]
        self._names = [parameter.name for parameter in rows.parameters]
        self._index = {self._key(point): place for place, point in enumerate(self.pool)}
        costs = np.sort(self.costs)
        top = max(1, round(BEST_PART * len(costs)))
        first = initial or 2 * len(rows.parameters)
        self.frame = Frame(
            name=rows.name,
            kind="pool",
            parameters=rows.parameters,
            wanted=(rows.wanted,),
            initial=min(first, len(costs)),
            budget=min(budget, len(costs)),
            optimum=float(costs[0]),
            tolerance=float(costs[top - 1] - costs[0]),
            why=f"one of the best {top} of {len(costs)} points (1 %)",
        )

    @property
    def costs(self) -> np.ndarray:
        """The cost of each point of the pool: less is better."""
        return np.array([self._rows.wanted.cost(value) for value in self._values])

    def _key(self, point: Parameters) -> tuple[Value, ...]:
        return tuple(point[name] for name in self._names)

    def index(self, point: Parameters) -> int:
        """Return the place of *point* in the pool; KeyError where it was never measured."""
        return self._index[self._key(point)]

    def truth(self, point: Parameters) -> Outcome:
        """Return the mean of what was measured at *point*."""
        return {self._rows.wanted.name: float(self._values[self.index(point)])}

    def start(self, seed: int) -> list[dict[str, Value]]:
        """Return the points nearest to scrambled Sobol points, none twice."""
        units = unit_start(len(self._columns), self.frame.initial, seed)
        taken: list[int] = []
        for row in units:
            distances = self.distances(row)
            distances[taken] = np.inf
            taken.append(int(distances.argmin()))
        return [dict(self.pool[place]) for place in taken]

    def distances(self, unit: np.ndarray) -> np.ndarray:
        """Return the squared distance of every point of the pool from *unit* (parameters).

        Numbers count by their place between the smallest and the largest in the pool; options
        have no order, so each has an equal share of the interval and is near or not.
        """
        total = np.zeros(len(self.pool))
        for parameter, column, place in zip(
            self._rows.parameters, self._columns, unit, strict=True
        ):
            if isinstance(parameter, Categorical):
                option = min(int(place * len(parameter.options)), len(parameter.options) - 1)
                total += column != option
            elif (span := column.max() - column.min()) > 0:
                total += np.square((column - column.min()) / span - place)
        return total


def _places(parameter: Parameter, pool: Sequence[Parameters]) -> np.ndarray:
    """Return the column of *parameter*: numbers, or the places of options."""
    if isinstance(parameter, Categorical):
        places = {option: place for place, option in enumerate(parameter.options)}
        return np.array([places[str(point[parameter.name])] for point in pool], dtype=float)
    return np.array([float(point[parameter.name]) for point in pool])


def from_folder(folder: Path) -> Recorded:
    """Return the table in *folder* (data.csv, meta.json), its first objective pursued."""
    from controller.spaces import column_parameter
    from simulators.recorded import read_table

    table = read_table(folder)
    pursued = table.objectives[0]
    rows = Rows(
        name=SHORT.get(table.name, table.name),
        parameters=tuple(column_parameter(column) for column in table.parameters),
        pool=table.pool,
        values=tuple(table.mean(place, pursued.name) for place in range(len(table.pool))),
        wanted=Wanted(pursued.name, Goal(pursued.goal), pursued.target),
    )
    return Recorded(rows)


def folders(data: Path) -> dict[str, Path]:
    """Return the recorded tables under *data* by the name of their problem."""
    found = sorted(path.parent for path in data.glob("*/meta.json"))
    return {SHORT.get(folder.name, folder.name): folder for folder in found}


def from_csv(file: Path, outcome: str, goal: str, ignore: Sequence[str] = ()) -> Recorded:
    """Return any CSV table as a problem: *outcome* is the column wanted, the others were set.

    A column whose every cell is a number is numeric, any other one a category; columns in
    *ignore*, and those that never vary, are left out, and so are rows without an outcome. Raises
    ValueError that says what is wrong with the table.
    """
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        header = list(reader.fieldnames or ())
        cells = [row for row in reader if any((value or "").strip() for value in row.values())]
    unknown = [name for name in (outcome, *ignore) if name not in header]
    if unknown:
        raise ValueError(f"{file}: no column {unknown[0]!r}; there are: {', '.join(header)}")
    if goal not in ("maximize", "minimize"):
        raise ValueError(f"{file}: goal {goal!r}: maximize or minimize is needed")
    cells = [row for row in cells if (row[outcome] or "").strip()]
    values = _numbers([row[outcome] for row in cells])
    if not cells or values is None:
        raise ValueError(f"{file}: column {outcome!r} must hold finite numbers only")
    names = [name for name in header if name not in (outcome, *ignore)]
    columns = {name: _column(file, name, [row[name] or "" for row in cells]) for name in names}
    varying = {name: column for name, column in columns.items() if len(set(column)) > 1}
    if not varying:
        raise ValueError(f"{file}: no column but {outcome!r} varies; nothing can be chosen")
    keys = list(zip(*varying.values(), strict=True))
    by_point: dict[tuple[Value, ...], list[float]] = {}
    for key, value in zip(keys, values, strict=True):
        by_point.setdefault(key, []).append(value)
    rows = Rows(
        name=file.stem if file.stem != "data" else file.resolve().parent.name,
        parameters=tuple(_parameter(name, column) for name, column in varying.items()),
        pool=tuple(dict(zip(varying, key, strict=True)) for key in by_point),
        values=tuple(math.fsum(found) / len(found) for found in by_point.values()),
        wanted=Wanted(outcome, Goal(goal)),
    )
    return Recorded(rows)


def _numbers(cells: Sequence[str]) -> list[float] | None:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _column(file: Path, name: str, cells: Sequence[str]) -> Sequence[Value]:
    """Return the values of the column *name*; ValueError where they are no settings."""
    texts = [cell.strip() for cell in cells]
    if "" in texts:
        raise ValueError(
            f"{file}: column {name!r} is empty in {texts.count('')} rows; fill or remove these, "
            "or leave the column out (--ignore)"
        )
    numbers = _numbers(texts)
    if numbers is None and len(texts) > FEW and len(set(texts)) == len(texts):
        raise ValueError(
            f"{file}: column {name!r} holds another text in every row: it names the rows, and is "
            "no setting; leave it out (--ignore)"
        )
    return numbers or texts


def _parameter(name: str, column: Sequence[Value]) -> Parameter:
    """Return the parameter of a column; few different numbers are settings, many a range."""
    if isinstance(column[0], str):
        return Categorical(name, tuple(sorted({str(value) for value in column})))
    numbers = sorted({float(value) for value in column})
    if len(numbers) <= FEW:
        return Discrete(name, tuple(numbers))
    return Continuous(name, numbers[0], numbers[-1])


FEW = 20
"""A column of a plain CSV with at most so many different numbers is a list of settings."""
