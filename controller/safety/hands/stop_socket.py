"""The emergency stop of this machine: a Unix socket that asks for no key and no rule.

Whoever may open it (the user whose gate it is, and root, as the system itself says who is at the
other end) writes the line ``stop`` and gets two lines of JSON: at once
``{"accepted": true, "state": "safing"}``, and, when all was read back or has failed,
``{"reached": ["furnace.setpoint", ...], "failed": {"shutter.command": "no answer after 1 s"},
"ended": {"stage": 12.3}}``, where stages end by the clock of the machine that never runs backwards.
What isn't accepted gets ``{"accepted": false, "reason": "..."}`` and the end of the connection.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from controller.safety.hands.safing import Safed

STOP_SOCKET = "stop"
"""What its file is called in the folder of a launch's sockets."""
STOP = b"stop"
MOST_BYTES = 64
"""Longer lines are nothing that this socket knows."""
MOST_CONNECTIONS = 64
"""The one that has been silent for longest is closed for the next one."""
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED (unix(7))

Stop = Callable[[str], "Future[Safed]"]
"""Called as ``stop("user 1000")``; makes the bench safe."""


class StopSocket:
    """Listens at *path*, and calls *stop* for whoever writes the line; in one event loop."""

    def __init__(self, path: Path, stop: Stop) -> None:
        self._path = path
        self._stop = stop
        self._open: dict[_Connection, None] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, in the place of a gate that died and left its socket there."""
        self._path.unlink(missing_ok=True)
        loop, before = asyncio.get_running_loop(), os.umask(0o177)
        try:
            self._server = await loop.create_unix_server(self._connection, str(self._path))
        finally:
            os.umask(before)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with suppress(OSError):
                self._path.unlink()
        for connection in tuple(self._open):
            connection.end()

    def _connection(self) -> "_Connection":
        return _Connection(self._stop, self._opened, self._ended)

    def _opened(self, connection: "_Connection") -> None:
        self._open[connection] = None
        if len(self._open) > MOST_CONNECTIONS:
            next(iter(self._open)).end()

    def _ended(self, connection: "_Connection") -> None:
        self._open.pop(connection, None)


class _Connection(asyncio.Protocol):
    """One client: a line in, two lines out."""

    def __init__(
        self,
        stop: Stop,
        opened: Callable[["_Connection"], None],
        ended: Callable[["_Connection"], None],
    ) -> None:
        self._stop = stop
        self._opened = opened
        self._ended = ended
        self._line = b""
        self._transport: asyncio.Transport | None = None
        self._uid = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer: socket.socket = transport.get_extra_info("socket")
        asked = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, self._uid, _ = _CREDENTIALS.unpack(asked)
        self._opened(self)
        if self._uid not in (os.getuid(), 0):
            self._refuse(f"user {self._uid} is neither the gate's user {os.getuid()} nor root")

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        line, end, _ = (self._line + data[: MOST_BYTES + 1]).partition(b"\n")
        self._line = line
        if end and line.strip() == STOP:
            future = self._stop(f"user {self._uid}")  # before anything is said about it
            self._say({"accepted": True, "state": "safing"})
            asyncio.wrap_future(future).add_done_callback(self._tell)
        elif end or len(line) > MOST_BYTES:
            self._refuse("the only line that is known here is `stop`")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended(self)

    def end(self) -> None:
        """Close the connection."""
        self._ended(self)
        if self._transport is not None:
            self._transport.close()

    def _tell(self, done: "asyncio.Future[Safed]") -> None:
        if done.cancelled() or done.exception() is not None:
            self._say({"reached": [], "failed": {"gate": "it ended meanwhile"}})
        else:
            safed = done.result()
            ended = {stage.name: stage.ended_s for stage in safed.stages}
            self._say({"reached": list(safed.reached), "failed": safed.failed, "ended": ended})
        self.end()

    def _refuse(self, reason: str) -> None:
        self._say({"accepted": False, "reason": reason})
        self.end()

    def _say(self, said: dict[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(json.dumps(said).encode() + b"\n")
