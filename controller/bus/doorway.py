"""A listening socket that can't be filled: so many connections in all and from one peer.

Whoever is one too many is closed at once, and told of; a flood of them is taken no faster than
``PER_S``, so that it costs the process that is flooded next to nothing.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

PER_S = 200.0
"""How many connections are taken in a second at most."""
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Peer:
    """Who opened a connection: *whose* is what counts as one peer, *label* what the record says."""

    whose: str
    label: str
    uid: int | None = None
    """The user of this machine; None for another machine."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be at a time, in all and of one peer."""

    in_all: int = 32
    of_one: int = 8


Serve = Callable[[socket.socket, Peer], Awaitable[None]]
"""Speaks to a peer until it goes; the socket is closed after it."""
TooMany = Callable[[Peer, str], None]


class Doorway:
    """Takes connections at *listener* within *bounds* and hands each to *serve*."""

    def __init__(
        self, listener: socket.socket, serve: Serve, too_many: TooMany, bounds: Bounds | None = None
    ) -> None:
        """*listener* is bound; it is closed by ``close``. Made in a running event loop."""
        self._listener = listener
        self._serve = serve
        self._too_many = too_many
        self._bounds = bounds or Bounds()
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """End every connection and free the address."""
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:  # gone again, or no descriptor is left: the next may have better luck
                await asyncio.sleep(10.0 / PER_S)
                continue
            self._take(connection)
            await asyncio.sleep(1.0 / PER_S)

    def _take(self, connection: socket.socket) -> None:
        try:
            peer = peer_of(connection)
        except OSError:  # it has gone already
            connection.close()
            return
        against = self._against(peer)
        if against:
            connection.close()
            self._too_many(peer, against)
            return
        self._open[peer.whose] += 1
        task = asyncio.create_task(self._speak(connection, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _against(self, peer: Peer) -> str:
        if self._open[peer.whose] >= self._bounds.of_one:
            return f"has {self._bounds.of_one} connections already"
        if self._open.total() >= self._bounds.in_all:
            return f"there are {self._bounds.in_all} connections already"
        return ""

    async def _speak(self, connection: socket.socket, peer: Peer) -> None:
        try:
            connection.setblocking(False)
            with suppress(OSError):  # it has gone: nobody is left to be told
                await self._serve(connection, peer)
        finally:
            connection.close()
            self._open[peer.whose] -= 1
            if not self._open[peer.whose]:
                del self._open[peer.whose]


def peer_of(connection: socket.socket) -> Peer:
    """Return who is at the other end: by the system's word for this machine, else by address."""
    if connection.family == socket.AF_UNIX:
        size = struct.calcsize("3i")
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        process, uid, _ = struct.unpack("3i", found)
        return Peer(f"user {uid}", f"user {uid}, process {process}", uid)
    host, port = connection.getpeername()[:2]
    return Peer(str(host), f"{host}:{port}")
