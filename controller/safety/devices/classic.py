"""The gate's seam in classic ophyd: a control layer whose PVs read directly and ask to write.

Whatever a classic device does ends in the ``put`` of a PV (``EpicsMotor.move``, ``stop``,
``set_current_position``, ``set_lim``, ``caput``). The layer is installed before any device is
built, and devices are put behind the gate by ``guard_classic`` before they are used: a PV that is
in none of them is written by nobody.
"""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import epicscorelibs.path.pyepics  # noqa: F401  # before pyepics: one libca for all clients
import numpy as np
import ophyd
from ophyd import _pyepics_shim as shim
from ophyd._dispatch import wrap_callback
from ophyd.signal import DEFAULT_WRITE_TIMEOUT, EpicsSignal
from ophyd.status import Status

from controller.errors import ControllerError, DeviceRefused, WriteRefused
from controller.safety.devices.classic_leaves import classic_leaves, is_classic, why_not_gated
from controller.safety.devices.remote import RemoteGate
from controller.safety.envelope.envelope import Members
from controller.safety.gate.gate import Gate

PROMPT_S = 20.0
"""How long a put may take that doesn't wait for its device (real seconds)."""


class ClassicLayer:
    """Knows which PV is which signal of the devices that it was shown, and asks the gate."""

    def __init__(self, gate: RemoteGate) -> None:
        self.gate = gate
        self._devices: dict[str, Any] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._before: tuple[Any, Any, Any] | None = None

    def install(self) -> None:
        """Let every classic device that is built from now on in this process ask the gate."""
        epics = shim.epics
        self._before = (ophyd.cl, epics.pv.default_pv_class, epics.ca.put)
        shim.setup(shim.module_logger)
        epics.pv._PVcache_.clear()  # what was there before is not gated
        epics.pv.default_pv_class = type("GatedPv", (GatedPv,), {"layer": self})
        epics.ca.put = _refuse_put
        ophyd.cl = SimpleNamespace(
            setup=shim.setup,
            caput=self.caput,
            caget=shim.caget,
            get_pv=self.get_pv,
            thread_class=shim.thread_class,
            name="pyepics behind the gate",
            release_pvs=shim.release_pvs,
            get_dispatcher=shim.get_dispatcher,
            gate_layer=self,
        )

    def remove(self) -> None:
        """Put back what was there before ``install``; devices built meanwhile stay gated."""
        if self._before is not None:
            epics = shim.epics
            ophyd.cl, epics.pv.default_pv_class, epics.ca.put = self._before
            epics.pv._PVcache_.clear()
            self._before = None

    def get_pv(self, name: str, access_callback: Any = None, **options: Any) -> Any:
        """Return the gated PV *name*, of whose write access the gate decides, nobody else."""
        granted = None if access_callback is None else _granted(access_callback)
        return shim.epics.get_pv(name, access_callback=granted, **options)

    def caput(self, name: str, value: Any, wait: bool = False, timeout: float = 60.0) -> Any:
        """Write *value* to the PV *name* by the gate, with pyepics' own arguments."""
        return self.get_pv(name, connect=True).put(value, wait=wait, timeout=timeout)

    def guard(self, path: str, device: Any, *, passive: bool = False) -> None:
        """Put the gate before *device* at dotted *path*.

        *passive* devices were declared to act on nothing in the world: what they write other than
        to EPICS is let through. Raises DeviceRefused, which lists every leaf that can't be gated.
        """
        refused = []
        for leaf in classic_leaves(path, device):
            reason = "" if passive else why_not_gated(leaf)
            if isinstance(leaf.signal, EpicsSignal) and not _is_gated(leaf.signal):
                reason = "was built before the gate's control layer was there"
            if reason:
                refused.append(f"{leaf.path}: {reason}")
        if refused:
            raise DeviceRefused(
                f"{path}: {type(device).__name__} can act past the gate:\n  "
                + "\n  ".join(refused)
                + "\ndeclare the device `actuates: false` if none of these acts on the world"
            )
        self._devices[path] = device
        self._learn()

    def paths_of(self, name: str) -> tuple[str, ...]:
        """Return the dotted signals that write the PV *name*; raises WriteRefused for none."""
        if name not in self._paths:
            self._learn()  # a lazy signal may have come since
        if name not in self._paths:
            raise WriteRefused(
                f"{name}: belongs to no device of the beamline, so that the gate has no limits for "
                "it; nothing has moved"
            )
        return self._paths[name]

    def in_words(self, path: str, value: Any, pv: Any) -> Any:
        """Return *value* as the limits of *path* speak of it: the member's word for its number."""
        if isinstance(value, (list, tuple)) and not any(isinstance(v, str) for v in value):
            return np.asarray(value)
        limit = self.gate.envelope.limits.get(path)
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if isinstance(limit, Members) and whole:
            names = pv.enum_strs or ()
            return names[int(value)] if 0 <= int(value) < len(names) else value
        return value

    def _learn(self) -> None:
        paths: dict[str, tuple[str, ...]] = {}
        for path, device in self._devices.items():
            for leaf in classic_leaves(path, device):
                if isinstance(leaf.signal, EpicsSignal):
                    name = leaf.signal.setpoint_pvname
                    paths[name] = (*paths.get(name, ()), leaf.path)
                    _fail_loudly(leaf.signal)
        self._paths = paths


class GatedPv(shim.PyepicsShimPV):  # type: ignore[misc]  # ophyd has no types
    """A PV that reads and is monitored as ever, and asks the gate to write."""

    layer: ClassicLayer

    def put(  # noqa: PLR0913, PLR0917  # as pyepics has it
        self,
        value: Any,
        wait: bool = False,
        timeout: float | None = None,
        use_complete: bool = False,
        callback: Callable[..., Any] | None = None,
        callback_data: Any = None,
        failed: Callable[[BaseException], Any] | None = None,
    ) -> int | None:
        """Ask the gate to write *value*; what it refuses raises WriteRefused here and now.

        Without *wait*, *use_complete* and *callback* it returns when the server has the value.
        *failed* is called with the error in place of *callback*.
        """
        paths = self.layer.paths_of(self.pvname)
        gate = self.layer.gate
        asked = self.layer.in_words(paths[0], value, self)
        for path in paths:
            gate.judge(path, asked)
        completes = wait or use_complete or callback is not None
        future = gate.post(paths[0], asked, wait=completes)
        self._put_complete = False if use_complete else None
        if wait:
            gate.require_done_in_time(paths[0], future, timeout)
            self._ended(callback, callback_data)
            return 1
        if not completes:
            gate.require_done_in_time(paths[0], future, PROMPT_S)
            return None

        def see() -> None:
            try:
                gate.require_done_in_time(paths[0], future, timeout)
            except (ControllerError, TimeoutError) as error:
                shim.module_logger.error("%s: put failed: %s", self.pvname, error)
                if failed is not None:
                    failed(error)
            else:
                self._ended(callback, callback_data)

        threading.Thread(target=see, daemon=True, name=f"put-{self.pvname}").start()
        return None

    def _ended(self, callback: Callable[..., Any] | None, data: Any) -> None:
        if self._put_complete is not None:
            self._put_complete = True
        if callback is not None:
            tell = wrap_callback(shim.get_dispatcher(), "get_put", callback)
            tell(pvname=self.pvname, data=data)


def install(gate: RemoteGate) -> ClassicLayer:
    """Let classic devices that are built from now on ask *gate*, and return the layer."""
    layer = ClassicLayer(gate)
    layer.install()
    return layer


def guard_classic(
    gate: RemoteGate | Gate, path: str, device: Any, *, passive: bool = False
) -> None:
    """Put *gate* before the classic *device* at dotted *path*, built after ``install``.

    Raises DeviceRefused where that can't be: on a virtual or a scaled clock, in one process, and
    for every leaf that could be written past the gate.
    """
    if not is_classic(device):
        raise DeviceRefused(f"{path}: {type(device).__name__} is no device of ophyd")
    if not isinstance(gate, RemoteGate) or gate.speed != 1.0:
        raise DeviceRefused(
            f"{path}: {type(device).__name__} is a classic ophyd device, with threads of its own "
            "that know real time alone: it can't be used on a virtual or accelerated clock, nor "
            "with --inline; run it with the gate as a process, on a live bench or at speed 1"
        )
    layer = getattr(ophyd.cl, "gate_layer", None)
    if not isinstance(layer, ClassicLayer) or layer.gate is not gate:
        raise DeviceRefused(f"{path}: the gate's control layer isn't installed in this process")
    layer.guard(path, device, passive=passive)


def _is_gated(signal: EpicsSignal) -> bool:
    return isinstance(signal._write_pv, GatedPv) and isinstance(signal._read_pv, GatedPv)


def _fail_loudly(signal: EpicsSignal) -> None:
    """Let a ``set`` with put completion fail when its put fails; ophyd's own knows success only."""
    if type(signal).set is EpicsSignal.set and "set" not in vars(signal):
        signal.set = _Set(signal)


class _Set:
    """``EpicsSignal.set`` that learns of failure."""

    def __init__(self, signal: EpicsSignal) -> None:
        self._signal = signal

    def __call__(
        self, value: Any, *, timeout: Any = DEFAULT_WRITE_TIMEOUT, settle_time: float | None = None
    ) -> Any:
        signal = self._signal
        if not signal.put_complete:
            return EpicsSignal.set(signal, value, timeout=timeout, settle_time=settle_time)
        if timeout is DEFAULT_WRITE_TIMEOUT:
            timeout = signal.write_timeout
        status = Status(signal, timeout=timeout, settle_time=settle_time)
        signal.put(
            value,
            use_complete=True,
            callback=lambda **_: status.set_finished(),
            failed=status.set_exception,
        )
        return status


def _granted(access_callback: Callable[..., Any]) -> Callable[..., Any]:
    def granted(read_access: bool, _write_access: bool, **about: Any) -> None:
        access_callback(read_access, True, **about)

    return granted


def _refuse_put(chid: Any, value: Any, *_arguments: Any, **_options: Any) -> None:
    name = shim.epics.ca.name(chid)
    raise WriteRefused(f"{name}: asked for {value!r} past the gate; nothing has moved")
