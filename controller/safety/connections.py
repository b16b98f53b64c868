"""Which connections the gate's process makes: to what the envelope lets it write, and watches."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aioca import camonitor
from ophyd_async.core import Command, Device, Signal, SignalR, SignalW, SignalX
from ophyd_async.epics.core import CaSignalBackend, EpicsCommandBackend, PvaSignalBackend

from controller.errors import EngineError
from controller.safety.actuators import (
    Actuator,
    CommandActuator,
    ElsewhereActuator,
    PvActuator,
    SignalActuator,
)
from controller.safety.connectors import leaves
from controller.safety.envelope import Envelope, Limit

RETRY_S = 10.0
"""How long one attempt to connect a readback takes (real seconds)."""
Heard = Callable[[str, float], None]
"""Called with signal and value whenever a watched readback changes."""
_log = logging.getLogger("heliostat.gate")


@dataclass(frozen=True, slots=True)
class Connections:
    """What can be written and what is watched, by dotted signal."""

    actuators: dict[str, Actuator] = field(default_factory=dict)
    readbacks: dict[str, SignalR[Any] | str] = field(default_factory=dict)
    """Signals of ophyd-async, and names of PVs."""


def connections_of(devices: Mapping[str, Any], envelope: Envelope) -> Connections:
    """Return the connections to *devices* that *envelope* asks for; none is made yet."""
    found = Connections()
    for path, device in devices.items():
        if isinstance(device, Device):
            for name, leaf in leaves(path, device):
                _add_leaf(found, name, leaf, envelope)
        else:
            _add_classic(found, path, device, envelope)
    return found


def _add_leaf(found: Connections, name: str, leaf: Any, envelope: Envelope) -> None:
    if isinstance(leaf, (SignalW, SignalX, Command)):
        if _may_be_written(name, envelope):
            found.actuators[name] = _actuator(leaf)
    elif isinstance(leaf, SignalR) and isinstance(envelope.limits.get(name), Limit):
        found.readbacks[name] = leaf


def _actuator(leaf: Signal[Any] | Command[..., Any]) -> Actuator:
    backend = leaf._connector._init_backend
    if isinstance(leaf, Command):
        if isinstance(backend, EpicsCommandBackend):
            return CommandActuator(leaf)
        return ElsewhereActuator()
    if isinstance(backend, (CaSignalBackend, PvaSignalBackend)):
        return SignalActuator(leaf)
    return ElsewhereActuator()


def _add_classic(found: Connections, path: str, device: Any, envelope: Envelope) -> None:
    from controller.safety.classic_leaves import pvs_of

    written, read = pvs_of(path, device)
    for name, pv in written.items():
        if _may_be_written(name, envelope):
            found.actuators[name] = PvActuator(pv)
    for name, pv in read.items():
        if isinstance(envelope.limits.get(name), Limit):
            found.readbacks[name] = pv


def _may_be_written(signal: str, envelope: Envelope) -> bool:
    return signal in envelope.limits or envelope.is_free(signal)


async def watch(signal: str, readback: SignalR[Any] | str, heard: Heard) -> None:
    """Let *heard* know of every change of *readback*, once it can be connected."""
    if isinstance(readback, str):
        camonitor(readback, lambda value: heard(signal, float(value)))
        return
    while not await _connected(signal, readback):
        continue
    readback.subscribe_reading(
        lambda readings: heard(signal, float(next(iter(readings.values()))["value"]))
    )


async def _connected(signal: str, readback: SignalR[Any]) -> bool:
    try:
        await SignalActuator(readback).connect(RETRY_S)
    except EngineError as error:
        _log.warning("%s can't be watched: %s", signal, error)
        return False
    return True
