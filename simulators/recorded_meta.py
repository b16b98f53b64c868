"""Reads the meta.json of a recorded table: which columns were set, which were measured."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from simulators.errors import TableError, TableProblem
from simulators.recorded_table import Kind, TableObjective, TableParameter

_GOALS = {"max": "maximize", "maximise": "maximize", "min": "minimize", "minimise": "minimize"}

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _StatedParameter(_Stated):
    name: str
    type: Kind
    unit: str | None = ""
    low: Number | None = None
    high: Number | None = None
    values: tuple[Number, ...] = ()
    options: tuple[StrictBool | StrictInt | StrictFloat | StrictStr, ...] = ()


class _StatedObjective(_Stated):
    name: str
    goal: str
    unit: str | None = ""
    target: Number | None = None


class Meta(_Stated):
    """The contents of a meta.json; keys that aren't needed here are left alone."""

    name: str = ""
    kind: str = ""
    constraint: str | None = ""
    rows: int | None = None
    parameters: Annotated[tuple[_StatedParameter, ...], Field(min_length=1)]
    objectives: Annotated[tuple[_StatedObjective, ...], Field(min_length=1)]


def read_text(path: Path) -> str:
    """Return the text of *path*; TableError where it isn't there or isn't UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        there = path.parent.is_dir()
        hint = "a recorded table is a folder with data.csv and meta.json"
        message = "there is no such file" if there else "there is no such folder"
        raise TableError([TableProblem(path, f"{message}; {hint}")]) from None
    except OSError as error:
        raise TableError([TableProblem(path, f"can't be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        message = f"isn't UTF-8 text (byte {error.start}); save it as UTF-8"
        raise TableError([TableProblem(path, message)]) from error


def read_meta(path: Path) -> Meta:
    """Return what *path* states; TableError with every problem."""
    text = read_text(path)
    try:
        return Meta.model_validate(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise TableError([TableProblem(path, f"isn't JSON: {error}")]) from error
    except ValidationError as error:
        raise TableError([_stated_problem(path, e) for e in error.errors()]) from error


def _stated_problem(path: Path, error: Any) -> TableProblem:
    key = ".".join(str(part) for part in error["loc"])
    value = "" if error["type"] == "missing" else repr(error["input"])[:80]
    return TableProblem(path, error["msg"], column=key, value=value)


def words(meta: Meta, path: Path) -> tuple[tuple[TableParameter, ...], tuple[TableObjective, ...]]:
    """Return the parameters and objectives of *meta*, checked against each other."""
    problems: list[TableProblem] = []
    names = [p.name for p in meta.parameters] + [o.name for o in meta.objectives]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(TableProblem(path, "named twice; every column has one role", column=name))
    parameters = tuple(_parameter(stated, path, problems) for stated in meta.parameters)
    objectives = tuple(_objective(stated, path, problems) for stated in meta.objectives)
    if problems:
        raise TableError(problems)
    return parameters, objectives


def _parameter(
    stated: _StatedParameter, path: Path, problems: list[TableProblem]
) -> TableParameter:
    low, high = stated.low, stated.high
    if stated.values:
        low = min(stated.values) if low is None else low
        high = max(stated.values) if high is None else high
    if low is not None and high is not None and low > high:
        message = f"low {low} is above high {high}; exchange them"
        problems.append(TableProblem(path, message, column=stated.name))
    options = tuple(str(option).strip() for option in stated.options)
    if len(set(options)) != len(options):
        problems.append(TableProblem(path, "an option is listed twice", column=stated.name))
    unit = (stated.unit or "").strip()
    values = tuple(sorted(set(stated.values)))
    return TableParameter(stated.name, stated.type, unit, low, high, values, options)


def _objective(
    stated: _StatedObjective, path: Path, problems: list[TableProblem]
) -> TableObjective:
    goal: Any = _GOALS.get(stated.goal.strip().lower(), stated.goal.strip().lower())
    if goal not in ("maximize", "minimize", "target"):
        message = "goal must be maximize, minimize or target"
        problems.append(TableProblem(path, message, column=stated.name, value=stated.goal))
    if goal == "target" and stated.target is None:
        message = "goal target needs the number to reach, `target`"
        problems.append(TableProblem(path, message, column=stated.name))
    return TableObjective(stated.name, goal, (stated.unit or "").strip(), stated.target)


def chosen(
    stated: tuple[TableObjective, ...], names: Sequence[str], path: Path
) -> tuple[TableObjective, ...]:
    """Return the objectives called *names*, in that order; all of *stated* if none is named."""
    known = {objective.name: objective for objective in stated}
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"no such objective; there are: {', '.join(known)}"
        raise TableError([TableProblem(path, message, column=name) for name in unknown])
    return tuple(known[name] for name in names) or stated
