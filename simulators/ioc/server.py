"""Serves the leaves of a mock device tree over Channel Access, from the devices' own loop.

A client's put is a task of its own: it writes the mock as ``signal.set`` would and answers when the
bench is done, while everybody else is served. What the bench shows is published at a bounded
rate, the latest value of each signal, and always before a put is answered. Time stamps are the
campaign's.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import caproto as ca

from simulators.errors import NotServed
from simulators.ioc.channels import alarm_of, channel_of, trigger_channel
from simulators.ioc.context import Place, Server
from simulators.ioc.leaves import Leaf, Trigger
from simulators.records import Alarm, Record

PERIOD_S = 0.05
"""Between two publications (real seconds), however fast the bench runs."""
START_S = 10.0
"""How long a server may take to listen (real seconds)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Campaign time, and how many seconds of the loop a real one has."""

    now: Callable[[], float]
    speed: float = 1.0


class Ioc:
    """The PVs of *leaves* at *place*; all methods are called in the devices' loop."""

    def __init__(
        self,
        leaves: Iterable[Leaf | Trigger],
        records: Mapping[str, Record],
        place: Place,
        timing: Timing,
    ) -> None:
        self.place = place
        self._timing = timing
        self._ports = [
            port
            for leaf in leaves
            if (port := _port(leaf, records.get(leaf.path, Record()), self)) is not None
        ]
        self._by_path = {port.path: port for port in self._ports}
        self._pvs = {name: port.channel for port in self._ports for name in port.names}
        self._hidden: set[str] = set()
        self._changed: dict[_Port, tuple[Any, float, int]] = {}
        self._publishing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._published = 0.0
        self._task: asyncio.Task[None] | None = None
        self._server: Server | None = None
        self._background: set[asyncio.Task[None]] = set()

    @property
    def pvs(self) -> dict[str, str]:
        """The dotted path of the leaf behind every PV name."""
        return {name: port.path for port in self._ports for name in port.names}

    @property
    def clients(self) -> tuple[socket.socket, ...]:
        """The sockets of everybody who is connected."""
        circuits = () if self._server is None else tuple(self._server.circuits)
        return tuple(c.client.writer.get_extra_info("socket") for c in circuits)

    async def start(self) -> None:
        """Listen; raises NotServed when the port is taken."""
        for port in self._ports:
            port.listen()
        await self._listen()

    async def _listen(self) -> None:
        server = Server(self._pvs, self.place, self._timing.speed)
        server.hidden = self._hidden
        task = asyncio.create_task(server.serve())
        listening = asyncio.create_task(server.listening.wait())
        patience = START_S * self._timing.speed
        await asyncio.wait({task, listening}, timeout=patience, return_when="FIRST_COMPLETED")
        if not listening.done():
            listening.cancel()
            if not task.done():
                await _ended(task)
                raise NotServed("the Channel Access server doesn't come up")
            task.result()
        self._task, self._server = task, server

    async def stop(self) -> None:
        """Hang up on all clients and free the port; ``start`` may follow."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for port in self._ports:
            port.deafen()
        await self._hang_up()

    async def _hang_up(self) -> None:
        task, self._task, self._server = self._task, None, None
        if task is not None:
            await _ended(task)

    async def finished(self) -> None:
        """Return never; raise what made the server fail."""
        while True:
            if self._task is not None and self._task.done():
                self._task.result()
                raise NotServed("the Channel Access server has ended by itself")
            await asyncio.sleep(self._timing.speed * 0.5)

    async def reboot(self, seconds: float) -> None:
        """Be gone for *seconds* of the loop, then come back with the same PVs."""
        await self._hang_up()
        await asyncio.sleep(seconds)
        await self._listen()

    async def disconnect(self, paths: Iterable[str]) -> None:
        """Hide exactly the PVs of *paths*: their clients are told that they are gone."""
        names = {name for path in paths for name in self._by_path[path].names}
        lost = names - self._hidden
        self._hidden.clear()
        self._hidden |= names
        if self._server is not None:
            for name in lost:
                await self._server.hang_up(name)

    async def refuse(self, paths: Iterable[str]) -> None:
        """Let exactly the PVs of *paths* be read only."""
        refused = set(paths)
        for port in self._ports:
            rights = ca.AccessRights.READ if port.path in refused else None
            if port.channel.put is not None and port.channel.rights != rights:
                port.channel.rights = rights
                await self._announce(port)

    async def _announce(self, port: "_Port") -> None:
        allowed = port.channel.check_access("", "")
        for name in port.names:
            if self._server is not None:
                await self._server.tell(
                    name,
                    lambda channel: ca.AccessRightsResponse(cid=channel.cid, access_rights=allowed),
                )

    def changed(self, port: "_Port", value: Any, severity: int) -> None:
        """Note what *port* shows now; it is published within the period."""
        self._changed[port] = (value, self._timing.now(), severity)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._published + PERIOD_S * self._timing.speed)
            self._timer = loop.call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self.publish())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def publish(self) -> None:
        """Publish now what has changed."""
        async with self._publishing:
            self._published = asyncio.get_running_loop().time()
            changed, self._changed = self._changed, {}
            for port, (value, stamp, severity) in changed.items():
                await port.channel.show(value, stamp, alarm_of(value, severity, port.record))

    def stamp(self) -> float:
        """Return campaign time."""
        return self._timing.now()


class _Port:
    """One leaf's PV: what it shows, and what is done with a put."""

    def __init__(self, leaf: Leaf, names: tuple[str, ...], record: Record, ioc: Ioc) -> None:
        self.path, self.names, self.record = leaf.path, names, record
        self._leaf = leaf
        self._ioc = ioc
        self._turn = asyncio.Lock()
        value = leaf.soft.reading["value"]
        self.channel = channel_of(leaf.path, leaf.signal.datatype, value, record)
        if leaf.writable:
            self.channel.put = self._put

    def listen(self) -> None:
        """Follow what the signal shows."""
        if self._leaf.readable:
            self._leaf.signal.subscribe_reading(self._show)  # type: ignore[attr-defined]

    def deafen(self) -> None:
        """Follow no longer."""
        if self._leaf.readable:
            self._leaf.signal.clear_sub(self._show)  # type: ignore[attr-defined]

    def _show(self, readings: Mapping[str, Any]) -> None:
        (reading,) = readings.values()
        self._ioc.changed(self, reading["value"], reading.get("alarm_severity", 0))

    async def _put(self, value: Any) -> None:
        """Show what was asked while the bench does it, then what came of it, then answer."""
        async with self._turn:
            try:
                await self.channel.show(value, self._ioc.stamp(), self.record.alarmed(value))
                await self._leaf.put(value)
            finally:
                reading = self._leaf.soft.reading
                self._ioc.changed(self, reading["value"], reading.get("alarm_severity", 0))
                await self._ioc.publish()


class _TriggerPort:
    """A command's PV: whatever is written executes it."""

    def __init__(self, trigger: Trigger, ioc: Ioc) -> None:
        self.path, self.names = trigger.path, trigger.names
        self.record = Record()
        self._trigger = trigger
        self._ioc = ioc
        self.channel = trigger_channel()
        self.channel.put = self._put

    def listen(self) -> None:
        """Nothing is shown by a command."""

    def deafen(self) -> None:
        """Nothing is shown by a command."""

    async def _put(self, value: Any) -> None:
        try:
            await self._trigger.execute()
        finally:
            await self.channel.show(value, self._ioc.stamp(), Alarm())
            await self._ioc.publish()


def _port(leaf: Leaf | Trigger, record: Record, ioc: Ioc) -> Any:
    names = leaf.names
    if not names:
        return None
    return _TriggerPort(leaf, ioc) if isinstance(leaf, Trigger) else _Port(leaf, names, record, ioc)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
