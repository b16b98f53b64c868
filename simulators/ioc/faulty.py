"""A bench that can be spoiled: injected faults between what it does and what its signals show.

It sits on the mock signals themselves, so that inline campaigns and Channel Access clients meet the
same faults.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ophyd_async.core import Device

from simulators.errors import FaultError
from simulators.ioc.faults import ACTS, NUMERIC, SERVED, WRITES, Fault, Faults, Kind
from simulators.ioc.leaves import Leaf, leaves_of
from simulators.ioc.point import Point
from simulators.mock_bench import Listener, MockBench

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
        self._points: dict[str, Point] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._acts: set[asyncio.Task[None]] = set()
        self._restless: asyncio.TimerHandle | None = None
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
        self._points = {leaf.path: Point(leaf, self.faults) for leaf in leaves}

    def start(self) -> None:
        """Let time pass at the bench."""
        self._inner.start()

    def stop(self) -> None:
        """Stand still."""
        self._inner.stop()
        if self._restless is not None:
            self._restless.cancel()
            self._restless = None

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
        fault = Fault(kind, signal, amount, until, self.faults.now())
        self._check(fault)
        if kind in ACTS:
            self._act(fault)
            return
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

    def _act(self, fault: Fault) -> None:
        """Let happen what happens once; a move that it begins goes on by itself."""
        point = self._points[fault.signal]
        match fault.kind:
            case Kind.MOVED:
                work = point.drive(point.like(fault.amount))
            case Kind.RUNAWAY:
                work = point.run_away(fault.amount)
            case _:
                work = self._stopping(point)
        task = asyncio.get_running_loop().create_task(work)
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)

    def _stopping(self, point: Point) -> Coroutine[Any, Any, None]:
        """Return what stops the device of *point*: its stop, or the way back to where it is."""
        device = point.path.rpartition(".")[0]
        if halt := self._points.get(f"{device}.halt"):
            return halt.drive(1)
        if readback := self._points.get(f"{device}.readback"):
            return point.drive(readback.true)
        raise FaultError(f"{Kind.STOPPED}: {point.path} is nothing that could be stopped")

    def _check(self, fault: Fault) -> None:
        if fault.kind in SERVED and self.changed is None:
            raise FaultError(f"{fault.kind}: this bench isn't served")
        if not fault.signal:
            return
        point = self._points.get(fault.signal)
        if point is None:
            raise FaultError(f"{fault.kind}: no signal {fault.signal!r} at this bench")
        if fault.kind in WRITES | ACTS and not point.writable:
            raise FaultError(f"{fault.kind}: {fault.signal} is never written")
        if fault.kind in NUMERIC and not point.numeric:
            raise FaultError(f"{fault.kind}: {fault.signal} is no number")
        if fault.kind is Kind.TRUNCATED and not point.array:
            raise FaultError(f"{fault.kind}: {fault.signal} is no array")

    def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers = {timer for timer in self._timers if timer.when() > loop.time()}
        for point in self._points.values():
            point.renew()
        if self._restless is None:
            self._stir()
        if self.changed is not None:
            self.changed()

    def _stir(self) -> None:
        """Show restless readings anew at every tick, as long as there are any."""
        loop = asyncio.get_running_loop()
        restless = [point for point in self._points.values() if point.restless]
        for point in restless:
            point.show_again()
        self._restless = loop.call_later(self.tick_s, self._stir) if restless else None
