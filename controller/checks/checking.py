"""Examines a campaign file and everything that it refers to, and tells all that is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.checks import checks
from controller.checks.agents import check_agent
from controller.checks.cases import Case, Installed
from controller.checks.days import check_days
from controller.checks.devices import check_devices
from controller.checks.envelope import check_envelope
from controller.checks.envelope_reading import read_envelope
from controller.checks.metadata import check_metadata
from controller.checks.notify import check_notify
from controller.checks.people import check_people
from controller.checks.plans import check_plans
from controller.checks.stop import check_stop
from controller.earlier import with_earlier
from controller.errors import ConfigurationError, Problem
from controller.files.beamline import Beamline
from controller.files.campaign import Campaign
from controller.files.reading import Source, read_yaml
from controller.files.validation import validated
from controller.resolving import ResolvedCampaign, absolute, with_absolute_paths
from controller.spaces import objectives_of, space_of

__all__ = ["Installed", "check", "load"]

_STANDS_IN: dict[str, Any] = {"name": "?", "beamline": "?", "budget": {"experiments": 1}}
"""For keys that a campaign must have and whose value is refused, so that the rest is examined."""

Step = tuple[Case, list[Problem]]


def check(path: Path, installed: Installed) -> list[Problem]:
    """Return every problem of the campaign file at *path*; none: it can be run.

    An envelope file is examined by itself; what its station has only a campaign can tell.
    """
    source = read_yaml(path)
    if _is_envelope(source):
        return _once([*source.problems, *read_envelope(source)[1]])
    return _examine(path, installed)[1]


def _is_envelope(source: Source) -> bool:
    data = source.data
    return isinstance(data, dict) and "limits" in data and not {"beamline", "budget"} & data.keys()


def load(path: Path, installed: Installed) -> ResolvedCampaign:
    """Return the campaign at *path* and all it refers to; ConfigurationError with every problem."""
    resolved, problems = _examine(path, installed)
    if resolved is None:
        raise ConfigurationError(problems=problems)
    return resolved


def _examine(path: Path, installed: Installed) -> tuple[ResolvedCampaign | None, list[Problem]]:
    source = read_yaml(path)
    if source.data is None and source.problems:
        return None, list(source.problems)
    campaign, problems, refused = _form(source)
    problems = [*source.problems, *problems]
    if campaign is None:
        return None, problems
    case = Case(campaign, source, installed, refused=refused)
    for step in (_with_beamline, _with_envelope, _with_table):
        case, more = step(case)
        problems += more
    problems += _meaning(case)
    if problems or case.beamline is None:
        return None, _once(problems)
    resolved = with_absolute_paths(campaign, case.beamline, path)
    agent = with_earlier(
        resolved.campaign.agent,
        space_of(campaign, case.table),
        objectives_of(campaign, case.table),
        installed.read_table,
    )
    campaign = resolved.campaign.model_copy(update={"agent": agent})
    return resolved.model_copy(update={"campaign": campaign, "envelope": case.envelope}), []


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _form(source: Source) -> tuple[Campaign | None, list[Problem], frozenset[str]]:
    """Return the campaign, what is wrong with its form, and the keys whose values are refused.

    What is refused is left out, so that the meaning of the rest can still be examined.
    """
    campaign, problems = validated(Campaign, source)
    if campaign is not None or not isinstance(source.data, dict):
        return campaign, problems, frozenset()
    ways = [tuple(problem.key.split(".")) for problem in problems]
    data = {key: value for key, value in source.data.items() if (key,) not in ways}
    refused = {way[0] for way in ways}
    space = data.get("space")
    if isinstance(space, dict) and all(len(way) > 1 for way in ways if way[0] == "space"):
        wrong = {way[1] for way in ways if way[0] == "space"}
        data["space"] = {name: range_ for name, range_ in space.items() if name not in wrong}
    data = {key: data[key] for key in data if key not in refused or key == "space"}
    if not data.get("space"):
        data.pop("space", None)
    rest, _ = validated(Campaign, Source(source.file, _STANDS_IN | data, source.lines))
    return rest, problems, frozenset(refused)


def _referred(case: Case, key: str, path: str | None) -> tuple[Source | None, list[Problem]]:
    """Return the file that *key* of the campaign refers to; its own problems are its own."""
    if path is None or key in case.refused:
        return None, []
    place = absolute(path, case.folder)
    if not Path(place).is_file():
        message = f"there is no file {place}"
        return None, [case.problem((key,), message, "a path seen from the campaign file")]
    source = read_yaml(Path(place))
    return source, list(source.problems)


def _with_beamline(case: Case) -> Step:
    source, problems = _referred(case, "beamline", case.campaign.beamline)
    if source is None or (source.data is None and problems):
        return case, problems
    beamline, more = validated(Beamline, source)
    return replace(case, beamline=beamline, beamline_source=source), problems + more


def _with_envelope(case: Case) -> Step:
    source, problems = _referred(case, "safety", case.campaign.safety)
    if source is None or (source.data is None and problems):
        return case, problems
    envelope, more = read_envelope(source, case.units)
    return replace(case, envelope=envelope, envelope_source=source), problems + more


def _with_table(case: Case) -> Step:
    if case.beamline is None or case.beamline.table is None or case.beamline_source is None:
        return case, []
    folder = absolute(case.beamline.table, Path(case.beamline_source.file).parent)
    table, problems = checks.read_recorded(folder, case)
    return replace(case, table=table), problems


def _meaning(case: Case) -> list[Problem]:
    problems = [problem for topic in _TOPICS for problem in topic(case)]
    space = None
    if not any(problem.key.startswith(("constraints", "forbidden")) for problem in problems):
        space, more = checks.feasible_space(case)
        problems += more
    return [*problems, *check_plans(case, space), *check_agent(case, space)]


_TOPICS: tuple[Callable[[Case], Any], ...] = (
    check_metadata,
    checks.check_until,
    checks.check_chosen,
    checks.check_objectives,
    check_stop,
    checks.check_bench,
    check_devices,
    check_envelope,
    check_people,
    checks.check_expressions,
    check_days,
    check_notify,
)
