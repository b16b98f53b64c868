"""Where people speak to the gate: a socket of this machine, and one for others where there is one.

It has a thread and an event loop of its own, so that nothing which is done to it keeps the rules
waiting. Who it is is said by the system (peer credentials) or by a key (CURVE), never by the
message.
"""

import asyncio
import logging
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.asyncio

from controller.bus.curve_door import CurveDoor, DoorRules
from controller.bus.doorway import Bounds, Doorway, Peer
from controller.bus.zap import KeyCheck, guard
from controller.safety.desk.commands import LARGEST_BYTES, Accepted, Greeting, Refused
from controller.safety.desk.desk import Desk, Visitor
from controller.safety.people.file import Listen, Roster

LINE_S = 5.0
"""How long a line may take to come, once it has begun (real seconds)."""
IDLE_S = 120.0
"""How long somebody may say nothing who isn't known."""
KNOWN_IDLE_S = 12 * 3600.0
"""How long somebody may who is: a terminal stays open over a shift. So many of one are open at a
time (``Bounds``), and who is taken out of the people file is refused with the next word."""
AT_A_TIME = 32
"""How many messages from other machines are answered at a time."""
LOCAL, NETWORK = Bounds(in_all=48, of_one=16), Bounds(in_all=24, of_one=6)
_log = logging.getLogger("heliostat.desk")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the desk is: a socket file, where other machines reach it, and how it is protected.

    *open_to_all* lets every user of this machine knock; who it is is looked at in any case.
    """

    local: Path
    open_to_all: bool = False
    listen: Listen | None = None
    secret: Path = Path()


class DeskServer:
    """Keeps the desk's sockets from ``start`` to ``close``, in a thread of its own."""

    def __init__(self, make: Callable[[], Desk], roster: Roster, places: Places) -> None:
        """*make* makes the desk in the thread that it is used in."""
        self._make = make
        self._roster = roster
        self._places = places
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._ended: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self.address = ""
        """Where other machines reach it, with the port that the system has chosen."""

    def start(self) -> None:
        """Listen; raises what keeps it from that (OSError, AddressRefused)."""
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed

    def close(self) -> None:
        """Speak to nobody any more, and free the addresses."""
        self._ended()
        self._thread.join()
        with suppress(OSError):
            self._places.local.unlink()

    def _run(self) -> None:
        try:
            asyncio.run(self._keep())
        except BaseException as error:  # the thread's end: whoever starts it is told
            if self._ready.is_set():
                _log.exception("the desk has ended; people are heard no more")
            self._failed = error
            self._ready.set()

    async def _keep(self) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._ended = lambda: _call(loop, ended.set)
        desk = self._make()
        async with AsyncExitStack() as stack:
            local = _Local(desk, self._roster)
            doorway = Doorway(_listening(self._places), local.serve, local.too_many, LOCAL)
            stack.push_async_callback(doorway.close)
            if self._places.listen is not None:
                network = await stack.enter_async_context(
                    _Network(desk, self._roster, self._places)
                )
                self.address = network.address
            self._ready.set()
            await ended.wait()


class _Local:
    """Speaks to people of this machine: a line of JSON there, a line back."""

    def __init__(self, desk: Desk, roster: Roster) -> None:
        self._desk = desk
        self._roster = roster

    async def serve(self, connection: socket.socket, peer: Peer) -> None:
        """Answer *peer* until it goes."""
        reader, writer = await asyncio.open_connection(
            sock=connection.dup(), limit=LARGEST_BYTES + 1
        )
        try:
            while (line := await self._line(reader, peer)) is not None:
                writer.write(await self._answered(peer, line) + b"\n")
                await asyncio.wait_for(writer.drain(), LINE_S)
        except (TimeoutError, ConnectionError):
            pass  # who doesn't listen isn't spoken to
        finally:
            writer.close()

    def too_many(self, peer: Peer, why: str) -> None:
        """Record that *peer* was turned away."""
        self._desk.refuse(self._visitor(peer), "TooMany", why)

    async def _answered(self, peer: Peer, line: bytes) -> bytes:
        answer = await self._desk.answer(self._visitor(peer), line)
        return answer.model_dump_json().encode()

    async def _line(self, reader: asyncio.StreamReader, peer: Peer) -> bytes | None:
        """Return the next line, None when there is none; who sends none that is one is let go."""
        known = self._visitor(peer).principal is not None
        try:
            first = await asyncio.wait_for(reader.read(1), KNOWN_IDLE_S if known else IDLE_S)
        except TimeoutError:  # nothing was begun: they may come again
            return None
        if not first or first == b"\n":
            return None
        try:
            rest = await asyncio.wait_for(reader.readuntil(b"\n"), LINE_S)
        except TimeoutError:
            self._desk.refuse(self._visitor(peer), "Slow", f"sent no whole line in {LINE_S:g} s")
        except asyncio.IncompleteReadError:
            self._desk.refuse(self._visitor(peer), "Malformed", "went in the middle of a line")
        except asyncio.LimitOverrunError:
            why = f"sent more than {LARGEST_BYTES} bytes in a line"
            self._desk.refuse(self._visitor(peer), "Oversized", why)
        else:
            return first + rest[:-1]
        return None

    def _visitor(self, peer: Peer) -> Visitor:
        known = None if peer.uid is None else self._roster.now.by_user(peer.uid)
        return Visitor(peer.label, known)


class _Network:
    """Speaks to people of other machines: a CURVE socket behind a door that can't be filled."""

    def __init__(self, desk: Desk, roster: Roster, places: Places) -> None:
        self._desk = desk
        self._roster = roster
        self._places = places
        self._stack = AsyncExitStack()
        self._from: dict[str, str] = {}
        self.address = ""

    async def __aenter__(self) -> "_Network":
        """Listen."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="heliostat-door-"))
        inner = str(Path(folder) / "inner")
        context = zmq.asyncio.Context()
        self._stack.callback(context.term)
        check = KeyCheck(context, self._admits)
        self._stack.callback(check.close)
        router = context.socket(zmq.ROUTER)
        self._stack.callback(router.close, 0)
        router.set(zmq.MAXMSGSIZE, LARGEST_BYTES)
        guard(router, self._places.secret)
        router.bind(f"ipc://{inner}")
        self._door = CurveDoor(inner, DoorRules(LARGEST_BYTES, self._cut))
        doorway = Doorway(self._listening(), self._door.serve, self._cut_off, NETWORK)
        self._stack.push_async_callback(doorway.close)
        for work in (check.run(), self._serve(router)):
            self._stack.push_async_callback(_ended, asyncio.create_task(work))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Speak to nobody any more."""
        await self._stack.aclose()

    def _listening(self) -> socket.socket:
        assert self._places.listen is not None
        host, _, port = self._places.listen.address.removeprefix("tcp://").rpartition(":")
        listener = socket.create_server((host, int(port)))
        host, port = listener.getsockname()[:2]
        self.address = f"tcp://{host}:{port}"
        return listener

    async def _serve(self, router: "zmq.asyncio.Socket") -> None:
        busy = asyncio.Semaphore(AT_A_TIME)
        async with asyncio.TaskGroup() as group:
            while True:
                frames = await router.recv_multipart(copy=False)
                await busy.acquire()
                task = group.create_task(self._answer(router, frames))
                task.add_done_callback(lambda _: busy.release())

    async def _answer(self, router: "zmq.asyncio.Socket", frames: list[zmq.Frame]) -> None:
        route, *parts = frames
        visitor = self._visitor(str(route.get("User-Id")))
        said: Greeting | Accepted | Refused
        if len(parts) == 1:
            said = await self._desk.answer(visitor, parts[0].bytes)
        else:
            said = self._desk.refuse(visitor, "Malformed", f"sent {len(parts)} parts, not 1")
        with suppress(zmq.ZMQError):  # it has gone
            data = said.model_dump_json().encode()
            await router.send_multipart([route.bytes, data], zmq.NOBLOCK)

    def _visitor(self, key: str) -> Visitor:
        place = f", from {self._from[key]}" if key in self._from else ""
        return Visitor(f"key {key[:8]}…{place}", self._roster.now.by_key(key))

    def _admits(self, key: str) -> bool:
        peer = self._door.present
        if self._roster.now.by_key(key) is not None and peer is not None:
            self._door.let_in = True
            self._from[key] = peer.label
            return True
        label = "somebody" if peer is None else peer.label
        self._desk.refuse(Visitor(f"{label}, key {key}", None), "Unknown", "its key is not known")
        return False

    def _cut(self, peer: Peer, why: str) -> None:
        self._desk.refuse(Visitor(peer.label, None), "Cut", why)

    def _cut_off(self, peer: Peer, why: str) -> None:
        self._desk.refuse(Visitor(peer.label, None), "TooMany", why)


def _listening(places: Places) -> socket.socket:
    """Return a socket at the file of *places*; what an earlier gate left there goes first."""
    places.local.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        places.local.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(places.local))
    places.local.chmod(0o666 if places.open_to_all else 0o600)
    return listener


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _call(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(act)
