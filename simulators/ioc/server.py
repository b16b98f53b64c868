"""Serves the leaves of a mock device tree over Channel Access, from the devices' own loop.

A client's put is a task of its own: it writes the mock as ``signal.set`` would and answers when the
bench is done, while everybody else is served. What the bench shows is published at a bounded
rate, the latest value of each signal, and always before a put is answered. Time stamps are the
campaign's.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import caproto as ca

from simulators.errors import NotServed
from simulators.ioc.channels import alarm_of
from simulators.ioc.context import Place, Server
from simulators.ioc.leaves import Leaf, Trigger
from simulators.ioc.ports import Port, SignalPort, port_of
from simulators.records import Record

PERIOD_S = 0.05
"""Between two publications (real seconds), however fast the bench runs."""
START_S = 10.0
"""How long a server may take to listen (real seconds)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Campaign time, and how many seconds of the loop a real one has."""

    now: Callable[[], float]
    speed: float = 1.0


@dataclass
class Manner:
    """How the server treats its clients beyond what the bench does: as faults want it.

    *refused*: paths that nobody may write; *silent*: of which no monitor tells; *stamp* makes the
    time stamp of a path from campaign time.
    """

    refused: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    stamp: Callable[[str, float], float] = lambda _path, now: now


class Ioc:
    """The PVs of *leaves* at *place*; all methods are called in the devices' loop.

    While it is closed (``close``) only devices whose names are in *spared* can be written.
    """

    spared: frozenset[str] = frozenset()

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
            if (port := port_of(leaf, records.get(leaf.path, Record()), self)) is not None
        ]
        self._by_path = {port.path: port for port in self._ports}
        self._pvs = {name: port.channel for port in self._ports for name in port.names}
        self._hidden: set[str] = set()
        self._changed: dict[SignalPort, tuple[Any, float, int]] = {}
        self._publishing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._published = 0.0
        self._task: asyncio.Task[None] | None = None
        self._server: Server | None = None
        self._background: set[asyncio.Task[None]] = set()
        self.manner = Manner()
        self.closed = False

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

    async def behave(self, manner: Manner) -> None:
        """Treat clients so from now on, and tell them what they may write."""
        self.manner = manner
        await self._announce()

    def close(self, closed: bool) -> None:
        """Take nothing from clients but for spared devices, what is under way neither; or again."""
        self.closed = closed
        if closed:
            for port in self._ports:
                if self.shut(port.path):
                    port.give_up()
        self._soon(self._announce())

    def may_write(self, path: str, user: str | None) -> bool:
        """Whether the Channel Access user of that name may write the leaf at *path* now."""
        refused = path in self.manner.refused or self.shut(path)
        return not refused and self.place.lets_write(user)

    def shut(self, path: str) -> bool:
        """Whether nobody may write it, because the server is closed."""
        return self.closed and path.partition(".")[0] not in self.spared

    async def freeze(self, seconds: float) -> None:
        """Answer nobody and hang up on nobody for *seconds* of the loop; the bench goes on."""
        if (server := self._server) is not None:
            server.thawed.clear()
            await asyncio.sleep(seconds)
            server.thawed.set()

    async def _announce(self) -> None:
        for port in self._ports:
            told = (self.manner.refused, self.closed)
            if port.channel.put is not None and port.told != told:
                port.told = told
                await self._tell_rights(port)

    async def _tell_rights(self, port: Port) -> None:
        def rights(channel: Any, user: str | None) -> Any:
            allowed = port.channel.check_access("", user)
            return ca.AccessRightsResponse(cid=channel.cid, access_rights=allowed)

        for name in port.names:
            if self._server is not None:
                await self._server.tell(name, rights)

    def changed(self, port: SignalPort, value: Any, severity: int) -> None:
        """Note what *port* shows now; it is published within the period."""
        self._changed[port] = (value, self.stamp(port.path), severity)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._published + PERIOD_S * self._timing.speed)
            self._timer = loop.call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        self._soon(self.publish())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def publish(self) -> None:
        """Publish now what has changed."""
        async with self._publishing:
            self._published = asyncio.get_running_loop().time()
            changed, self._changed = self._changed, {}
            for port, (value, stamp, severity) in changed.items():
                silent = port.path in self.manner.silent
                alarm = alarm_of(value, severity, port.record)
                await port.channel.show(value, stamp, alarm, silent=silent)

    def stamp(self, path: str) -> float:
        """Return the time stamp of *path* now: campaign time, where no fault has it otherwise."""
        return self.manner.stamp(path, self._timing.now())


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
