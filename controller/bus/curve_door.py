"""What stands before a CURVE socket that other machines reach: nothing odd gets past it.

It relays bytes it can't read, but knows their form (ZMTP 3, RFC 23; CURVE, RFC 26): who doesn't
offer CURVE, announces a frame that is too large, or lets a handshake hang, is cut off before
libzmq has seen it. One key is checked at a time, so that it is known who showed it.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from controller.bus.doorway import Peer

SIGNATURE_BYTES, GREETING_BYTES = 10, 64
_MECHANISM, _AS_SERVER = slice(12, 32), 32
HELLO_BYTES = 202
LARGEST_INITIATE = 4096
HANDSHAKE_S = 3.0
"""How long a handshake may take, from the first byte to the key that is shown (real seconds)."""
CHECK_S = 1.0
"""How long libzmq may take with a key that is shown to it."""
IDLE_S = 120.0
"""How long a connection may be silent."""
FRAME_S = 5.0
"""How long one frame may take to come."""
_LONG = 0x02
_PIECE = 16 * 1024
_BURST, _PER_S = 256 * 1024, 128 * 1024
"""Bytes that one connection may send at once, and in a second."""
_OVERHEAD = 256
"""Bytes that CURVE and ZMTP may add to a message."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cut(Exception):
    """The peer has done what nobody does who means well; says what."""


@dataclass(frozen=True, slots=True)
class DoorRules:
    """How many bytes a message may have, and who is told why a peer was cut off."""

    largest: int
    cut: Callable[[Peer, str], None]


class CurveDoor:
    """Relays connections to the socket file *inner*, where a CURVE server of libzmq listens."""

    def __init__(self, inner: str, rules: DoorRules) -> None:
        self._inner = inner
        self.rules = rules
        self.checking = asyncio.Lock()
        self.present: Peer | None = None
        """Whose key is being checked."""
        self.let_in = False
        """Whether the last key that was checked is known."""

    async def serve(self, connection: socket.socket, peer: Peer) -> None:
        """Relay *connection* until one side ends it; a ``Serve`` of a Doorway."""
        outside = await asyncio.open_connection(sock=connection.dup(), limit=_PIECE)
        try:
            inside = await asyncio.open_unix_connection(self._inner, limit=_PIECE)
            try:
                await _Relay(self, peer, outside, inside).run()
            finally:
                inside[1].close()
        except Cut as cut:
            self.rules.cut(peer, str(cut))
        finally:
            outside[1].close()


class _Relay:
    """One connection: what comes from outside is looked at, what comes from inside isn't."""

    def __init__(self, door: CurveDoor, peer: Peer, outside: Streams, inside: Streams) -> None:
        self._door = door
        self._peer = peer
        self._reader, self._out = outside
        self._inside, self._in = inside
        self._greeted = asyncio.Event()
        self._heard = asyncio.Event()
        self._stage = "a greeting"
        self._budget = _Budget()

    async def run(self) -> None:
        """Relay until one side ends; raises Cut."""
        inwards = asyncio.create_task(self._inwards())
        outwards = asyncio.create_task(self._outwards())
        try:
            await asyncio.wait({inwards, outwards}, return_when=asyncio.FIRST_COMPLETED)
            if inwards.done():
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    inwards.result()
            elif not self._reader.at_eof():
                self._ended_inside()
        finally:
            for task in (inwards, outwards):
                task.cancel()
            await asyncio.gather(inwards, outwards, return_exceptions=True)

    def _ended_inside(self) -> None:
        if self._stage == "a key":
            raise Cut("doesn't know the gate's key")
        if self._stage == "messages":
            raise Cut("sent what its key doesn't open: altered on its way, or made up")

    async def _outwards(self) -> None:
        """Hand on what is said inside; its mechanism only once the other side has said its own.

        Somebody who reads first what is asked for leaves by themselves, and isn't recorded.
        """
        left = SIGNATURE_BYTES + 1
        while left and (piece := await self._inside.read(left)):
            left -= len(piece)
            self._out.write(piece)
        await self._greeted.wait()
        while piece := await self._inside.read(_PIECE):
            self._heard.set()
            self._out.write(piece)
            await self._out.drain()

    async def _inwards(self) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._greeting()
                self._stage = "a hello"
                self._forward(await self._frame(HELLO_BYTES, b"\x05HELLO"))
                self._stage = "a key"
                shown = await self._frame(LARGEST_INITIATE, b"\x08INITIATE")
        except TimeoutError:
            raise Cut(f"sent no {self._stage[2:]} within {HANDSHAKE_S:g} s") from None
        self._stage = "a checked key"
        await self._check(shown)
        self._stage = "messages"
        while True:
            self._forward(await self._timed_frame())
            await self._in.drain()

    async def _greeting(self) -> None:
        signature = await self._reader.readexactly(SIGNATURE_BYTES)
        if signature[0] != 0xFF or signature[9] != 0x7F:
            raise Cut("doesn't speak ZMTP")
        self._forward(signature)
        version = await self._reader.readexactly(1)
        if version[0] < 3:
            raise Cut(f"speaks ZMTP {version[0]}, which has no keys")
        self._forward(version)
        rest = await self._reader.readexactly(GREETING_BYTES - SIGNATURE_BYTES - 1)
        greeting = signature + version + rest
        if greeting[_MECHANISM].rstrip(b"\0") != b"CURVE" or greeting[_AS_SERVER]:
            offered = greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")
            raise Cut(f"offers {offered or 'nothing'} where keys (CURVE) are asked for")
        self._forward(rest)
        self._greeted.set()

    async def _check(self, shown: bytes) -> None:
        async with self._door.checking:
            self._heard.clear()
            self._door.present, self._door.let_in = self._peer, False
            try:
                self._forward(shown)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._heard.wait(), CHECK_S)
            finally:
                self._door.present = None
            if not self._door.let_in:  # whoever looked at the key has told of it
                raise ConnectionAbortedError

    async def _timed_frame(self) -> bytes:
        try:
            first = await asyncio.wait_for(self._reader.readexactly(1), IDLE_S)
        except TimeoutError:
            raise ConnectionAbortedError from None
        try:
            async with asyncio.timeout(FRAME_S):
                return await self._frame(self._door.rules.largest + _OVERHEAD, first=first)
        except TimeoutError:
            raise Cut(f"has not sent a message to its end within {FRAME_S:g} s") from None

    async def _frame(self, largest: int, name: bytes = b"", first: bytes = b"") -> bytes:
        """Return the next frame of at most *largest* bytes, which is the command *name*."""
        flags = first or await self._reader.readexactly(1)
        size = await self._reader.readexactly(8 if flags[0] & _LONG else 1)
        length = int.from_bytes(size, "big")
        if length > largest:
            raise Cut(f"announces {length} bytes, {largest} are allowed")
        await self._budget.take(length)
        body = await self._reader.readexactly(length)
        if not body.startswith(name):
            raise Cut(f"sent no {self._stage[2:]} where one was due")
        return flags + size + body

    def _forward(self, piece: bytes) -> None:
        self._in.write(piece)


class _Budget:
    """Lets so many bytes pass in a second, and a few more at once."""

    def __init__(self) -> None:
        self._left = float(_BURST)
        self._at = time.monotonic()

    async def take(self, count: int) -> None:
        """Return when *count* bytes more may pass."""
        now = time.monotonic()
        self._left = min(float(_BURST), self._left + (now - self._at) * _PER_S) - count
        self._at = now
        if self._left < 0.0:
            await asyncio.sleep(-self._left / _PER_S)
