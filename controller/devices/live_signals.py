"""Every signal of a station with the PVs that read and write it; nothing is connected for that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ophyd_async.core import Command, SignalW

from controller.devices.startup import is_async
from controller.safety.devices.connectors import leaves

CHANNEL_ACCESS = "ca://"


@dataclass(frozen=True, slots=True)
class LiveSignal:
    """A signal at its dotted *path*: the PV that is read, and the one that is written, if any.

    Both are empty for one that isn't on Channel Access; *elsewhere* says then where it is.
    """

    path: str
    pv: str = ""
    written: str = ""
    elsewhere: str = ""

    @property
    def pvs(self) -> tuple[str, ...]:
        """Its PVs, each once."""
        return tuple(dict.fromkeys(pv for pv in (self.pv, self.written) if pv))


def signals_of(devices: Mapping[str, Any]) -> list[LiveSignal]:
    """Return the signals of *devices* (of ophyd-async or classic), by name and in their order."""
    found: list[LiveSignal] = []
    for path, device in devices.items():
        walk = _async_signals if is_async(device) else _classic_signals
        found += walk(path, device)
    return found


def _async_signals(path: str, device: Any) -> Iterator[LiveSignal]:
    for name, leaf in leaves(path, device):
        backend = leaf._connector._init_backend
        if isinstance(leaf, Command):
            source = backend.source("")
            read, written = source, source
        else:
            read = backend.source(name, True)
            written = backend.source(name, False) if isinstance(leaf, SignalW) else ""
        if not read.startswith(CHANNEL_ACCESS):
            yield LiveSignal(name, elsewhere=read)
            continue
        pv, writes = (text.removeprefix(CHANNEL_ACCESS) for text in (read, written))
        yield LiveSignal(name, pv or writes, writes)


def _classic_signals(path: str, device: Any) -> Iterator[LiveSignal]:
    from ophyd.signal import EpicsSignal, EpicsSignalBase

    from controller.safety.devices.classic_leaves import classic_leaves

    for leaf in classic_leaves(path, device, lazy=True):
        if isinstance(leaf.signal, EpicsSignal):
            yield LiveSignal(leaf.path, leaf.signal.pvname, leaf.signal.setpoint_pvname)
        elif isinstance(leaf.signal, EpicsSignalBase):
            yield LiveSignal(leaf.path, leaf.signal.pvname)
        else:
            yield LiveSignal(leaf.path, elsewhere=f"{leaf.kind.__name__} (no EPICS)")
