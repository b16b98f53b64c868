"""The fault panel: PVs by which any client injects faults into a served bench, and clears them."""

import asyncio
from collections.abc import Coroutine
from math import isfinite
from typing import Annotated as A

from ophyd_async.core import Device, SignalR, SignalRW, callback_on_mock_put, set_mock_value
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from simulators.errors import FaultError
from simulators.ioc.faults import Fault, Kind
from simulators.ioc.faulty import FaultyBench
from simulators.ioc.server import Ioc, Manner
from simulators.records import Record

SUFFIX = "FAULT:"
"""Between a bench's prefix and the panel's PVs."""
GRACE_S = 0.1
"""Between the answer to a put that asks for a reboot and the reboot (real seconds)."""

ABSENCES = frozenset({Kind.REBOOT, Kind.UNRESPONSIVE})
"""After these the server comes back by itself."""

RECORDS = {
    "fault.kind": Record(length=40),
    "fault.signal": Record(length=200),
    "fault.active": Record(length=4000),
    "fault.message": Record(length=1000),
    "fault.duration": Record(units="s"),
}


class FaultPanel(EpicsDevice, Device):
    """What to inject: *kind* into *signal* (dotted path; empty: bench-wide), then ``inject``.

    *amount* is in the signal's unit; *duration* in seconds of the bench, 0 until cleared.
    ``clear`` ends the faults of *signal*, all of them where it is empty.
    """

    kind: A[SignalRW[str], PvSuffix("KIND")]
    signal: A[SignalRW[str], PvSuffix("SIGNAL")]
    amount: A[SignalRW[float], PvSuffix("AMOUNT")]
    duration: A[SignalRW[float], PvSuffix("DURATION")]
    inject: A[SignalRW[bool], PvSuffix("INJECT")]
    clear: A[SignalRW[bool], PvSuffix("CLEAR")]
    active: A[SignalR[str], PvSuffix("ACTIVE")]
    count: A[SignalR[int], PvSuffix("COUNT")]
    message: A[SignalR[str], PvSuffix("MESSAGE")]

    async def spoil(
        self, kind: Kind, signal: str = "", amount: float = 0.0, seconds: float = 0.0
    ) -> None:
        """Inject a fault; for clients that have this class. Raises FaultError with the reason.

        Arrival is looked for: ophyd-async 0.21.3 takes a put that failed for one that succeeded.
        """
        await self.kind.set(kind.value)
        await self.signal.set(signal)
        await self.amount.set(amount)
        await self.duration.set(seconds)
        await self.inject.set(True)
        if why_not := await self.message.get_value():
            raise FaultError(why_not)

    async def mend(self, signal: str = "") -> None:
        """End the faults of *signal*, or all."""
        await self.signal.set(signal)
        await self.clear.set(True)


class FaultDesk:
    """Does what the *panel* asks: the bench's faults to *bench*, those of the server to *ioc*."""

    def __init__(self, panel: FaultPanel, bench: FaultyBench, ioc: Ioc, speed: float) -> None:
        self._panel = panel
        self._bench = bench
        self._ioc = ioc
        self._grace = GRACE_S * speed
        self._absent: set[Fault] = set()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Listen to the panel."""
        callback_on_mock_put(self._panel.inject, self._inject)
        callback_on_mock_put(self._panel.clear, self._clear)
        self._bench.changed = lambda: self._soon(self._apply())

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _inject(self, go: bool) -> bool:
        if go:
            panel = self._panel
            word, signal = await panel.kind.get_value(), await panel.signal.get_value()
            amount, seconds = await panel.amount.get_value(), await panel.duration.get_value()
            try:
                self._bench.inject(_kind(word), signal, amount, seconds)
            except FaultError as error:
                set_mock_value(panel.message, str(error))
                raise
            set_mock_value(panel.message, "")
            await self._apply()
        return False

    async def _clear(self, go: bool) -> bool:
        if go:
            self._bench.clear(await self._panel.signal.get_value() or None)
            await self._apply()
        return False

    async def _apply(self) -> None:
        """Make the server as the faults want it, and list them."""
        async with self._turn:
            await self._ioc.disconnect(self._befallen(Kind.DISCONNECT))
            await self._ioc.behave(self._manner())
            active = self._bench.faults.active()
            set_mock_value(self._panel.active, "\n".join(_in_words(fault) for fault in active))
            set_mock_value(self._panel.count, len(active))
            absent = {fault for fault in active if fault.kind in ABSENCES}
            for fault in absent - self._absent:
                self._soon(self._begin(fault))
            self._absent = absent

    async def _begin(self, fault: Fault) -> None:
        """Let the server reboot or freeze, once it has answered who asked for it."""
        await asyncio.sleep(self._grace)
        seconds = fault.until - self._bench.faults.now()
        await (self._ioc.reboot if fault.kind is Kind.REBOOT else self._ioc.freeze)(seconds)

    def _manner(self) -> Manner:
        return Manner(self._befallen(Kind.REFUSED), self._befallen(Kind.SILENT), self._stamp)

    def _stamp(self, path: str, now: float) -> float:
        writable = self._bench.paths.get(path)
        if writable is None:
            return now
        found = self._bench.faults.of(path, writable=writable)
        if stale := found.get(Kind.STALE):
            return stale.since
        return now + found[Kind.CLOCK_JUMP].amount if Kind.CLOCK_JUMP in found else now

    def _befallen(self, kind: Kind) -> frozenset[str]:
        faults = self._bench.faults
        return frozenset(
            path
            for path, writable in self._bench.paths.items()
            if kind in faults.of(path, writable=writable)
        )

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _kind(word: str) -> Kind:
    try:
        return Kind(word)
    except ValueError as error:
        raise FaultError(f"no kind of fault {word!r}; there are {', '.join(Kind)}") from error


def _in_words(fault: Fault) -> str:
    where = fault.signal or "(bench)"
    amount = f" {fault.amount:g}" if fault.amount else ""
    until = f" until {fault.until:.0f}" if isfinite(fault.until) else ""
    return f"{fault.kind} {where}{amount}{until}"
