"""Plans for any station: move what is named, trigger and read what is named.

Devices are named as the station knows them; a part of one by its dotted way (``slits.gap``).
The messages are yielded bare: bluesky's own plan stubs format a traceback for every message
they yield, which costs more than half of an event's time (``benchmarks/generic_plans.py``).
Limits are the gate's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import Msg

from instruments.errors import PlanError
from instruments.generic_recipes import LineRecipe, Position, ReadRecipe
from instruments.plans import Plan


def part(station: Any, name: str) -> Any:
    """Return the device or signal called *name* (``slits.gap``); PlanError where there is none."""
    first, *rest = name.split(".")
    found = station.devices().get(first)
    for step in rest:
        found = getattr(found, step, None)
    if found is None:
        known = ", ".join(station.devices())
        raise PlanError(f"the station has no {name!r}; its devices: {known}; nothing has moved")
    return found


def move_and_read(station: Any, recipe: ReadRecipe) -> Plan:
    """Move what is named all at once, then trigger and read the detectors ``num`` times."""
    moved = _movable(station, recipe.positions())
    read = _read(station, recipe, list(recipe.positions()))
    about = {"num_points": recipe.num, **recipe.metadata()}

    def body() -> Plan:
        yield from _go(moved, recipe)
        yield from _readings(read, recipe)

    yield from _run(read, about, recipe, body())


def scan_1d(station: Any, recipe: LineRecipe) -> Plan:
    """Move what is named, then step ``motor`` from start to stop and read at each point."""
    motor = next(iter(_movable(station, {recipe.motor: recipe.start})))
    moved = _movable(station, recipe.positions())
    read = _read(station, recipe, [recipe.motor, *recipe.positions()])
    places = np.linspace(recipe.start, recipe.stop, recipe.points).tolist()
    about = {
        "num_points": recipe.points * recipe.num,
        "hints": {"dimensions": [([_named(motor)], "primary")]},
        **recipe.metadata(),
    }

    def body() -> Plan:
        yield from _go(moved, recipe)
        for place in places:
            yield from _go({motor: place}, recipe)
            yield from _readings(read, recipe)

    yield from _run(read, about, recipe, body())


def _movable(station: Any, positions: Mapping[str, Position]) -> dict[Any, Position]:
    """Return where each part goes; PlanError for one that can't be set."""
    moved = {}
    for name, position in positions.items():
        device = part(station, name)
        if not callable(getattr(device, "set", None)):
            kind = type(device).__name__
            raise PlanError(f"{name} ({kind}) can't be moved; name its setpoint; nothing has moved")
        moved[device] = position
    return moved


def _read(station: Any, recipe: ReadRecipe, moved: Sequence[str]) -> list[Any]:
    """Return what is read, each once; a part of what is read anyway isn't read again."""
    found = [part(station, name) for name in recipe.detectors]
    for name in moved:
        device = part(station, name)
        if not any(owner in found for owner in _owners(device)):
            found.append(device)
    for device in found:
        if not callable(getattr(device, "read", None)):
            kind = type(device).__name__
            raise PlanError(f"{_named(device)} ({kind}) can't be read; nothing has moved")
    return list(dict.fromkeys(found))


def _owners(device: Any) -> Iterable[Any]:
    while device is not None:
        yield device
        device = getattr(device, "parent", None)


def _named(device: Any) -> str:
    return str(getattr(device, "name", "") or type(device).__name__)


def _run(read: Sequence[Any], about: Mapping[str, Any], recipe: ReadRecipe, body: Plan) -> Plan:
    """Stage what is read, do *body* in a run, unstage whatever happened."""
    yield from _all("stage", read, recipe.read_timeout)
    try:
        yield Msg("open_run", None, detectors=[*recipe.detectors], **about)
        yield from body
        yield Msg("close_run", None, exit_status=None, reason=None)
    finally:
        yield from _all("unstage", reversed(read), recipe.read_timeout)


def _all(verb: str, devices: Iterable[Any], timeout: float) -> Plan:
    """Do *verb* with every device at once, and wait until all have."""
    for device in devices:
        if hasattr(device, verb):
            yield Msg(verb, device, group=verb)
    yield Msg("wait", None, group=verb, timeout=timeout)


def _go(moved: Mapping[Any, Position], recipe: ReadRecipe) -> Plan:
    """Move all at once, wait until all have arrived, then let them settle."""
    yield Msg("checkpoint")
    if not moved:
        return
    for device, position in moved.items():
        yield Msg("set", device, position, group="move")
    yield Msg("wait", None, group="move", timeout=recipe.move_timeout)
    if recipe.settle:
        yield Msg("sleep", None, recipe.settle)


def _readings(read: Sequence[Any], recipe: ReadRecipe) -> Plan:
    """Trigger and read everything ``num`` times; an event each."""
    triggered = [device for device in read if hasattr(device, "trigger")]
    for number in range(recipe.num):
        if number:
            yield Msg("checkpoint")
            if recipe.delay:
                yield Msg("sleep", None, recipe.delay)
        for device in triggered:
            yield Msg("trigger", device, group="read")
        yield Msg("wait", None, group="read", timeout=recipe.read_timeout)
        yield Msg("create", None, name="primary")
        for device in read:
            yield Msg("read", device)
        yield Msg("save")
