"""Drivers of devices that aren't EPICS: they live in the gate's process, and nowhere else.

A driver is a plain class of somebody's (a serial pump, a vendor's library). What it may offer:

- verbs: ``set(value)``, ``prepare(value)``, ``trigger()``, ``kickoff()``, ``complete()``,
  ``stage()``, ``unstage()``, ``stop()``, ``configure(name=value, ...)``. A verb returns when the
  device has done it (or a status with ``wait``), and raises where it doesn't. Verbs come one after
  the other in a thread; ``stop`` comes in another one meanwhile.
- ``readings``: what it says, by name, with the unit of a number or ``str``, ``bool``, ``int``;
  and ``read()``, which returns their values by name, in a third thread. One that is called
  ``setpoint`` is what ``set`` has set, and confirms it.

So a driver whose line takes one question at a time guards it with a lock of its own, and holds
that never for as long as a move takes.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from ophyd_async.core import CommandBackend, NotConnectedError, SignalBackend
from ophyd_async.core._signal_backend import make_datakey, make_metadata

from controller.errors import EngineError

T = TypeVar("T")

VALUES = ("set", "prepare")
"""Verbs that are given a value: `pump.set: 0..5 mL/min`."""
ACTS = ("trigger", "kickoff", "complete", "stage", "unstage", "stop")
"""Verbs that are not: `pump.trigger: [execute]`."""
CONFIGURE = "configure"
STOP = "stop"
SETPOINT = "setpoint"
_NO_LINE = (
    "its driver lives in the gate's process alone: run the campaign with the gate as a process "
    "(without --inline)"
)


class Line(Protocol):
    """The way to a driver: itself, where it lives; the gate, everywhere else."""

    async def open(self, timeout_s: float) -> None:
        """Make sure that there is a driver; NotConnectedError where there is none."""
        ...

    async def call(self, verb: str, value: Any) -> None:
        """Have the driver do *verb*; EngineError where it doesn't."""
        ...

    async def read(self, name: str) -> tuple[Any, float]:
        """Return what the reading *name* says and when (seconds since 1970)."""
        ...


class NoLine:
    """There is no way to the driver from this process."""

    async def open(self, timeout_s: float) -> None:
        """Refuse."""
        raise NotConnectedError(_NO_LINE)

    async def call(self, verb: str, value: Any) -> None:
        """Refuse."""
        raise EngineError(f"{verb}: {_NO_LINE}")

    async def read(self, name: str) -> tuple[Any, float]:
        """Refuse."""
        raise EngineError(f"{name}: {_NO_LINE}")


class Host:
    """Makes a driver, once it is needed, and speaks to it; in the gate's process alone.

    One that says that its line is broken (OSError) is made anew when it is next needed.
    """

    def __init__(self, path: str, make: Callable[[], Any], readings: Collection[str]) -> None:
        self._path = path
        self._make = make
        self._readings = readings
        self._driver: Any = None
        self._making = threading.Lock()
        self._given: dict[str, Any] = {}
        self._verbs = ThreadPoolExecutor(1, f"{path} verbs")
        self._stops = ThreadPoolExecutor(1, f"{path} stop")
        self._reads = ThreadPoolExecutor(1, f"{path} read")

    async def open(self, timeout_s: float) -> None:
        """Make the driver unless that is done."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._in(self._reads, self._there)
        except (EngineError, TimeoutError) as error:
            raise NotConnectedError(str(error) or f"no answer within {timeout_s:g} s") from error

    async def call(self, verb: str, value: Any) -> None:
        """Do *verb* in its thread, and return when the device has."""
        await self._in(self._stops if verb == STOP else self._verbs, lambda: self._do(verb, value))
        self._given[verb] = value

    async def read(self, name: str) -> tuple[Any, float]:
        """Return what *name* says; what a verb was last given where it is none of the readings."""
        told = SETPOINT if name == "set" and SETPOINT in self._readings else name
        if told in self._readings:
            return await self._in(self._reads, lambda: self._said(told))
        if name in self._given:
            return self._given[name], time.time()
        raise EngineError(f"{self._path}.{name}: nobody knows what it is before it is written")

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _there(self) -> Any:
        with self._making:
            if self._driver is None:
                self._driver = self._raising("can't be made", self._make)
            return self._driver

    def _do(self, verb: str, value: Any) -> None:
        name, _, argument = verb.partition(".")
        method = getattr(self._there(), name)
        if argument:
            ended = self._raising(verb, lambda: method(**{argument: value}))
        else:
            ended = self._raising(verb, method if name in ACTS else lambda: method(value))
        wait = getattr(ended, "wait", None)
        if callable(wait):  # a status: it is done when that is
            self._raising(verb, wait)

    def _said(self, name: str) -> tuple[Any, float]:
        said = self._raising("read", self._there().read)
        found = said.get(name) if isinstance(said, Mapping) else None
        if isinstance(found, Mapping):
            return found.get("value"), float(found.get("timestamp", time.time()))
        if found is None:
            raise EngineError(f"{self._path}.{name}: its driver's read() doesn't tell it")
        return found, time.time()

    def _raising(self, what: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            self._driver = None
            raise EngineError(f"{self._path}: {what}: its line is broken: {error}") from error
        except Exception as error:  # whatever a driver raises is how this ended
            raise EngineError(f"{self._path}: {what}: {type(error).__name__}: {error}") from error


class DriverBackend(SignalBackend[Any]):
    """One reading of a driver, or one verb that is given a value."""

    def __init__(self, path: str, key: str, datatype: type, unit: str = "") -> None:
        super().__init__(datatype)
        self.key = key
        self.line: Line = NoLine()
        self._path = path
        self._unit = unit

    def source(self, name: str, read: bool) -> str:
        """Return where it is: ``driver://pump.flow``."""
        return f"driver://{self._path}.{self.key}"

    async def connect(self, timeout: float) -> None:
        """Open the line; *timeout* in seconds."""
        await self.line.open(timeout)

    async def put(self, value: Any) -> None:
        """Have the driver do it."""
        await self.line.call(self.key, value)

    async def get_datakey(self, source: str) -> Any:
        """Return what its values are."""
        kind: Any = self.datatype
        metadata = make_metadata(kind, units=self._unit or None)
        return make_datakey(kind, kind(), source, metadata)

    async def get_reading(self) -> Any:
        """Return what it says, and when."""
        value, stamp = await self.line.read(self.key)
        return {"value": value, "timestamp": stamp, "alarm_severity": 0}

    async def get_value(self) -> Any:
        """Return what it says."""
        return (await self.line.read(self.key))[0]

    async def get_setpoint(self) -> Any:
        """Return what it was set to."""
        return await self.get_value()

    def set_callback(self, callback: Any) -> None:
        """Tell nothing of changes: a driver is asked."""


class DriverCommandBackend(CommandBackend[..., Any]):
    """One verb of a driver that is given no value."""

    def __init__(self, path: str, key: str) -> None:
        super().__init__(None)
        self.key = key
        self.line: Line = NoLine()
        self._path = path

    def source(self, name: str) -> str:
        """Return where it is."""
        return f"driver://{self._path}.{self.key}"

    async def connect(self, timeout: float) -> None:
        """Open the line; *timeout* in seconds."""
        await self.line.open(timeout)

    async def execute(self, *args: Any, **kwargs: Any) -> None:
        """Have the driver do it."""
        await self.line.call(self.key, None)
