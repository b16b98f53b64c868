"""A plan of the user's own, as the controller wants one: arguments typed by its signature."""

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from instruments.errors import PlanError
from instruments.generic_plans import part
from instruments.plans import Plan
from instruments.recipes import Recipe

STATION = "station"
"""A plan whose first argument is called so gets the station; every other gets devices by name."""


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
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (_accepted(hints.get(parameter.name, Any)), default)
    return create_model(f"Arguments of {name}", __base__=base, **fields)


def runner_of(function: Callable[..., Any]) -> Callable[[Any, Recipe], Plan]:
    """Return what runs *function* on a station with the arguments of its recipe.

    It is given the station, if it asks for it; else devices in the place of their names, unless
    the argument is annotated as text.
    """
    hints = _hints(function)

    def run(station: Any, recipe: Recipe) -> Plan:
        given = {name: getattr(recipe, name) for name in type(recipe).model_fields}
        given |= recipe.model_extra or {}
        if _takes_station(function):
            made = function(station, **given)
        else:
            made = function(**{n: _device(station, hints.get(n), v) for n, v in given.items()})
        if not inspect.isgenerator(made) and not hasattr(made, "__iter__"):
            raise PlanError(f"{function.__name__} returned {type(made).__name__}: not a plan")
        return (yield from made)

    return run


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
