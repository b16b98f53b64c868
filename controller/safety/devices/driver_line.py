"""The way from the engine to a driver in the gate's process: every act and every reading asks."""

from typing import Any

from controller.errors import GateLost
from controller.safety.devices.driver_device import CONFIGURED_S, DriverDevice
from controller.safety.devices.remote import RemoteGate


class GateLine:
    """Reads by the gate; what acts never comes here, since the gate stands before it."""

    def __init__(self, path: str, gate: RemoteGate) -> None:
        self._path = path
        self._gate = gate

    async def open(self, timeout_s: float) -> None:
        """Do nothing: whether the driver is there shows when it is asked."""

    async def call(self, verb: str, value: Any) -> None:
        """Refuse: only the gate speaks to a driver."""
        raise GateLost(f"{self._path}.{verb}: asked past the gate for {value!r}; nothing has moved")

    async def read(self, name: str) -> tuple[Any, float]:
        """Return what the gate says that the driver says."""
        return await self._gate.reading(f"{self._path}.{name}")


def speak_to_gate(path: str, device: DriverDevice, gate: RemoteGate) -> None:
    """Let *device*, at dotted *path*, reach its driver by *gate*; call before ``guard``."""

    def post(signal: str, value: Any) -> None:
        gate.require_done_in_time(signal, gate.post(signal, value), CONFIGURED_S)

    device.speak_by(GateLine(path, gate), post)
