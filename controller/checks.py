"""What must be true of a campaign beyond its form, one function per topic.

Each yields the problems of its topic and raises nothing for what a user wrote. Topics whose
values were refused already are left out, so that one mistake isn't reported twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from agents.errors import SpaceError
from agents.protocols import Goal
from agents.space import Space
from controller.beamline import Beamline
from controller.campaign import Campaign, Chosen
from controller.errors import ConfigurationError, ExpressionError, Problem
from controller.expressions import parse
from controller.reading import Source, Way
from controller.resolving import absolute
from controller.safety.envelope import EnvelopeFile
from controller.spaces import Table, constants_of, objectives_of, space_of
from controller.validation import problems_of, suggestion
from instruments.recipes import Recipe


class PlanLike(Protocol):
    """What must be known of a plan to check its arguments; ``instruments.catalogue`` has it."""

    @property
    def station(self) -> str:
        """The kind of station that it runs on."""
        ...

    @property
    def arguments(self) -> type[Recipe]:
        """The model of its arguments."""
        ...


@dataclass(frozen=True)
class Installed:
    """What this installation offers by name; a None says that options aren't checked here.

    ``read_table(folder, objectives)`` returns a recorded table or raises ConfigurationError.
    """

    plans: Mapping[str, PlanLike]
    agents: Mapping[str, type[BaseModel] | None]
    reducers: Mapping[str, type[BaseModel] | None]
    twins: Mapping[str, type[BaseModel] | None]
    read_table: Callable[[Path, Sequence[str]], Table]
    now: datetime


@dataclass(frozen=True)
class Case:
    """One campaign under examination. ``refused`` names the keys whose values are no good."""

    campaign: Campaign
    source: Source
    installed: Installed
    beamline: Beamline | None = None
    beamline_source: Source | None = None
    envelope: EnvelopeFile | None = None
    table: Table | None = None
    refused: frozenset[str] = field(default_factory=frozenset)

    @property
    def folder(self) -> Path:
        """The folder of the campaign file, from the root."""
        return Path(self.source.file).resolve().parent

    @property
    def recorded(self) -> bool:
        """Whether the bench is a recorded table."""
        return self.beamline is not None and self.beamline.table is not None

    def problem(self, way: Way, message: str, accepted: str = "") -> Problem:
        """Return a problem with the value at *way* of the campaign file."""
        value: Any = self.source.data
        for step in way:
            inside = isinstance(value, dict) and step in value
            inside = inside or (isinstance(value, list) and isinstance(step, int))
            value = value[step] if inside else None
        shown = None if isinstance(value, (dict, list)) else value
        return self.source.problem(way, message, accepted, shown)


def check_metadata(case: Case) -> Iterator[Problem]:
    """Every required key has a value."""
    if case.beamline is None or "metadata" in case.refused:
        return
    for key in case.beamline.metadata.missing(case.campaign.metadata):
        message = f"is missing; beamline {case.beamline.name!r} requires it in every campaign"
        yield case.problem(("metadata", key), message)


def check_until(case: Case) -> Iterator[Problem]:
    """The end is yet to come."""
    until = case.campaign.until
    if until is not None and until <= case.installed.now:
        yield case.problem(
            ("until",), "is past", f"a time after {case.installed.now:%Y-%m-%d %H:%M %Z}"
        )


def check_chosen(case: Case) -> Iterator[Problem]:
    """Agent, reducer and twin are known, and take their options."""
    if "agent" not in case.refused:
        yield from _choice(case, "agent", case.campaign.agent, case.installed.agents)
    reducer = case.campaign.reducer
    if "reducer" not in case.refused and reducer is not None:
        yield from _choice(case, "reducer", reducer, case.installed.reducers)
        yield from _references(case, reducer)
    twin = None if case.beamline is None else case.beamline.twin
    if twin is not None and case.beamline_source is not None and not case.recorded:
        there = Case(case.campaign, case.beamline_source, case.installed)
        chosen = Chosen(name=twin.name, options=twin.options)
        yield from _choice(there, "twin", chosen, case.installed.twins)


def _references(case: Case, reducer: Chosen) -> Iterator[Problem]:
    references = reducer.options.get("references")
    if isinstance(references, str) and not Path(absolute(references, case.folder)).is_dir():
        message = f"there is no folder {absolute(references, case.folder)}"
        accepted = "a path seen from the campaign file"
        yield case.problem(("reducer", "options", "references"), message, accepted)


def _choice(
    case: Case, key: str, chosen: Chosen, known: Mapping[str, type[BaseModel] | None]
) -> Iterator[Problem]:
    if chosen.name not in known:
        yield case.problem((key, "name"), f"no such {key}", suggestion(chosen.name, known))
        return
    model = known[chosen.name]
    if model is None:
        return
    try:
        model.model_validate(chosen.options)
    except ValidationError as error:
        has_options = "options" in (case.source.data.get(key) or {})
        way = (key, "options") if has_options else (key,)
        yield from problems_of(error, model, case.source, way)


def check_objectives(case: Case) -> Iterator[Problem]:
    """Something is wanted, and the goal speaks of it."""
    if "objectives" in case.refused or case.beamline is None:
        return
    objectives = objectives_of(case.campaign, case.table)
    if not objectives and not case.recorded:
        yield case.problem(("objectives",), "is missing; name what is wanted, with its goal")
        return
    goal = case.campaign.goal
    if goal is None or not objectives:
        return
    wanted = {objective.name: objective for objective in objectives}.get(goal.objective)
    if wanted is None:
        accepted = suggestion(goal.objective, [objective.name for objective in objectives])
        yield case.problem(("goal", "objective"), "no such objective", accepted)
    elif wanted.goal is Goal.MAXIMIZE and goal.at_least is None:
        yield case.problem(("goal", "at_most"), "the objective is maximized", "at_least")
    elif wanted.goal is Goal.MINIMIZE and goal.at_most is None:
        yield case.problem(("goal", "at_least"), "the objective is minimized", "at_most")


def check_bench(case: Case) -> Iterator[Problem]:
    """A recorded bench brings space and plan; every other bench needs them said."""
    if case.beamline is None:
        return
    named = {
        "space": case.campaign.space,
        "plan": case.campaign.plan,
        "reducer": case.campaign.reducer,
        "safety": case.campaign.safety,
    }
    for key, value in named.items():
        if key in case.refused:
            continue
        if value is not None and case.recorded and key in ("space", "safety"):
            message = "a recorded bench takes it from its table; leave it out"
            yield case.source.problem((key,), message)
        if value is None and not case.recorded:
            message = f"is missing; beamline {case.beamline.name!r} can't be used without"
            yield case.source.problem((key,), message)


def check_expressions(case: Case) -> Iterator[Problem]:
    """Constraints and forbidden regions speak of numeric parameters, or fixed plan arguments."""
    numeric, others = _names(case)
    if not numeric and not others:
        return
    constants = constants_of(case.campaign)
    for way, text in _expressions(case):
        names = {name for comparison in parse(text) for name in comparison.weights}
        for name in sorted(names - numeric - set(constants)):
            if name in others:
                message = f"{name!r} is categorical and can't stand in a sum"
                yield case.problem(way, message, "numeric parameters")
            else:
                accepted = suggestion(name, numeric | set(constants))
                yield case.problem(way, f"no parameter {name!r}", accepted)
        if names and names <= set(constants):
            yield case.problem(way, "names no parameter of the space", suggestion("", numeric))


def _names(case: Case) -> tuple[set[str], set[str]]:
    """Return the names of the numeric parameters, and of the others, refused ones included."""
    if case.table is not None:
        kinds = {column.name: column.type for column in case.table.parameters}
    else:
        raw = case.source.data.get("space")
        ranges = raw if isinstance(raw, dict) else {}
        kinds = {n: str(r.get("type")) if isinstance(r, dict) else "" for n, r in ranges.items()}
    others = {name for name, kind in kinds.items() if kind == "categorical"}
    return set(kinds) - others, others


def _expressions(case: Case) -> Iterator[tuple[Way, str]]:
    for i, constraint in enumerate(case.campaign.constraints):
        yield ("constraints", i, "expression"), constraint.expression
    for i, forbidden in enumerate(case.campaign.forbidden):
        for j, text in enumerate(forbidden.when):
            yield ("forbidden", i, "when", j), text


def feasible_space(case: Case) -> tuple[Space | None, list[Problem]]:
    """Return the space, or what makes it impossible; neither where too little is known."""
    if {"space", "constraints", "forbidden", "plan"} & case.refused:
        return None, []
    if case.campaign.space is None and case.table is None:
        return None, []
    try:
        return space_of(case.campaign, case.table), []
    except ExpressionError as error:
        return None, [case.problem(("constraints",), str(error))]
    except SpaceError as error:
        return None, [_space_problem(case, error)]


def _space_problem(case: Case, error: SpaceError) -> Problem:
    """Return *error* where it belongs: the constraint that a pool breaks, or the space."""
    way: Way = ("space",) if case.table is None else ("beamline",)
    if case.campaign.forbidden:
        way = ("forbidden",)
    if case.campaign.constraints:
        way = ("constraints",)
    hint = ""
    if case.table is not None and case.campaign.constraints:
        hint = f"a tolerance of at least {_needed_tolerance(case.campaign, case.table):.3g}"
    return case.source.problem(way, str(error), hint)


def _needed_tolerance(campaign: Campaign, table: Table) -> float:
    """Return by how much the worst point of the pool misses a constraint."""
    bare = campaign.model_copy(update={"constraints": ()})
    worst = 0.0
    constants = constants_of(bare)
    for constraint in campaign.constraints:
        for comparison in parse(constraint.expression):
            limit = comparison.constraint(constants=constants)
            for point in table.pool:
                if not limit.holds(point):
                    worst = max(worst, abs(limit.value(point) - limit.bound))
    return worst


def read_recorded(folder: str, case: Case) -> tuple[Table | None, list[Problem]]:
    """Return the recorded table in *folder* with the campaign's objectives, or its problems."""
    wanted = [] if "objectives" in case.refused else case.campaign.objectives
    try:
        return case.installed.read_table(Path(folder), [one.name for one in wanted]), []
    except ConfigurationError as error:
        return None, list(error.problems)
