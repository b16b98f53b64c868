"""What people tell of results, read and checked: from words and from tables, all or nothing."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.digest import digest_of
from agents.protocols import Measured, Observation, Parameters, Value
from agents.space import Categorical, Integer, Space
from controller.corrections import reason_against
from controller.errors import ConfigurationError, Problem
from controller.events import Event, ObservationAmended, ObservationTold
from controller.files.validation import suggestion
from controller.folding import apply
from controller.seam import derived_id
from controller.state import CampaignState

SIGMA = "_sigma"
"""How the column of a value's standard uncertainty ends."""
EXPERIMENT = "experiment"
LARGEST_BYTES = 10_000_000
_VALUE = re.compile(r"\s*([^=\s]+)\s*=\s*(\S+?)\s*(?:(?:±|\+/-|\+-)\s*(\S+))?\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """One result: where it stands, of which experiment (none: a new point), at what, with what."""

    line: int | None
    experiment: str
    point: Mapping[str, str]
    values: Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody's results, and what they are of; *file* is how refusals call their source."""

    rows: Sequence[Row]
    file: str
    person: str
    reason: str


@dataclass(frozen=True, slots=True)
class Campaigned:
    """The campaign that results are told to."""

    state: CampaignState
    space: Space
    values: tuple[str, ...]
    """The names of its objectives, and of all that was measured."""


def campaigned(state: CampaignState, space: Space) -> Campaigned:
    """Return the campaign of *state* over *space*."""
    names = [objective.name for objective in state.terms.objectives]
    names += [name for one in state.observations for name in one.values]
    return Campaigned(state, space, tuple(dict.fromkeys(names)))


def measured_of(text: str) -> tuple[str, Measured]:
    """Return name and value of ``name=0.42±0.03``; ConfigurationError says what is accepted.

    ``+-`` and ``+/-`` do as well; without a sigma the uncertainty isn't known.
    """
    match = _VALUE.fullmatch(text)
    mean = None if match is None else _number(match[2])
    sigma = None if match is None else _number(match[3] or "0")
    if match is None or mean is None or sigma is None or sigma < 0:
        raise ConfigurationError(f"{text!r}: accepted: name=0.42±0.03, or name=0.42")
    return match[1], Measured(mean, sigma)


def pair_of(text: str) -> tuple[str, str]:
    """Return the two sides of ``name=value``; ConfigurationError where there aren't two."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ConfigurationError(f"{text!r}: accepted: name=value, a parameter and its value")
    return name.strip(), value.strip()


def point_of(at: Sequence[str], space: Space) -> dict[str, Value]:
    """Return the point that ``name=value`` pairs say, typed; ConfigurationError with every fault.

    Every parameter of *space* must be there, within what is allowed.
    """
    given: dict[str, str] = {}
    for name, text in map(pair_of, at):
        if name in given:
            raise ConfigurationError(f"--at {name}: stands there more than once")
        given[name] = text
    point, faults = _typed(given, space)
    problems = [Problem("--at", why, None, name, "", accepted) for name, why, accepted in faults]
    if not problems:
        problems = [Problem("--at", reason) for reason in space.check(point)]
    if problems:
        raise ConfigurationError(problems=problems)
    return {name: point[name] for name in space.names}


def experiment_of(state: CampaignState, text: str) -> str:
    """Return the id of the experiment that *text* begins; ConfigurationError for none or several.

    *text* itself where no experiment begins like it: it may be one to be told of.
    """
    names = {*state.begun, *(one.experiment for one in state.observations), *state.retracted}
    found = [name for name in sorted(names) if name.startswith(text)]
    if text in names or not found:
        return text
    if len(found) > 1:
        raise ConfigurationError(f"experiment {text!r}: could be any of {', '.join(found)}")
    return found[0]


def rows_of(path: Path, campaign: Campaigned) -> list[Row]:
    """Return the rows of the CSV file *path*; ConfigurationError with every problem of its form.

    Its columns are parameters, values, values with ``_sigma`` (their standard uncertainties), and
    ``experiment``; none is needed but a value.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    if len(content) > LARGEST_BYTES:
        raise ConfigurationError(f"{path}: is larger than {LARGEST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        lines = list(_lines(text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: is no table of text (CSV, UTF-8): {error}") from error
    if not lines:
        raise ConfigurationError(f"{path}: is empty; its first line names the columns")
    (at, header), *rest = lines
    problems = list(_header_problems(str(path), at, header, campaign))
    if problems:
        raise ConfigurationError(problems=problems)
    rows, problems = [], []
    for line, cells in rest:
        row, more = _row(_Line(str(path), line, cells), header, campaign)
        rows += [row] if row is not None else []
        problems += more
    if not rest:
        problems = [Problem(str(path), "has no line but that of the columns", at)]
    if problems:
        raise ConfigurationError(problems=problems)
    return rows


def events_of(told: Told, campaign: Campaigned) -> list[Event]:
    """Return the events that say what was *told*, in order.

    Of an experiment whose observation lacks the values they are added to it. Raises
    ConfigurationError with every problem of every row: nothing is taken then.
    """
    state, events, problems = campaign.state, [], []
    seen: Counter[str] = Counter()
    for row in told.rows:
        faults = list(_faults(row, campaign))
        event = None if faults else _event(row, told, campaign, seen)
        reason = "" if event is None else reason_against(state, event)
        faults += [(EXPERIMENT, reason, "")] if reason else []
        problems += [Problem(told.file, why, row.line, key, "", ok) for key, why, ok in faults]
        if event is not None and not reason:
            events.append(event)
            state = apply(state, event, state.latest)
    if problems:
        raise ConfigurationError(problems=problems)
    return events


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True, skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, [cell.strip() for cell in cells]


def _header_problems(
    file: str, line: int, header: list[str], campaign: Campaigned
) -> Iterator[Problem]:
    known = [*campaign.space.names, EXPERIMENT]
    known += [name for value in campaign.values for name in (value, value + SIGMA)]
    for name in dict.fromkeys(header):
        if name not in known:
            yield Problem(file, "no such column", line, name, "", suggestion(name, known))
        elif header.count(name) > 1:
            yield Problem(file, "stands there more than once", line, name)
        elif name.endswith(SIGMA) and name.removesuffix(SIGMA) not in header:
            yield Problem(file, f"has no column {name.removesuffix(SIGMA)!r} beside it", line, name)
    if not set(header) & set(campaign.values):
        accepted = ", ".join(campaign.values)
        yield Problem(file, "no column is a value", line, accepted=accepted)


@dataclass(frozen=True, slots=True)
class _Line:
    file: str
    line: int
    cells: Sequence[str]

    def problem(self, column: str, message: str, value: str = "", accepted: str = "") -> Problem:
        return Problem(self.file, message, self.line, column, value, accepted)


def _row(line: _Line, header: list[str], campaign: Campaigned) -> tuple[Row | None, list[Problem]]:
    if len(line.cells) != len(header):
        message = f"has {len(line.cells)} cells, and there are {len(header)} columns"
        return None, [line.problem("", message)]
    given = {name: cell for name, cell in zip(header, line.cells, strict=True) if cell}
    values: dict[str, Measured] = {}
    problems = []
    for name in [n for n in given if n in campaign.values]:
        mean, sigma = _number(given[name]), _number(given.get(name + SIGMA, "0"))
        if mean is None:
            problems.append(line.problem(name, "is no number", given[name], "0.42"))
        elif sigma is None or sigma < 0:
            column, accepted = name + SIGMA, "0 (not known) or more"
            problems.append(line.problem(column, "is no sigma", given[column], accepted))
        else:
            values[name] = Measured(mean, sigma)
    point = {name: text for name, text in given.items() if name in campaign.space.names}
    return Row(line.line, given.get(EXPERIMENT, ""), point, values), problems


def _faults(row: Row, campaign: Campaigned) -> Iterator[tuple[str, str, str]]:
    """Yield key, fault and what is accepted, for all that is wrong with *row* by itself."""
    if not row.values:
        yield "", "has no value", ", ".join(campaign.values)
    for name in row.values:
        if name not in campaign.values:
            yield name, "no such value", suggestion(name, campaign.values)
    known = _known_point(row, campaign.state)
    if known is None or row.point:
        point, faults = _typed(row.point, campaign.space)
        yield from faults
        if faults:
            return
        whole = campaign.space.check if campaign.space.pool is not None else campaign.space.faults
        for reason in whole({**(known or {}), **point}):
            yield "", reason, ""
        if known is not None and any(known.get(name) != value for name, value in point.items()):
            yield "", "is another point than that experiment's; leave the parameters out", ""


def _typed(
    point: Mapping[str, str], space: Space
) -> tuple[dict[str, Value], list[tuple[str, str, str]]]:
    typed: dict[str, Value] = {}
    faults = []
    for name, text in point.items():
        if name not in space.names:
            faults.append((name, "no such parameter", suggestion(name, space.names)))
            continue
        parameter = space.parameter(name)
        value = text if isinstance(parameter, Categorical) else _number(text)
        if value is None:
            faults.append((name, f"{text!r} is no number", parameter.accepts))
        elif isinstance(parameter, Integer) and isinstance(value, float) and value.is_integer():
            typed[name] = int(value)
        else:
            typed[name] = value
    return typed, faults


def _known_point(row: Row, state: CampaignState) -> Parameters | None:
    """Return where the experiment of *row* was made, None for one that nobody knows."""
    name = experiment_of(state, row.experiment) if row.experiment else ""
    for one in state.observations:
        if one.experiment == name:
            return one.parameters
    return state.suggestions[state.begun[name]].parameters if name in state.begun else None


def _event(row: Row, told: Told, campaign: Campaigned, seen: Counter[str]) -> Event:
    state = campaign.state
    name = experiment_of(state, row.experiment) if row.experiment else ""
    about: dict[str, Any] = {"person": told.person, "reason": told.reason}
    before = next((one for one in state.observations if one.experiment == name), None)
    if before is not None and not set(before.values) & set(row.values):
        return ObservationAmended(experiment_id=name, values=dict(row.values), **about)
    known = _known_point(row, state)
    point = known if known is not None else _typed(row.point, campaign.space)[0]
    if not name:
        content = digest_of({"point": point, "values": row.values})
        name = derived_id(state.campaign_id, "told", content, seen[content])
        seen[content] += 1
    observation = Observation(experiment=name, parameters=point, values=dict(row.values))
    return ObservationTold(observation=observation, **about)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
