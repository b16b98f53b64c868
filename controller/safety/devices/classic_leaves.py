"""The leaves of classic ophyd devices: their dotted paths and PVs, and which no gate can judge."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import getattr_static
from typing import Any

import ophyd
from ophyd.device import do_not_wait_for_lazy_connection
from ophyd.signal import (
    AttributeSignal,
    DerivedSignal,
    EpicsSignal,
    EpicsSignalBase,
    InternalSignalMixin,
    SignalRO,
)


@dataclass(frozen=True, slots=True)
class ClassicLeaf:
    """A signal at its dotted *path*: *signal* is None for a lazy one that isn't there yet."""

    path: str
    kind: type
    signal: Any = None
    options: Any = None
    """The arguments of a lazy signal."""


def is_classic(device: object) -> bool:
    """Whether *device* is one of classic ophyd."""
    return isinstance(device, ophyd.ophydobj.OphydObject)


def classic_leaves(path: str, device: Any, *, lazy: bool = False) -> Iterator[ClassicLeaf]:
    """Yield every leaf of *device* at dotted *path*; with *lazy* those too that must be made."""
    if not isinstance(device, ophyd.Device):
        yield ClassicLeaf(path, type(device), device)
        return
    with do_not_wait_for_lazy_connection(device) if lazy else nullcontext():
        for attribute, component in device._sig_attrs.items():
            name = f"{path}.{attribute}"
            if component.lazy and not lazy and attribute not in device._signals:
                yield from _lazy(name, component)
            else:
                yield from classic_leaves(name, getattr(device, attribute), lazy=lazy)


def _lazy(path: str, component: Any) -> Iterator[ClassicLeaf]:
    if not issubclass(component.cls, ophyd.Device):
        yield ClassicLeaf(path, component.cls, None, component.kwargs)
        return
    for attribute, below in component.cls._sig_attrs.items():
        yield from _lazy(f"{path}.{attribute}", below)


def pvs_of(path: str, device: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return the PVs of *device* by dotted path: those that are written, those that are read only.

    Every lazy signal is made: for devices without connections (``naming.name_only``).
    """
    written, read = {}, {}
    for leaf in classic_leaves(path, device, lazy=True):
        if isinstance(leaf.signal, EpicsSignal):
            written[leaf.path] = leaf.signal.setpoint_pvname
        elif isinstance(leaf.signal, EpicsSignalBase):
            read[leaf.path] = leaf.signal.pvname
    return written, read


def why_not_gated(leaf: ClassicLeaf) -> str:
    """Return how *leaf* could act on the world past a gate before EPICS; empty if it couldn't."""
    kind, signal = leaf.kind, leaf.signal
    if issubclass(kind, (EpicsSignalBase, SignalRO, InternalSignalMixin)):
        return ""
    if issubclass(kind, AttributeSignal):
        return _of_attribute(leaf)
    if issubclass(kind, DerivedSignal):
        if signal is None or not signal._allow_writes:
            return ""
        source = signal.derived_from
        return why_not_gated(ClassicLeaf(leaf.path, type(source), source))
    if issubclass(kind, ophyd.Signal):
        return _of_memory(kind)
    return f"{kind.__name__} moves by its own code, which the gate can't judge"


def _of_memory(kind: type) -> str:
    """A signal in memory acts on nothing, unless it writes by code of its own."""
    for verb in ("put", "set"):
        owner = next(base for base in kind.__mro__ if verb in vars(base))
        if not owner.__module__.startswith("ophyd.") or owner.__module__.startswith("ophyd.sim"):
            return f"{owner.__name__}.{verb}() writes by its own code, which the gate can't judge"
    return ""


def _of_attribute(leaf: ClassicLeaf) -> str:
    if leaf.signal is None:
        return "" if leaf.options.get("write_access") is False else _ATTRIBUTE
    if not leaf.signal.write_access:
        return ""
    found = getattr_static(type(leaf.signal.base), leaf.signal.attr, None)
    if isinstance(found, property) and found.fset is None:
        return ""
    return _ATTRIBUTE if hasattr(type(found), "__set__") else ""


_ATTRIBUTE = "sets an attribute of its device by the device's own code, which the gate can't judge"
