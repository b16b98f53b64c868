"""The gate's hands and eyes where it stands in the devices' own process: beneath the connectors."""

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd_async.core import Command, Device, MockSignalBackend, SignalR, SignalW, SignalX

from controller.safety.devices.connectors import leaves
from controller.safety.envelope.envelope import Envelope
from controller.safety.hands.puts import EXECUTE, Actuator, Still, always


class BeneathActuator:
    """A leaf whose connector is gated, written to beneath the gate."""

    def __init__(self, leaf: Any) -> None:
        self._leaf = leaf

    async def connect(self, timeout_s: float) -> None:
        """Do nothing: who made the gate has connected it."""

    async def reach(self, timeout_s: float) -> None:
        """Do nothing: it is in this process."""

    async def put(self, value: Any, *, wait: bool, still: Still = always) -> None:
        """Write *value*."""
        still()
        await self._leaf._connector.backend.put_beneath(value)

    async def read(self, like: Any) -> Any:
        """Return the setpoint, which a twin only shows as a reading; a command has none."""
        if isinstance(self._leaf, Command):
            return EXECUTE
        backend = self._leaf._connector.backend
        if isinstance(backend, MockSignalBackend):
            return await backend.get_value()
        return await backend.get_setpoint()


class Bench:
    """The connected devices of a process, by the dotted names of their leaves."""

    def __init__(self, devices: Mapping[str, Device], envelope: Envelope) -> None:
        self._leaves = {n: leaf for path, d in devices.items() for n, leaf in leaves(path, d)}
        self._shown: tuple[tuple[str, Any], ...] | None = None
        """What shows values without being asked, known from the first time it was looked at."""
        self._watched = [name for name in envelope.signals if name in self._leaves]
        self._envelope = envelope

    def actuators(self) -> dict[str, Actuator]:
        """Return what can be written of all that the envelope limits, or leaves to people."""
        envelope = self._envelope
        return {
            name: BeneathActuator(leaf)
            for name, leaf in self._leaves.items()
            if isinstance(leaf, (SignalW, SignalX, Command))
            and (name in envelope.limits or envelope.is_maintenance(name))
        }

    def readings(self) -> dict[str, Any]:
        """Return what each signal that rules name shows now, for those in mock mode."""
        if self._shown is None:
            self._shown = tuple(self._in_mock_mode())
        return {name: soft.reading["value"] for name, soft in self._shown}

    def _in_mock_mode(self) -> Iterator[tuple[str, Any]]:
        for name in self._watched:
            leaf = self._leaves[name]
            if not isinstance(leaf, SignalR):
                continue
            backend = leaf._connector.backend
            if isinstance(backend, MockSignalBackend) and hasattr(backend.soft_backend, "reading"):
                yield name, backend.soft_backend
