"""One device from its entry in a beamline file: the class is found, its arguments are bound."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from controller.errors import Problem
from controller.files.beamline import DeviceEntry
from controller.files.reading import Source, Way
from controller.files.validation import suggestion

CLASS = "`package.module.Class`, installed or beside the beamline file"
_ANYTHING = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class EntryRefused(Exception):
    """An entry can't be built: the problem says where it stands and what is accepted."""

    def __init__(self, problem: Problem):
        self.problem = problem
        super().__init__(str(problem))


def build(name: str, entry: DeviceEntry, source: Source) -> Any:
    """Return the device *name* of *entry*, not connected; EntryRefused says what is wrong."""
    where: Way = ("devices", name)
    made_by = _class(entry.made_by, source, (*where, _key(entry)))
    given = _given(name, entry, made_by, (source, where))
    if entry.driver is not None:
        from controller.safety.devices.driver_device import device_of

        return device_of(name, made_by, given)
    try:
        return made_by(**given)
    except Exception as error:  # a constructor may raise anything; it is told to who wrote it
        message = f"{entry.made_by} can't be made: {type(error).__name__}: {error}"
        raise EntryRefused(source.problem(where, message)) from error


def check_entry(name: str, entry: DeviceEntry, source: Source) -> Problem | None:
    """Return what is wrong with *entry* as far as its class can say without being called."""
    where: Way = ("devices", name)
    try:
        _given(name, entry, _class(entry.made_by, source, (*where, _key(entry))), (source, where))
    except EntryRefused as refused:
        return refused.problem
    return None


def _key(entry: DeviceEntry) -> str:
    return "class" if entry.driver is None else "driver"


def _class(path: str, source: Source, way: Way) -> Callable[..., Any]:
    """Return what *path* (``package.module.Class`` or ``package.module:Class``) names."""
    module, _, name = path.rpartition(":" if ":" in path else ".")
    if not module or not name:
        raise EntryRefused(source.problem(way, "names no module", CLASS, path))
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        message = f"there is no module {error.name!r}"
        raise EntryRefused(source.problem(way, message, CLASS, path)) from error
    except Exception as error:  # what a module does when it is imported is its own
        message = f"importing {module} failed: {type(error).__name__}: {error}"
        raise EntryRefused(source.problem(way, message, value=path)) from error
    if callable(found):
        return found  # type: ignore[no-any-return]
    known = [n for n, v in vars(importlib.import_module(module)).items() if isinstance(v, type)]
    message = f"module {module!r} has no class {name!r}"
    raise EntryRefused(source.problem(way, message, _near(name, known), path))


def _near(name: str, known: list[str]) -> str:
    """Return the one that was meant; a module has too many to tell them all."""
    told = suggestion(name, known)
    return told.partition("?")[0] + "?" if told.startswith("did you mean") else CLASS


def _given(
    name: str, entry: DeviceEntry, made_by: Callable[..., Any], at: tuple[Source, Way]
) -> dict[str, Any]:
    """Return all arguments for *made_by* by name, or EntryRefused with the first that is wrong."""
    source, where = at
    takes = _parameters(made_by)
    anything = any(p.kind in _ANYTHING for p in takes.values())
    named = {n: p for n, p in takes.items() if p.kind not in _ANYTHING}
    given: dict[str, Any] = dict(entry.arguments)
    for argument in given:
        if argument not in named and not anything:
            way = (*where, "arguments", argument)
            message = f"{entry.made_by} has no such argument"
            raise EntryRefused(source.problem(way, message, suggestion(argument, named)))
    if "name" in named or anything:
        given.setdefault("name", name)
    first = _takes_prefix(named)
    if entry.driver is not None:
        first = None
    if entry.prefix is not None:
        if first is None or first in entry.arguments:
            message = f"{entry.made_by} takes no prefix"
            accepted = "none; name what it takes under arguments"
            way = (*where, "prefix")
            raise EntryRefused(source.problem(way, message, accepted, entry.prefix))
        given[first] = entry.prefix
    elif first is not None and first not in given:
        message = f"is missing; {entry.made_by} needs it ({first})"
        raise EntryRefused(source.problem((*where, "prefix"), message, "how its PVs begin"))
    for wanted, parameter in named.items():
        if parameter.default is parameter.empty and wanted not in given:
            message = f"is missing; {entry.made_by} needs it"
            raise EntryRefused(source.problem((*where, "arguments", wanted), message))
    return given


def _parameters(made_by: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(made_by).parameters
    except (TypeError, ValueError):  # written in C, or it hides what it takes
        return {}


def _takes_prefix(named: Mapping[str, inspect.Parameter]) -> str | None:
    """Return the argument that a prefix is: ``prefix``, a signal's PV, or the first one needed."""
    for known in ("prefix", "read_pv"):
        if known in named:
            return known
    for name, parameter in named.items():
        if parameter.kind in _PLACED and parameter.default is parameter.empty:
            return None if name == "name" else name
    return None
