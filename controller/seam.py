"""The one seam around bluesky, event-model and ophyd-async: their clocks and their ids.

These libraries read ``time.time``, ``time.monotonic`` and ``uuid.uuid4`` by module. While
a seam is open, every module of theirs sees the campaign's clock and derived ids instead,
so that a virtual campaign is exact in time and repeats to the byte. A test lists every
such binding in the pinned versions and fails when a new one appears.
"""

import dataclasses
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from controller.clock import Clock

LIBRARIES = ("bluesky", "event_model", "ophyd_async")


class Ids:
    """Derived ids: uuid5 of a namespace and a counter, so that the same run has the same uids."""

    def __init__(self) -> None:
        self._namespace = uuid.NAMESPACE_URL
        self._count = 0

    def begin(self, namespace: str) -> None:
        """Start the ids of *namespace* (the id of an experiment and attempt) from the first."""
        self._namespace = uuid.uuid5(uuid.NAMESPACE_URL, namespace)
        self._count = 0

    def uuid4(self) -> uuid.UUID:
        """Return the next id; stands where the libraries call ``uuid.uuid4``."""
        self._count += 1
        return uuid.uuid5(self._namespace, str(self._count))


def derived_id(*parts: object) -> str:
    """Return the id that belongs to *parts* (campaign, kind, counter), always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts)))


@contextmanager
def seam(clock: Clock, ids: Ids) -> Iterator[None]:
    """Give the libraries *clock* and *ids* for the length of a with block."""
    stand_ins = _stand_ins(clock, ids)
    changed: list[Callable[[], None]] = []
    try:
        for module, name, original in bindings():
            setattr(module, name, stand_ins[id(original)])
            changed.append(lambda m=module, n=name, o=original: setattr(m, n, o))  # type: ignore[misc]
        for cell in _default_factories():
            original = cell.cell_contents
            cell.cell_contents = stand_ins[id(original)]
            changed.append(lambda c=cell, o=original: setattr(c, "cell_contents", o))  # type: ignore[misc]
        yield
    finally:
        for undo in reversed(changed):
            undo()


def bindings() -> list[tuple[types.ModuleType, str, Any]]:
    """Return each (module, name, object) of the loaded libraries that is a clock or id source."""
    wanted = {id(original) for original in _originals()}
    return [
        (module, name, value)
        for module in _library_modules()
        for name, value in list(vars(module).items())
        if id(value) in wanted
    ]


_OWN: ContextVar[Clock | None] = ContextVar("own clock", default=None)


@contextmanager
def own_time(clock: Clock) -> Iterator[None]:
    """Give the libraries *clock* in this context alone: a dry run has a time of its own."""
    token = _OWN.set(clock)
    try:
        yield
    finally:
        _OWN.reset(token)


def _originals() -> tuple[Any, ...]:
    return (time, uuid, time.time, time.monotonic, time.perf_counter, uuid.uuid4)


def _stand_ins(clock: Clock, ids: Ids) -> dict[int, Any]:
    def now() -> float:
        return (_OWN.get() or clock).now()

    def monotonic() -> float:
        return (_OWN.get() or clock).monotonic()

    clocked = types.ModuleType("time")
    clocked.__dict__.update(vars(time))
    clocked.__dict__.update(
        time=now,
        monotonic=monotonic,
        perf_counter=monotonic,
        time_ns=lambda: round(now() * 1e9),
        monotonic_ns=lambda: round(monotonic() * 1e9),
    )
    derived = types.ModuleType("uuid")
    derived.__dict__.update(vars(uuid))
    derived.__dict__.update(uuid4=ids.uuid4)
    return {
        id(time): clocked,
        id(uuid): derived,
        id(time.time): now,
        id(time.monotonic): monotonic,
        id(time.perf_counter): monotonic,
        id(uuid.uuid4): ids.uuid4,
    }


def _library_modules() -> list[types.ModuleType]:
    return [
        module
        for name, module in sorted(sys.modules.copy().items())
        if module is not None and name.partition(".")[0] in LIBRARIES
    ]


def _default_factories() -> list[Any]:
    """Return the closure cells that hold a clock as default factory of a dataclass field."""
    clocks = {id(time.time), id(time.monotonic)}
    cells: dict[int, Any] = {}
    for module in _library_modules():
        for value in list(vars(module).values()):
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                for cell in getattr(value.__init__, "__closure__", None) or ():
                    if id(cell.cell_contents) in clocks:
                        cells[id(cell)] = cell
    return list(cells.values())
