"""A bench that can be spoiled: injected faults between what it does and what its signals show.

It sits on the mock signals themselves, so that inline campaigns and Channel Access clients meet the
same faults.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ophyd_async.core import Device

from simulators.errors import FaultError
from simulators.ioc.faults import (
    CLIENTS,
    NUMERIC,
    READINGS,
    WRITES,
    Fault,
    Faults,
    Kind,
    Passed,
)
from simulators.ioc.leaves import Leaf, leaves_of
from simulators.mock_bench import Listener, MockBench

STEP_S = 1.0
"""Between two steps of a move that an injected fault makes slow."""

Change = Callable[[], None]


class FaultyBench:
    """*inner* with the injected faults of its station's *devices*.

    A bench itself, in the place of the inner one. ``inject`` and ``clear`` are called in the
    devices' loop, after ``attach``. ``changed`` is called whenever the faults are other ones; who
    serves the bench sets it, and does what can only be done to a server.
    """

    def __init__(self, inner: MockBench, devices: Mapping[str, Device], faults: Faults) -> None:
        self._inner = inner
        self._devices = devices
        self.faults = faults
        self._points: dict[str, _Point] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self.tick_s = inner.tick_s
        self.changed: Change | None = None

    @property
    def paths(self) -> dict[str, bool]:
        """The dotted paths of all signals, and whether each is writable."""
        return {path: point.writable for path, point in self._points.items()}

    def attach(self, listener: Listener) -> None:
        """Listen as the inner bench does, and stand between it and its signals."""
        self._inner.attach(listener)
        leaves = [
            leaf for leaf in leaves_of(self._devices) if isinstance(leaf, Leaf) and leaf.names
        ]
        self._points = {leaf.path: _Point(leaf, self.faults) for leaf in leaves}

    def start(self) -> None:
        """Let time pass at the bench."""
        self._inner.start()

    def stop(self) -> None:
        """Stand still."""
        self._inner.stop()

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self._inner.pass_time(seconds)

    def dump_beam(self, seconds: float) -> bool:
        """Lose the beam for *seconds*; returns whether the bench has one."""
        return self._inner.dump_beam(seconds)

    def stop_exhaust(self, seconds: float) -> bool:
        """Let the exhaust stand for *seconds*; returns whether the bench has one."""
        return self._inner.stop_exhaust(seconds)

    def snapshot(self) -> dict[str, Any]:
        """Return the inner bench's state; faults don't outlive their process."""
        return self._inner.snapshot()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        self._inner.restore(state)

    def inject(self, kind: Kind, signal: str = "", amount: float = 0.0, seconds: float = 0) -> None:
        """Inject a fault for *seconds* of the loop (0: until cleared).

        Raises FaultError when *signal* isn't there or *kind* can't befall it.
        """
        loop = asyncio.get_running_loop()
        until = self.faults.now() + seconds if seconds > 0 else float("inf")
        fault = Fault(kind, signal, amount, until)
        self._check(fault)
        if kind is Kind.BEAM_DUMP and not self._inner.dump_beam(seconds):
            raise FaultError(f"{kind}: this bench has no beam")
        if kind is Kind.EXHAUST_STOP and not self._inner.stop_exhaust(seconds):
            raise FaultError(f"{kind}: this bench has no exhaust")
        self.faults.inject(fault)
        if seconds > 0:
            self._timers.add(loop.call_later(seconds, self._renew))
        self._renew()

    async def drive(self, path: str, value: Any) -> None:
        """Write *value* as the IOC itself does: whatever keeps clients from it doesn't count.

        What befalls the device does. Raises FaultError for a signal that isn't there.
        """
        if path not in self._points:
            raise FaultError(f"no signal {path!r} at this bench; nothing was written")
        await self._points[path].drive(value)

    def clear(self, signal: str | None = None) -> None:
        """End all faults of *signal*, or every fault; beam and exhaust come back too."""
        if signal in {None, ""}:
            self._inner.dump_beam(0.0)
            self._inner.stop_exhaust(0.0)
        self.faults.clear(signal)
        self._renew()

    def _check(self, fault: Fault) -> None:
        if fault.kind in {Kind.REBOOT, Kind.DISCONNECT} and self.changed is None:
            raise FaultError(f"{fault.kind}: this bench isn't served")
        if not fault.signal:
            return
        point = self._points.get(fault.signal)
        if point is None:
            raise FaultError(f"{fault.kind}: no signal {fault.signal!r} at this bench")
        if fault.kind in WRITES and not point.writable:
            raise FaultError(f"{fault.kind}: {fault.signal} is never written")
        if fault.kind in NUMERIC and not point.numeric:
            raise FaultError(f"{fault.kind}: {fault.signal} is no number")

    def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers = {timer for timer in self._timers if timer.when() > loop.time()}
        for point in self._points.values():
            point.renew()
        if self.changed is not None:
            self.changed()


class _Point:
    """One signal: faults come between the bench and what it shows, a client and the bench."""

    def __init__(self, leaf: Leaf, faults: Faults) -> None:
        self.path, self.writable = leaf.path, leaf.writable
        self._faults = faults
        self._soft = leaf.soft
        self._set_value = self._soft.set_value
        self._inner = leaf.backend._mock_put_callback
        self._true = self._last = self._soft.reading["value"]
        self._befell: dict[Kind, Fault] = {}
        self._renewed = asyncio.Event()
        self._move: asyncio.Task[None] | None = None
        self._soft.set_value = self._show  # type: ignore[method-assign]
        if self.writable:
            leaf.backend.set_mock_put_callback(self._put)

    @property
    def numeric(self) -> bool:
        """Whether its value is a float, or an array."""
        return isinstance(self._true, float) or hasattr(self._true, "dtype")

    def renew(self) -> None:
        """Show what the faults now make of the last true value; let go of a hung put."""
        now = self._faults.of(self.path, writable=self.writable)
        if now.keys() != self._befell.keys() or now != self._befell:
            before, self._befell = self._befell, now
            if READINGS & (before.keys() | now.keys()):
                self._show(self._true)
            self._renewed.set()
            self._renewed = asyncio.Event()

    def _show(self, value: Any) -> None:
        self._true = value
        faults = self._faults.of(self.path, writable=self.writable)
        shown = self._faults.reading(value, self._last, faults)
        if shown is None:
            return
        self._last = shown.value
        if shown.invalid:
            self._show_invalid(shown.value)
        else:
            self._set_value(shown.value)

    def _show_invalid(self, value: Any) -> None:
        callback, self._soft.callback = self._soft.callback, None
        self._set_value(value)
        self._soft.reading["alarm_severity"] = -1
        self._soft.callback = callback
        if callback is not None:
            callback(self._soft.reading)

    async def _put(self, value: Any) -> Any:
        """Pass a write on as the faults have it; returns what the setpoint is then."""
        passed = self._faults.write(self.path, value, self._faults.of(self.path, writable=True))
        while passed.hung:
            await self._renewed.wait()
            passed = self._faults.write(self.path, value, self._faults.of(self.path, writable=True))
        return await self._do(passed)

    async def drive(self, value: Any) -> None:
        """Write *value* whatever befalls clients, and show it."""
        faults = self._faults.of(self.path, writable=True)
        felt = {kind: fault for kind, fault in faults.items() if kind not in CLIENTS}
        answer = await self._do(self._faults.write(self.path, value, felt))
        await self._soft.put(answer)

    async def _do(self, passed: Passed) -> Any:
        """Let the bench do what was passed on; returns what the setpoint is then."""
        if self._move is not None:
            self._move.cancel()
            self._move = None
        if passed.stalled or self._inner is None:
            return passed.value
        if passed.slow_s > 0 and isinstance(passed.value, float):
            creeping = self._creep(float(self._true), passed.value, passed.slow_s)
            self._move = asyncio.create_task(creeping)
            return passed.value
        if passed.slow_s > 0:
            await asyncio.sleep(passed.slow_s)
        return await self._pass_on(passed.value)

    async def _creep(self, start: float, target: float, seconds: float) -> None:
        """Move the setpoint that the bench knows to *target* within *seconds*, a step a second."""
        steps = max(1, round(seconds / STEP_S))
        for step in range(1, steps + 1):
            await asyncio.sleep(seconds / steps)
            await self._pass_on(start + (target - start) * step / steps)

    async def _pass_on(self, value: Any) -> Any:
        if self._inner is None:
            return value
        answer = self._inner(value)
        if inspect.isawaitable(answer):
            answer = await answer
        return value if answer is None else answer
