"""The leaves of a connected mock device tree: paths, PV names, and how each is written."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ophyd_async.core import (
    Command,
    Device,
    MockCommandBackend,
    MockSignalBackend,
    Signal,
    SignalR,
    SignalW,
    SoftSignalBackend,
)

from simulators.errors import NotServed


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signal of a device in mock mode, at its dotted *path*."""

    path: str
    signal: Signal[Any]

    @property
    def backend(self) -> MockSignalBackend[Any]:
        """The mock behind the signal."""
        backend = self.signal._connector.backend
        if not isinstance(backend, MockSignalBackend):
            raise NotServed(f"{self.path}: is not connected in mock mode; nothing is served")
        return backend

    @property
    def soft(self) -> SoftSignalBackend[Any]:
        """What keeps the mock's value."""
        soft = self.backend.soft_backend
        if not isinstance(soft, SoftSignalBackend):
            raise NotServed(f"{self.path}: is derived from other signals; nothing is served")
        return soft

    @property
    def writable(self) -> bool:
        """Whether clients may write it."""
        return isinstance(self.signal, SignalW)

    @property
    def readable(self) -> bool:
        """Whether it has a value of its own to show."""
        return isinstance(self.signal, SignalR)

    @property
    def names(self) -> tuple[str, ...]:
        """The PVs that read and write it, one if they are the same."""
        inner = self.backend.initial_backend
        sources = {inner.source("", read) for read in (True, False)}
        return tuple(sorted(name for source in sources if (name := pv_of(source))))

    async def put(self, value: Any) -> None:
        """Write *value* as a client would, and return when the bench is done with it.

        What ``signal.set`` does to a mock, but for its list of past calls, which grows for ever.
        """
        backend = self.backend
        callback = backend._mock_put_callback
        answer = None if callback is None else callback(value)
        if inspect.isawaitable(answer):
            answer = await answer
        await self.soft.put(value if answer is None else answer)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A command of a device in mock mode, at its dotted *path*."""

    path: str
    command: Command[Any, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The PV that triggers it."""
        return tuple(name for name in (pv_of(self.command.source),) if name)

    async def execute(self) -> None:
        """Execute it without arguments."""
        backend = self.command._connector.backend
        if not isinstance(backend, MockCommandBackend):
            raise NotServed(f"{self.path}: is not connected in mock mode; nothing is served")
        await backend.execute()


def pv_of(source: str) -> str:
    """Return the PV's name in the *source* of a signal (``mock+ca://NAME``), empty for none."""
    scheme, found, name = source.partition("://")
    return name if found and scheme.rsplit("+", 1)[-1] in {"ca", "pva"} else ""


def leaves_of(devices: Mapping[str, Device]) -> Iterator[Leaf | Trigger]:
    """Yield every signal and command in the trees of *devices*, which are connected."""
    for path, device in devices.items():
        yield from _leaves(path, device)


def _leaves(path: str, device: Device) -> Iterator[Leaf | Trigger]:
    if isinstance(device, Signal):
        yield Leaf(path, device)
    elif isinstance(device, Command):
        yield Trigger(path, device)
    else:
        for name, child in device.children():
            yield from _leaves(f"{path}.{name}", child)
