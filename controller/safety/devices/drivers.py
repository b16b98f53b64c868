"""Drivers of devices that aren't EPICS: they live in the gate's process, and nowhere else.

A driver is a plain class of somebody's (a serial pump, a vendor's library). What it may offer:

- verbs: ``set(value)``, ``prepare(value)``, ``trigger()``, ``kickoff()``, ``complete()``,
  ``stage()``, ``unstage()``, ``stop()``, ``configure(name=value, ...)``. A verb returns when the
  device has done it (or a status with ``wait``), and raises where it doesn't. Verbs come one after
  the other in a thread; ``stop`` comes in another one meanwhile, also before what makes safe while
  something else goes on. What waited for its turn while the bench was made safe isn't done.
- ``readings``: what it says, by name, with the unit of a number or ``str``, ``bool``, ``int``;
  and ``read()``, which returns their values by name, in a third thread. One that is called
  ``setpoint`` is what ``set`` has set, and confirms it.

So a driver whose line takes one question at a time guards it with a lock of its own, and holds
that never for as long as a move takes.
"""

from typing import Any, Protocol

from ophyd_async.core import CommandBackend, NotConnectedError, SignalBackend
from ophyd_async.core._signal_backend import make_datakey, make_metadata

from controller.errors import EngineError

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
