"""What must be true of a campaign's plans: names, arguments, units, and the hard limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.protocols import Value
from agents.space import Categorical, Parameter, Space
from controller.checks.cases import Case, PlanLike
from controller.checks.checks import parameter_names
from controller.checks.devices import check_names, limited_signal, moves_by_name
from controller.errors import ConfigurationError, Problem
from controller.files.plan_calls import PlanCall
from controller.files.reading import Way
from controller.files.units import compatible, convert
from controller.files.validation import problems_at, suggestion
from controller.safety.envelope.envelope import Envelope, Limit
from instruments.generic_recipes import ANY
from instruments.recipes import Recipe

_SAMPLES = 32
"""So many points of the space are tried as arguments of the plan."""
_CORNERED = 8
"""And all corners of a space of up to so many parameters."""


@dataclass(frozen=True)
class _Call:
    """A plan as the file calls it: under which key, with what, and what it takes."""

    key: str
    call: PlanCall
    recipe: type[Recipe]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The fixed arguments."""
        return self.call.arguments

    def way(self, name: str) -> Way:
        """Return where argument *name* stands."""
        return (self.key, "arguments", name)


def check_plans(case: Case, space: Space | None) -> Iterator[Problem]:
    """Plan and final plan exist for the station and get every argument that they need."""
    if case.beamline is None:
        return
    for key, call in (("plan", case.campaign.plan), ("finally", case.campaign.finally_)):
        if call is None or key in case.refused:
            continue
        spec = _known(case, key, call)
        if isinstance(spec, Problem):
            yield spec
            continue
        asked = _Call(key, call, spec.arguments)
        yield from check_names(case, key, call, asked.recipe)
        if key == "finally":
            yield from _rest(case, asked, frozenset())
        elif not case.recorded:
            yield from _varied(case, asked, space)
        yield from _limits(case, asked)


def _known(case: Case, key: str, call: PlanCall) -> PlanLike | Problem:
    """Return the plan that *call* names for the beamline's station, or what is wrong with it."""
    station = "" if case.beamline is None else case.beamline.station
    stations = (station,) if case.recorded else (station, ANY)
    known = {n: spec for n, spec in case.installed.plans.items() if spec.station in stations}
    if call.is_own and not case.recorded and case.beamline_source is not None:
        from controller.plans.specs import spec_of

        try:
            return spec_of(call, Path(case.beamline_source.file))
        except ConfigurationError as error:
            return case.problem((key, "name"), str(error), "package.module:function")
    if call.name not in known:
        message = f"no such plan on station {station!r}"
        return case.problem((key, "name"), message, suggestion(call.name, known))
    for said in ("effect", "longest"):
        if getattr(call, said) is not None and known[call.name].station != ANY:
            message = f"plan {call.name!r} knows that itself; leave it out"
            return case.problem((key, said), message)
    return known[call.name]


def _varied(case: Case, asked: _Call, space: Space | None) -> Iterator[Problem]:
    """A plan gets some arguments from the space: names, units, then values at sampled points."""
    named = [*_names_and_units(case, asked), *_rest(case, asked, parameter_names(case))]
    yield from named
    if not named and space is not None:
        yield from _tried(case, asked, space)


def _rest(case: Case, asked: _Call, spaced: frozenset[str]) -> Iterator[Problem]:
    """All arguments but those in *spaced* stand in the file, and are what the plan takes."""
    try:
        asked.recipe.model_validate(dict(asked.arguments))
    except ValidationError as error:
        faults = [f for f in error.errors() if f["type"] != "missing" or f["loc"][0] not in spaced]
        at: Way = (asked.key, "arguments")
        if at not in case.source.lines:
            at = (asked.key,)
        yield from problems_at(faults, asked.recipe, case.source, at)


def _names_and_units(case: Case, asked: _Call) -> Iterator[Problem]:
    fields, units = asked.recipe.model_fields, asked.recipe.units()
    for name, range_ in (case.campaign.space or {}).items():
        if name not in fields and asked.recipe.model_config.get("extra") != "allow":
            message = f"plan {asked.call.name!r} has no argument {name!r}"
            yield case.source.problem(("space", name), message, suggestion(name, fields))
        elif name in asked.arguments:
            message = f"{name!r} is a parameter of the space and can't be fixed as well"
            yield case.problem(asked.way(name), message)
        elif name in units and not compatible(range_.unit, units[name]):
            message = f"plan {asked.call.name!r} takes {name!r} in another unit"
            way: Way = ("space", name, "unit") if range_.unit else ("space", name)
            yield case.problem(way, message, f"{units[name]}, or what converts to it")


def _tried(case: Case, asked: _Call, space: Space) -> Iterator[Problem]:
    """Build the plan's arguments at points of the space; tell what fails first."""
    for point in [*_corners(space), *space.sample(_SAMPLES, seed=0)]:
        given = plan_arguments(space, point, asked.recipe.units())
        try:
            asked.recipe.model_validate({**asked.arguments, **given})
        except ValidationError as error:
            for fault in error.errors():
                message = str(fault["msg"]).removeprefix("Value error, ")
                yield _placed(case, asked, (message, *fault["loc"][:1]), point)
            return


def _corners(space: Space) -> list[Mapping[str, Value]]:
    """Return the corners of *space* that may be tried, where they are few."""
    if len(space.parameters) > _CORNERED:
        return []
    ends: list[tuple[Value, ...]] = [
        p.options[:1] if isinstance(p, Categorical) else (p.low, p.high) for p in space.parameters
    ]
    corners = [dict(zip(space.names, values, strict=True)) for values in product(*ends)]
    return [corner for corner in corners if not space.check(corner)]


def _placed(
    case: Case, asked: _Call, fault: tuple[str | int, ...], point: Mapping[str, Value]
) -> Problem:
    """Return *fault* (message, name) where the reader can mend it: at the parameter or the plan."""
    message, name = str(fault[0]), str(fault[1]) if len(fault) > 1 else ""
    if name in point:
        message = f"plan {asked.call.name!r}: {message} (at {_shown(point[name])})"
        return case.source.problem(("space", name), message)
    at = ", ".join(f"{key} = {_shown(value)}" for key, value in point.items())
    way = asked.way(name) if name else (asked.key,)
    return case.source.problem(way, f"{message}; at {at}", "bounds or constraints that fit")


def _shown(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plan_arguments(
    space: Space, point: Mapping[str, Value], units: Mapping[str, str]
) -> dict[str, Value]:
    """Return *point* of *space* as arguments of a plan that takes them in *units*.

    UnitError where a parameter's unit doesn't convert. Values whose units are spelled alike, or
    that have none in the plan, are as they were.
    """
    return {name: _in_unit(space.parameter(name), value, units) for name, value in point.items()}


def _in_unit(parameter: Parameter, value: Value, units: Mapping[str, str]) -> Value:
    unit = units.get(parameter.name, "")
    if isinstance(parameter, Categorical) or isinstance(value, str) or not unit:
        return value
    if parameter.unit == unit:
        return value
    return convert(float(value), parameter.unit, unit)


def _limits(case: Case, asked: _Call) -> Iterator[Problem]:
    """What the plan is told to write lies within the hard limits."""
    if case.envelope is None:
        return
    envelope, units = case.envelope.envelope(), asked.recipe.units()
    yield from _moved(case, asked, envelope)
    for name, signal in asked.recipe.signals().items():
        way, bounds, unit = _bounds(case, asked, name)
        if not bounds or envelope.is_free(signal):
            continue
        limit, ours = envelope.limits.get(signal), units.get(name, "")
        if limit is None:
            message = f"writes {signal}, which envelope {envelope.name!r} doesn't name"
            yield case.problem(way, message, "a limit for it, or an entry under free")
        elif isinstance(limit, Limit) and not compatible(limit.unit, ours):
            message = f"writes {signal} in {ours!r}; envelope {envelope.name!r} limits it in"
            yield case.source.problem(way, f"{message} {limit.unit!r}", "the same unit")
        elif isinstance(limit, Limit) and compatible(unit, limit.unit):
            yield from _outside(case, way, [convert(b, unit, limit.unit) for b in bounds], limit)


def _moved(case: Case, asked: _Call, envelope: Envelope) -> Iterator[Problem]:
    """Where a generic plan moves devices to, by their names and in their own units."""
    if not moves_by_name(asked.recipe):
        return
    spaced = (case.campaign.space or {}) if asked.key == "plan" else {}
    for name in sorted({*asked.arguments, *spaced} - asked.recipe.model_fields.keys()):
        limit = envelope.limits.get(limited_signal(name, envelope))
        way, bounds, unit = _bounds(case, asked, name)
        if not isinstance(limit, Limit) or not bounds:
            continue
        if name in spaced and unit.strip() != limit.unit:
            place: Way = (*way, "unit") if (*way, "unit") in case.source.lines else way
            message = f"goes to the device as it is, which envelope {envelope.name!r} limits in"
            yield case.source.problem(place, f"{message} {limit.unit!r}", limit.unit or "no unit")
        else:
            yield from _outside(case, way, bounds, limit)


def _bounds(case: Case, asked: _Call, name: str) -> tuple[Way, list[float], str]:
    """Return where argument *name* is given, the extremes of its values, and their unit."""
    range_ = (case.campaign.space or {}).get(name) if asked.key == "plan" else None
    if range_ is not None:
        values = getattr(range_, "values", None) or [
            getattr(range_, end) for end in ("low", "high") if hasattr(range_, end)
        ]
        return ("space", name), [min(values), max(values)] if values else [], range_.unit
    field = asked.recipe.model_fields.get(name)
    value = asked.arguments.get(name, None if field is None else field.default)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    way = asked.way(name) if name in asked.arguments else (asked.key,)
    return way, [float(value)] if number else [], asked.recipe.units().get(name, "")


def _outside(case: Case, way: Way, bounds: list[float], limit: Limit) -> Iterator[Problem]:
    ends = ("low", "high") if len(bounds) > 1 else ("",)
    for end, bound in zip(ends, bounds, strict=True):
        if limit.refuses(bound):
            place = (*way, end) if (*way, end) in case.source.lines else way
            message = f"{bound:.6g} {limit.unit} is outside the hard limits"
            yield case.source.problem(place, message, limit.accepts)
