"""The gate's seam in ophyd-async: connectors that put the gate before every way to write.

Both connectors of a leaf are replaced before the device connects: a real connection gets a
gated backend, a mock connection a gated subclass of the mock backend, and a reconnection
keeps them. A wrapped backend alone would be dropped by ``connect(mock=True)``.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aioca import CANothing
from ophyd_async.core import (
    Command,
    CommandBackend,
    CommandConnector,
    Device,
    LazyMock,
    MockCommandBackend,
    MockSignalBackend,
    Signal,
    SignalBackend,
    SignalConnector,
)
from ophyd_async.epics.core import CaSignalBackend, EpicsCommandBackend, PvaSignalBackend

from controller.errors import DeviceRefused, GateLost
from controller.safety.devices.drivers import DriverBackend, DriverCommandBackend
from controller.safety.gate.gate import Writes
from controller.safety.hands.puts import EXECUTE


def guard(gate: Writes, path: str, device: object) -> None:
    """Put *gate* before every leaf of *device* at dotted *path*; call before connecting.

    Raises DeviceRefused for a device that isn't of ophyd-async: its threads and its ways to
    write are its own.
    """
    if not isinstance(device, Device):
        raise DeviceRefused(
            f"{path}: {type(device).__name__} is not an ophyd-async device; classic devices have "
            "threads of their own, which neither the virtual clock nor this gate can hold"
        )
    for name, leaf in leaves(path, device):
        if isinstance(leaf, Signal):
            leaf._connector = GatedSignalConnector(gate, name, leaf._connector._init_backend)
        else:
            leaf._connector = GatedCommandConnector(gate, name, leaf._connector._init_backend)


def ensure_guarded(path: str, device: Device) -> None:
    """Raise DeviceRefused if a leaf of *device* can be written past the gate, once connected."""
    for name, leaf in leaves(path, device):
        if not isinstance(leaf._connector, (GatedSignalConnector, GatedCommandConnector)):
            raise DeviceRefused(
                f"{name}: appeared while connecting and can be written past the gate; "
                "declare it in the device's class"
            )


@contextmanager
def none_ungated() -> Iterator[None]:
    """Let nothing connect for a block that ``guard`` hasn't put the gate before.

    The tree of a device shows its children only: what it keeps in a list, makes while it
    connects or is given later is refused here, when it connects.
    """
    changed = [
        (connector, name, getattr(connector, name))
        for connector in (SignalConnector, CommandConnector)
        for name in ("connect_mock", "connect_real")
    ]
    try:
        for connector, name, _ in changed:
            setattr(connector, name, _refuse)
        yield
    finally:
        for connector, name, original in changed:
            setattr(connector, name, original)


async def _refuse(_connector: Any, leaf: Any, *_: Any) -> None:
    raise DeviceRefused(
        f"{leaf.name or 'a signal without a name'} ({leaf.source}): connects past the gate; "
        "declare it as a child in its device's class"
    )


def leaves(path: str, device: Device) -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, leaf) for every signal and command in the tree of *device*."""
    if isinstance(device, (Signal, Command)):
        yield path, device
        return
    for name, child in device.children():
        yield from leaves(f"{path}.{name}", child)


class GatedBackend(SignalBackend[Any]):
    """A signal backend that reads directly and writes through the gate."""

    def __init__(self, gate: Writes, path: str, inner: SignalBackend[Any]) -> None:
        self._gate = gate
        self._path = path
        self._inner = inner
        self._local = not isinstance(inner, (CaSignalBackend, PvaSignalBackend, DriverBackend))
        super().__init__(inner.datatype)

    async def put(self, value: Any) -> None:
        """Ask the gate to write *value*.

        A gate in another process has a connection of its own: its answer can be here before what
        the write has changed is, which is waited for by asking the server something.
        """
        here = self._local

        async def perform() -> None:
            nonlocal here
            here = True
            await self._inner.put(value)

        await self._gate.write(self._path, value, perform, local=self._local)
        if not here:
            await self._caught_up()

    async def put_beneath(self, value: Any) -> None:
        """Write *value* past the gate: for the gate itself."""
        await self._inner.put(value)

    async def _caught_up(self) -> None:
        """Return once this process has seen all that the server had to say until now."""
        try:
            await self._inner.get_value()
        except CANothing as error:
            raise GateLost(
                f"{self._path}: was written, and then its server was gone ({error}); nobody knows "
                "what came of it"
            ) from error

    def source(self, name: str, read: bool) -> str:
        """Return the source of the backend behind the gate."""
        return self._inner.source(name, read)

    async def connect(self, timeout: float) -> None:
        """Connect the backend behind the gate; *timeout* in seconds."""
        await self._inner.connect(timeout)
        self.datatype = self._inner.datatype

    async def get_datakey(self, source: str) -> Any:
        """Return the data key of the backend behind the gate."""
        return await self._inner.get_datakey(source)

    async def get_reading(self) -> Any:
        """Return the reading of the backend behind the gate."""
        return await self._inner.get_reading()

    async def get_value(self) -> Any:
        """Return the value of the backend behind the gate."""
        return await self._inner.get_value()

    async def get_setpoint(self) -> Any:
        """Return the setpoint of the backend behind the gate."""
        return await self._inner.get_setpoint()

    def set_callback(self, callback: Any) -> None:
        """Subscribe to the backend behind the gate."""
        self._inner.set_callback(callback)


class GatedMockBackend(MockSignalBackend[Any]):
    """The mock backend, written to through the gate.

    It keeps no list of past calls, unless a test asks for it (``get_mock_put``): a campaign
    of days would fill the memory with them.
    """

    def __init__(
        self, gate: Writes, path: str, inner: SignalBackend[Any], mock: LazyMock[Any]
    ) -> None:
        super().__init__(inner, mock)
        self._gate = gate
        self._path = path

    async def put(self, value: Any) -> None:
        """Ask the gate to write *value*."""
        await self._gate.write(self._path, value, lambda: self.put_beneath(value))

    async def put_beneath(self, value: Any) -> None:
        """Write *value* past the gate: for the gate itself."""
        if "put_mock" in self.__dict__ or self._mock_put_callback is None:
            await super().put(value)
            return
        answer = self._mock_put_callback(value)
        if inspect.isawaitable(answer):
            answer = await answer
        await self.soft_backend.put(value if answer is None else answer)
        await self.put_proceeds.wait()


class GatedSignalConnector(SignalConnector):
    """Connects a signal behind the gate, in mock and for real."""

    def __init__(self, gate: Writes, path: str, backend: SignalBackend[Any]) -> None:
        super().__init__(backend)
        self._gate = gate
        self._path = path
        self._gated = GatedBackend(gate, path, backend)
        self.backend = self._gated

    async def connect_mock(self, device: Device, mock: LazyMock[Any]) -> None:
        """Connect to a gated mock."""
        self.backend = GatedMockBackend(self._gate, self._path, self._init_backend, mock)

    async def connect_real(self, device: Device, timeout: float, force_reconnect: bool) -> None:
        """Connect to the real thing, gated; *timeout* in seconds."""
        self.backend = self._gated
        await self._gated.connect(timeout)


class GatedCommandBackend(CommandBackend[..., Any]):
    """A command backend that executes through the gate; its value there is "execute"."""

    def __init__(self, gate: Writes, path: str, inner: CommandBackend[..., Any]) -> None:
        super().__init__(inner.signature)
        self._gate = gate
        self._path = path
        self._inner = inner
        self._local = not isinstance(inner, (EpicsCommandBackend, DriverCommandBackend))

    def source(self, name: str) -> str:
        """Return the source of the backend behind the gate."""
        return self._inner.source(name)

    async def connect(self, timeout: float) -> None:
        """Connect the backend behind the gate; *timeout* in seconds."""
        await self._inner.connect(timeout)
        self.signature = self._inner.signature

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the gate to execute the command."""
        return await self._gate.write(
            self._path, EXECUTE, lambda: self._inner.execute(*args, **kwargs), local=self._local
        )

    async def put_beneath(self, _value: Any) -> None:
        """Execute the command past the gate: for the gate itself."""
        await self._inner.execute()


class GatedMockCommandBackend(MockCommandBackend[..., Any]):
    """The mock command backend, executed through the gate."""

    def __init__(
        self, gate: Writes, path: str, inner: CommandBackend[..., Any], mock: LazyMock[Any]
    ) -> None:
        super().__init__(inner, mock)
        self._gate = gate
        self._path = path

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the gate to execute the command."""
        execute = super().execute
        return await self._gate.write(self._path, EXECUTE, lambda: execute(*args, **kwargs))

    async def put_beneath(self, _value: Any) -> None:
        """Execute the command past the gate: for the gate itself."""
        await super().execute()


class GatedCommandConnector(CommandConnector[..., Any]):
    """Connects a command behind the gate, in mock and for real."""

    def __init__(self, gate: Writes, path: str, backend: CommandBackend[..., Any]) -> None:
        super().__init__(backend)
        self._gate = gate
        self._path = path
        self._gated = GatedCommandBackend(gate, path, backend)
        self.backend = self._gated

    async def connect_mock(self, device: Device, mock: LazyMock[Any]) -> None:
        """Connect to a gated mock."""
        self.backend = GatedMockCommandBackend(self._gate, self._path, self._init_backend, mock)

    async def connect_real(self, device: Device, timeout: float, force_reconnect: bool) -> None:
        """Connect to the real thing, gated; *timeout* in seconds."""
        self.backend = self._gated
        await self._gated.connect(timeout)
