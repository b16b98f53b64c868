"""Which connections the gate's process makes: to what the envelope lets it write, and watches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ophyd_async.core import Command, Device, Signal, SignalR, SignalW, SignalX
from ophyd_async.epics.core import CaSignalBackend, EpicsCommandBackend, PvaSignalBackend

from controller.safety.devices.connectors import leaves
from controller.safety.devices.driver_device import DriverDevice
from controller.safety.devices.driver_host import DriverActuator
from controller.safety.devices.drivers import DriverBackend, DriverCommandBackend
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.specs import Arrival, Follows, Ownership, Rate
from controller.safety.language.values import Term
from controller.safety.process.actuators import (
    Actuator,
    CommandActuator,
    ElsewhereActuator,
    PvActuator,
    SignalActuator,
)

UNDECLARED_AGE_S = 5.0
"""How long counts what a signal said that is watched for its limit alone (real seconds)."""
NUMBER = Term("")


@dataclass(frozen=True, slots=True)
class Watched:
    """A signal that is heard: by the name of a PV, or as a leaf where it isn't Channel Access."""

    source: str | SignalR[Any]
    term: Term
    max_age_s: float


@dataclass(frozen=True, slots=True)
class Connections:
    """What can be written and what is watched, by dotted signal."""

    actuators: dict[str, Actuator] = field(default_factory=dict)
    watched: dict[str, Watched] = field(default_factory=dict)
    pvs: dict[str, str] = field(default_factory=dict)
    """Where what can be written is over Channel Access: the setpoint's PV."""
    drivers: dict[str, SignalR[Any]] = field(default_factory=dict)
    """What devices say whose drivers live here: others ask for it."""


def connections_of(devices: Mapping[str, Any], envelope: Envelope) -> Connections:
    """Return the connections to *devices* that *envelope* asks for; none is made yet."""
    found = Connections()
    setpoints = frozenset(_setpoints(envelope))
    for path, device in devices.items():
        if isinstance(device, Device):
            if isinstance(device, DriverDevice):
                device.live_here()
            for name, leaf in leaves(path, device):
                _add_leaf(found, name, leaf, envelope, setpoints)
        else:
            _add_classic(found, path, device, envelope, setpoints)
    return found


def _setpoints(envelope: Envelope) -> Iterator[str]:
    """Yield the signals of which rules want to know what they were set to, not what they read."""
    for quantity in envelope.quantities.values():
        yield quantity.setpoint
    for rule in envelope.rules:
        match rule:
            case Arrival(setpoint=setpoint) | Follows(setpoint=setpoint):
                yield setpoint
            case Ownership(signals=signals):
                yield from signals
            case Rate(target=target):
                yield target


def _add_leaf(
    found: Connections, name: str, leaf: Any, envelope: Envelope, setpoints: frozenset[str]
) -> None:
    backend = leaf._connector._init_backend
    over_ca = isinstance(backend, CaSignalBackend)
    if isinstance(leaf, SignalR) and isinstance(backend, DriverBackend):
        found.drivers[name] = leaf
    writable = isinstance(leaf, (SignalW, SignalX, Command))
    if writable and _may_be_written(name, envelope):
        found.actuators[name] = _actuator(leaf, backend)
        if over_ca:
            found.pvs[name] = backend.write_pv
    if not isinstance(leaf, SignalR) and not (over_ca and writable):
        return
    source: str | SignalR[Any] = leaf
    if over_ca:
        source = backend.write_pv if name in setpoints and writable else backend.read_pv
    _watch(found, name, source, envelope, read_only=not writable)


def _actuator(leaf: Signal[Any] | Command[..., Any], backend: Any) -> Actuator:
    if isinstance(backend, (DriverBackend, DriverCommandBackend)):
        return DriverActuator(backend)
    if isinstance(leaf, Command):
        if isinstance(backend, EpicsCommandBackend):
            return CommandActuator(leaf)
        return ElsewhereActuator()
    if isinstance(backend, (CaSignalBackend, PvaSignalBackend)):
        return SignalActuator(leaf)
    return ElsewhereActuator()


def _add_classic(
    found: Connections, path: str, device: Any, envelope: Envelope, setpoints: frozenset[str]
) -> None:
    from controller.safety.devices.classic_leaves import pvs_of

    written, read = pvs_of(path, device)
    for name, pv in written.items():
        if _may_be_written(name, envelope):
            found.actuators[name] = PvActuator(pv)
            found.pvs[name] = pv
        readback = pv if name in setpoints else read.get(name, pv)
        _watch(found, name, readback, envelope, read_only=False)
    for name, pv in read.items():
        if name not in written:
            _watch(found, name, pv, envelope, read_only=True)


def _watch(
    found: Connections,
    name: str,
    source: str | SignalR[Any],
    envelope: Envelope,
    *,
    read_only: bool,
) -> None:
    declared = envelope.signals.get(name)
    if declared is not None:
        found.watched[name] = Watched(source, declared.term, declared.max_age_s)
    elif read_only and isinstance(envelope.limits.get(name), Limit):
        found.watched[name] = Watched(source, NUMBER, UNDECLARED_AGE_S)


def _may_be_written(signal: str, envelope: Envelope) -> bool:
    """Whether somebody may: plans, or in maintenance people."""
    return signal in envelope.limits or envelope.is_free(signal) or envelope.is_maintenance(signal)
