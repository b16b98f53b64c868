"""A plan of the user's own, as the controller wants one: arguments typed by its signature."""

import inspect
import typing
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from pydantic import ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from instruments.errors import PlanError
from instruments.generic_plans import part
from instruments.plans import Plan
from instruments.recipes import Recipe

STATION = "station"
"""A plan whose first argument is called so gets the station; every other gets devices by name."""

IDENTITY = "experiment_id"
"""A plan that takes an argument of this name is told the experiment, for the instrument to keep."""
LOOK_UP = "look_up"
"""The attribute of a plan that asks the instrument, given station and experiment id."""
READINGS = "readings"
"""The attribute of a plan whose way depends on readings: lowest and highest by dotted signal."""


class OpenRecipe(Recipe):
    """Base of arguments of a plan that takes any (``**kwargs``)."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


def recipe_of(name: str, function: Callable[..., Any]) -> type[Recipe]:
    """Return the model of the arguments of *function*; PlanError where it can't be called by name.

    An annotation that values of a file can't have (a device's) accepts whatever stands there.
    """
    hints = _hints(function)
    fields: dict[str, Any] = {}
    base: type[Recipe] = Recipe
    for parameter in _parameters(name, function):
        if parameter.kind is parameter.VAR_KEYWORD:
            base = OpenRecipe
            continue
        if parameter.name == IDENTITY:
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (_accepted(hints.get(parameter.name, Any)), default)
    return create_model(f"Arguments of {name}", __base__=base, **fields)


def takes_identity(function: Callable[..., Any]) -> bool:
    """Whether *function* asks for the experiment's id."""
    return IDENTITY in inspect.signature(function).parameters


def look_up_of(name: str, function: Callable[..., Any]) -> Callable[[Any, str], Plan] | None:
    """Return the plan that asks the instrument what became of an experiment, None for none.

    Raises PlanError for one that isn't a plan of station and experiment id.
    """
    found = getattr(function, LOOK_UP, None)
    if found is None:
        return None
    try:
        inspect.signature(found).bind("station", "id")
    except (TypeError, ValueError) as error:
        raise PlanError(
            f"plan {name!r}: look_up takes station and experiment id: {error}"
        ) from error
    return lambda station, experiment_id: _plan_of(found(station, experiment_id), LOOK_UP)


def readings_of(name: str, function: Callable[..., Any]) -> dict[str, tuple[float, float]]:
    """Return between which values signals read that decide what *function* does.

    Raises PlanError for what isn't two numbers for each signal.
    """
    declared = getattr(function, READINGS, {})
    try:
        found = {str(signal): (float(low), float(high)) for signal, (low, high) in declared.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise PlanError(
            f"plan {name!r}: readings: {declared!r}; accepted: {{'diode.value': (0.0, 10.0)}}"
        ) from error
    wrong = [signal for signal, (low, high) in found.items() if not -inf < low <= high < inf]
    if wrong:
        raise PlanError(f"plan {name!r}: readings: {', '.join(wrong)}: low must not be above high")
    return found


def runner_of(function: Callable[..., Any]) -> Callable[..., Plan]:
    """Return what runs *function* on a station with the arguments of its recipe.

    It is given the station, if it asks for it; else devices in the place of their names, unless
    the argument is annotated as text; and the experiment's id, a third argument, if it asks.
    """
    hints = _hints(function)

    def run(station: Any, recipe: Recipe, experiment_id: str = "") -> Plan:
        given = {name: getattr(recipe, name) for name in type(recipe).model_fields}
        given |= recipe.model_extra or {}
        known = {IDENTITY: experiment_id} if takes_identity(function) else {}
        if _takes_station(function):
            made = function(station, **given, **known)
        else:
            devices = {n: _device(station, hints.get(n), v) for n, v in given.items()}
            made = function(**devices, **known)
        return (yield from _plan_of(made, function.__name__))

    return run


def _plan_of(made: Any, name: str) -> Plan:
    """Return what *name* returned, where that is a plan."""
    if not inspect.isgenerator(made) and not hasattr(made, "__iter__"):
        raise PlanError(f"{name} returned {type(made).__name__}: not a plan")
    return (yield from made)


def _parameters(name: str, function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters[1:] if _takes_station(function) else parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise PlanError(
                f"plan {name!r}: {parameter} can't be given by name; write a plan that takes names"
            )
        yield parameter


def _takes_station(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters), "") == STATION


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except (NameError, TypeError, AttributeError):  # written for type checkers only
        return {}


def _accepted(hint: Any) -> Any:
    """Return *hint* where a file's values can have it, else anything."""
    try:
        TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError):
        return Any
    return hint


def _device(station: Any, hint: Any, value: Any) -> Any:
    """Return the device that *value* names, those of a list's names, or *value* itself."""
    if isinstance(value, (list, tuple)):
        return [_device(station, hint, inner) for inner in value]
    if not isinstance(value, str) or hint is str:
        return value
    if value.partition(".")[0] not in station.devices():
        return value
    return part(station, value)
