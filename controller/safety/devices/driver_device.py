"""A device whose driver is elsewhere: as plans, envelopes and checks see it.

It has the verbs that its driver's class has and no others, and a signal for each of them and for
each reading. The class is looked at in every process, and made in the gate's alone.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

from ophyd_async.core import AsyncStatus, Command, Device, SignalR, SignalRW, TriggerableCommand

from controller.safety.devices.driver_host import Host
from controller.safety.devices.drivers import (
    ACTS,
    CONFIGURE,
    VALUES,
    DriverBackend,
    DriverCommandBackend,
    Line,
)

_KINDS = (float, int, str, bool)
CONFIGURED_S = 1.0
"""How long configuring may take: bluesky waits for it with everything else (real seconds)."""

PostAndWait = Callable[[str, Any], None]


class DriverDevice(Device):
    """Made by ``device_of``; its signals are named by verb and reading."""

    def __init__(self, path: str, driver: Callable[..., Any], given: Mapping[str, Any]) -> None:
        self._path = path
        self._make = lambda: driver(**given)
        self._said = tuple(getattr(driver, "readings", ()))
        self._leaves: dict[str, Any] = dict(_leaves_of(path, driver))
        for leaf in self._leaves.values():
            leaf.parent = self
        self._post: PostAndWait | None = None
        super().__init__(name=path)

    def children(self) -> Iterator[tuple[str, Device]]:
        """Yield its signals and commands by name."""
        yield from self._leaves.items()
        yield from super().children()

    def live_here(self) -> None:
        """Let the driver live in this process: the gate's."""
        self._speak_by(Host(self._path, self._make, self._said))

    def speak_by(self, line: Line, post: PostAndWait) -> None:
        """Reach the driver by *line*; *post* writes a signal, and waits for it in this thread."""
        self._speak_by(line)
        self._post = post

    async def read(self) -> dict[str, Any]:
        """Return what all readings say."""
        said: dict[str, Any] = {}
        for leaf in self._readings():
            said |= await leaf.read()
        return said

    async def describe(self) -> dict[str, Any]:
        """Return what the readings are."""
        said: dict[str, Any] = {}
        for leaf in self._readings():
            said |= await leaf.describe()
        return said

    async def read_configuration(self) -> dict[str, Any]:
        """Return nothing: what was configured is in the gate's record."""
        return {}

    async def describe_configuration(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    @property
    def hints(self) -> dict[str, Any]:
        """What is shown of it first: its readings that are numbers."""
        return {"fields": [leaf.name for leaf in self._readings() if leaf.datatype is float]}

    def _readings(self) -> Iterator[Any]:
        return (leaf for leaf in self._leaves.values() if type(leaf) is SignalR)

    def _speak_by(self, line: Line) -> None:
        for leaf in self._leaves.values():
            leaf._connector._init_backend.line = line


def device_of(path: str, driver: Callable[..., Any], given: Mapping[str, Any]) -> DriverDevice:
    """Return the device called *path* whose *driver* will be made with the arguments *given*."""
    verbs = {v: _SAYING[v] for v in _SAYING if callable(getattr(driver, v, None))}
    kind = type(getattr(driver, "__name__", "Driver"), (DriverDevice,), verbs)
    made: DriverDevice = kind(path, driver, given)
    return made


def _leaves_of(path: str, driver: Any) -> Iterator[tuple[str, Any]]:
    for verb in VALUES:
        if callable(method := getattr(driver, verb, None)):
            parameters = list(_parameters(method))
            kind = _kind_of(method, parameters[0]) if parameters else float
            yield verb, SignalRW(DriverBackend(path, verb, kind), timeout=None)
    if callable(method := getattr(driver, CONFIGURE, None)):
        for name in _parameters(method):
            key = f"{CONFIGURE}.{name}"
            backend = DriverBackend(path, key, _kind_of(method, name))
            yield key, SignalRW(backend, timeout=None)
    for verb in ACTS:
        if callable(getattr(driver, verb, None)):
            yield verb, TriggerableCommand(DriverCommandBackend(path, verb), timeout=None)
    for name, of in getattr(driver, "readings", {}).items():
        kind, unit = (float, of) if isinstance(of, str) else (of, "")
        yield name, SignalR(DriverBackend(path, name, kind, unit), timeout=None)


def _parameters(method: Any) -> Iterator[str]:
    for name, parameter in inspect.signature(method).parameters.items():
        if name != "self" and parameter.kind not in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            yield name


def _kind_of(method: Any, name: str) -> type:
    """Return what *method* says that its argument *name* is; a number where it doesn't."""
    kind = get_type_hints(method).get(name, float)
    return kind if kind in _KINDS else float


# --- what a device says that its driver says ----------------------------------------------------


def _set(self: DriverDevice, value: Any) -> AsyncStatus[Any]:
    """Have the driver set *value*, by the gate."""
    return _given(self, "set", value)


def _prepare(self: DriverDevice, value: Any) -> AsyncStatus[Any]:
    """Have the driver prepare *value*, by the gate."""
    return _given(self, "prepare", value)


def _given(device: DriverDevice, verb: str, value: Any) -> AsyncStatus[Any]:
    status: AsyncStatus[Any] = device._leaves[verb].set(value, timeout=None)
    return status


def _act(verb: str) -> Callable[[DriverDevice], AsyncStatus[Any]]:
    def act(self: DriverDevice) -> AsyncStatus[Any]:
        leaf: Command[..., Any] = self._leaves[verb]
        return leaf.execute()

    act.__name__, act.__doc__ = verb, f"Have the driver {verb}, by the gate."
    return act


async def _stop(self: DriverDevice, success: bool = True) -> None:  # noqa: ARG001
    """Have the driver stop, by the gate; whatever else it does goes on not."""
    await self._leaves["stop"].execute()


def _configure(self: DriverDevice, values: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Have the driver configure *values*, one after the other, by the gate."""
    if self._post is not None:
        for name, value in values.items():
            self._post(f"{self._path}.{CONFIGURE}.{name}", value)
    return {}, {}


_SAYING: Mapping[str, Callable[..., Any]] = {
    "set": _set,
    "prepare": _prepare,
    CONFIGURE: _configure,
    **{verb: _act(verb) for verb in ACTS if verb != "stop"},
    "stop": _stop,
}
