"""What must be true of a campaign beyond its form, one function per topic.

Each yields the problems of its topic and raises nothing for what a user wrote. Topics whose
values were refused already are left out, so that one mistake isn't reported twice.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from agents.errors import SpaceError
from agents.protocols import Goal
from agents.space import Space
from controller.checks.cases import Case
from controller.clock import VIRTUAL_START
from controller.errors import ConfigurationError, ExpressionError, Problem
from controller.files.campaign import Campaign, Chosen
from controller.files.expressions import Comparison, parse
from controller.files.reading import Way
from controller.files.validation import problems_at, suggestion
from controller.reducers import FOLDERS
from controller.resolving import absolute
from controller.spaces import Table, constants_of, objectives_of, space_of
from models.errors import ModelError
from models.spectra.references import load_references


def check_until(case: Case) -> Iterator[Problem]:
    """The end is yet to come."""
    until = case.campaign.until
    simulated = case.beamline is not None and case.beamline.twin is not None
    begins = VIRTUAL_START if simulated else case.installed.now
    if until is not None and until <= begins:
        why = ", when the clock of a simulated bench begins" if simulated else ""
        yield case.problem(("until",), "is past", f"a time after {begins:%Y-%m-%d %H:%M %Z}{why}")


def check_chosen(case: Case) -> Iterator[Problem]:
    """Agent, reducer and twin are known, and take their options."""
    if "agent" not in case.refused:
        yield from _choice(case, "agent", case.campaign.agent, case.installed.agents)
    reducer = case.campaign.reducer
    if "reducer" not in case.refused and reducer is not None:
        yield from _choice(case, "reducer", reducer, case.installed.reducers)
        yield from _references(case, reducer)
    if case.beamline is None or case.beamline_source is None or case.recorded:
        return
    twin = case.beamline.twin
    if twin is not None:
        there = Case(case.campaign, case.beamline_source, case.installed)
        chosen = Chosen(name=twin.name, options=twin.options)
        yield from _choice(there, "twin", chosen, case.installed.twins)
        yield from _stands_in(there, twin.name, case.beamline.station)


def _stands_in(case: Case, twin: str, station: str) -> Iterator[Problem]:
    """The twin is one of the beamline's station."""
    wanted = case.installed.stations.get(twin)
    if wanted not in {None, station}:
        message = f"twin {twin!r} stands in for a station {wanted!r}, this is {station!r}"
        fitting = [name for name, its in case.installed.stations.items() if its == station]
        yield case.problem(("twin", "name"), message, ", ".join(fitting) or "no twin")


def _phases(case: Case, folder: Path, reducer: Chosen) -> Iterator[Problem]:
    """The folder has a CIF file of each phase that is reported."""
    known = sorted(path.stem for path in folder.glob("*.cif"))
    names = reducer.options.get("names")
    for phase in names if isinstance(names, dict) else ():
        if phase not in known:
            way: Way = ("reducer", "options", "names", phase)
            message = f"there is no {phase}.cif in {folder}"
            yield case.problem(way, message, suggestion(phase, known))


def _references(case: Case, reducer: Chosen) -> Iterator[Problem]:
    """The folder of references can be used, and has the labels that are named."""
    way = ("reducer", "options")
    said = {key: reducer.options.get(key) for key in FOLDERS}
    named = {
        key: Path(absolute(folder, case.folder))
        for key, folder in said.items()
        if isinstance(folder, str)
    }
    for key, place in named.items():
        if not place.is_dir():
            accepted = "a path seen from the campaign file"
            yield case.problem((*way, key), f"there is no folder {place}", accepted)
            return
    if "cifs" in named:
        yield from _phases(case, named["cifs"], reducer)
    if "references" not in named:
        return
    try:
        labels = load_references(named["references"]).labels
    except ModelError as error:
        yield case.problem((*way, "references"), str(error))
        return
    names = reducer.options.get("names")
    for label in names if isinstance(names, dict) else ():
        if label not in labels:
            accepted = suggestion(label, labels)
            yield case.problem((*way, "names", label), "no reference has this label", accepted)


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
        yield from problems_at(error.errors(), model, case.source, way)


def check_objectives(case: Case) -> Iterator[Problem]:
    """Something is wanted, and the goal speaks of it."""
    if "objectives" in case.refused or case.beamline is None:
        return
    objectives = objectives_of(case.campaign, case.table)
    if not objectives and not case.recorded:
        yield case.problem(("objectives",), "is missing; name what is wanted, with its goal")
        return
    yield from _reduced(case, [objective.name for objective in objectives])
    yield from _in_the_units_of_the_table(case)
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


def _reduced(case: Case, wanted: list[str]) -> Iterator[Problem]:
    """What is wanted is what a reducer with given names reports."""
    reducer = case.campaign.reducer
    names = None if reducer is None else reducer.options.get("names")
    if not isinstance(names, dict):
        return
    reported = [str(name) for name in names.values()]
    for i, name in enumerate(wanted):
        if name not in reported:
            message = "isn't among the names that the reducer reports"
            yield case.problem(("objectives", i, "name"), message, suggestion(name, reported))


def _in_the_units_of_the_table(case: Case) -> Iterator[Problem]:
    """A recorded value is taken as it is: it can't be wanted in another unit."""
    units = {result.name: result.unit for result in case.table.objectives} if case.table else {}
    for i, wanted in enumerate(case.campaign.objectives):
        unit = units.get(wanted.name, "")
        if unit and wanted.unit and wanted.unit.strip() != unit:
            message = "the recorded table has it in another unit"
            yield case.problem(("objectives", i, "unit"), message, unit)


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
        if value is not None and case.recorded and key == "space":
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
    for way, comparisons in _expressions(case):
        names = {name for comparison in comparisons for name in comparison.weights}
        for name in sorted(names - numeric - set(constants)):
            if name in others:
                message = f"{name!r} is categorical and can't stand in a sum"
                yield case.problem(way, message, "numeric parameters")
            else:
                accepted = suggestion(name, numeric | set(constants))
                yield case.problem(way, f"no parameter {name!r}", accepted)
        if names and names <= set(constants):
            yield case.problem(way, "names no parameter of the space", suggestion("", numeric))


def parameter_names(case: Case) -> frozenset[str]:
    """Return the names of all parameters, those with a refused range included."""
    numeric, others = _names(case)
    return frozenset(numeric | others)


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


def _expressions(case: Case) -> Iterator[tuple[Way, tuple[Comparison, ...]]]:
    """Yield every expression of the file that can be read, and where it stands."""
    for key, inside in (("constraints", "expression"), ("forbidden", "when")):
        entries = case.source.data.get(key)
        for i, entry in enumerate(entries if isinstance(entries, list) else []):
            found = entry.get(inside) if isinstance(entry, dict) else None
            texts: dict[Way, object] = {} if isinstance(found, list) else {(key, i, inside): found}
            if isinstance(found, list):
                texts = {(key, i, inside, j): text for j, text in enumerate(found)}
            for way, text in texts.items():
                with suppress(ExpressionError):  # told where its form is examined
                    yield way, parse(text) if isinstance(text, str) else ()


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
    wanted = () if "objectives" in case.refused else case.campaign.objectives
    names = [one.name for one in wanted]
    try:
        return case.installed.read_table(Path(folder), names), []
    except ConfigurationError as error:
        table, unknown = _without_objectives(folder, names, case)
        return table, unknown or list(error.problems) or [Problem(folder, str(error))]


def _without_objectives(
    folder: str, names: list[str], case: Case
) -> tuple[Table | None, list[Problem]]:
    """Return the table in *folder*, and which of *names* it doesn't have; None if unreadable."""
    try:
        table = case.installed.read_table(Path(folder), [])
    except ConfigurationError:
        return None, []
    known = [result.name for result in table.objectives]
    message = f"the recorded table {table.name!r} has no such objective"
    return table, [
        case.problem(("objectives", i, "name"), message, suggestion(name, known))
        for i, name in enumerate(names)
        if name not in known
    ]
