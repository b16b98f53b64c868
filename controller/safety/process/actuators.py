"""The gate's own connections to the hardware: one for each signal that may be written.

Nothing stands before these but the gate, in whose process alone they are.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aioca import CANothing
from ophyd_async.core import NotConnectedError
from ophyd_async.epics.core import CaCommandBackend, CaSignalBackend

from controller.errors import ConnectionLost, EngineError
from controller.safety.hands.puts import (
    EXECUTE,
    Actuator,
    ElsewhereActuator,
    PvActuator,
    PvCommand,
    Still,
    always,
    put_to,
    reach,
)

__all__ = [
    "Actuator",
    "CommandActuator",
    "ElsewhereActuator",
    "InLoop",
    "PvActuator",
    "SignalActuator",
    "apart",
]

T = TypeVar("T")


class _LeafActuator:
    """A leaf of an ophyd-async device, connected here without the gate before it."""

    def __init__(self, leaf: Any) -> None:
        self._leaf = leaf

    @property
    def backend(self) -> Any:
        """What is behind the leaf."""
        return self._leaf._connector._init_backend

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done."""
        try:
            await self._leaf.connect(timeout=timeout_s)
        except NotConnectedError as error:
            raise ConnectionLost(f"{self._leaf.source}: not connected ({error})") from error

    async def reach(self, timeout_s: float) -> None:
        """Wait for the leaf's server."""
        await self.connect(timeout_s)
        backend = self._leaf._connector.backend
        if isinstance(backend, (CaSignalBackend, CaCommandBackend)):
            await reach(backend.write_pv, timeout_s)


class SignalActuator(_LeafActuator):
    """A signal of an ophyd-async device, connected here without the gate before it."""

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*."""
        backend = self._leaf._connector.backend
        if not isinstance(backend, CaSignalBackend):
            still()
            await backend.put(value)
            return
        waits = backend.options.wait
        waits = waits(value) if callable(waits) else waits
        kind = backend.converter.write_dbr
        if value is None:  # what SignalX writes: the value that was there at first
            sent: Any = backend.initial_values[backend.write_pv]
        else:
            sent = backend.converter.write_value(value)
        await put_to(backend.write_pv, sent, kind, wait=wait and waits, still=still)

    async def read(self, like: Any) -> Any:
        """Return the setpoint."""
        backend = self._leaf._connector.backend
        try:
            return await backend.get_setpoint()
        except CANothing as error:
            raise EngineError(f"{self._leaf.source}: can't be read ({error})") from error


class CommandActuator(_LeafActuator):
    """A command of an ophyd-async device."""

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Execute the command, and wait until the device has done with it."""
        backend = self._leaf._connector.backend
        if isinstance(backend, CaCommandBackend):
            await put_to(backend.write_pv, backend._execute_value, None, wait=wait, still=still)
            return
        still()
        await backend.execute()

    async def read(self, like: Any) -> Any:
        """Return that it was executed: a command has no other setpoint."""
        return EXECUTE


class InLoop:
    """An actuator of another event loop: whatever it is asked is done there."""

    def __init__(self, actuator: Actuator, loop: asyncio.AbstractEventLoop) -> None:
        self._actuator = actuator
        self._loop = loop

    async def connect(self, timeout_s: float) -> None:
        """Connect unless that is done."""
        await self._there(self._actuator.connect(timeout_s))

    async def reach(self, timeout_s: float) -> None:
        """Wait for the device's server."""
        await self._there(self._actuator.reach(timeout_s))

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*."""
        await self._there(self._actuator.put(value, wait=wait, still=still))

    async def read(self, like: Any) -> Any:
        """Return the setpoint as the device has it."""
        return await self._there(self._actuator.read(like))

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


def apart(actuator: Actuator) -> Actuator | None:
    """Return another actuator for the same, to be connected in another event loop.

    It writes by the PV's name alone. None where that can't be done (not over Channel Access).
    """
    match actuator:
        case PvActuator():
            return PvActuator(actuator.pv)
        case ElsewhereActuator():
            return actuator
        case SignalActuator() if isinstance(actuator.backend, CaSignalBackend):
            return PvActuator(actuator.backend.write_pv)
        case CommandActuator() if isinstance(actuator.backend, CaCommandBackend):
            return PvCommand(actuator.backend.write_pv, actuator.backend._execute_value)
    return None
