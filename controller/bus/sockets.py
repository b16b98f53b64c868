"""ZMQ sockets that can't be reached by others: private files, or keys on both sides."""

import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self, TypeVar

import zmq

from controller.bus.errors import AddressRefused
from controller.bus.keys import ClientKeys, ServerKeys, admit
from controller.bus.wire import MAX_FRAME_BYTES

LINGER_MS = 500
"""How long a closing socket tries to hand over what it still holds."""
_MAX_PATH_BYTES = 107  # of a Unix socket: sockaddr_un.sun_path, less its closing zero

_BATCH = 256  # frames taken in before anything else is looked at
_T = TypeVar("_T")

Keys = ServerKeys | ClientKeys
Option = tuple[int, int | bytes]
"""A socket option of ZMQ and its value; set before anybody is spoken to."""


class Station:
    """One socket with a ZMQ context of its own, and a bell to wake the thread that owns it."""

    def __init__(self, kind: int) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.set(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        self.socket.set(zmq.LINGER, LINGER_MS)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poller = zmq.Poller()
        self._poller.register(self._bell, zmq.POLLIN)
        self._admission: Callable[[], None] | None = None
        self._file: tuple[Path, int] | None = None

    @classmethod
    def listening(cls, kind: int, address: str, keys: Keys | None, *options: Option) -> Self:
        """Return a station of *kind* at *address*, as ``bind`` has it; freed where it can't be."""
        station = cls(kind)
        return station._opened(partial(station.bind, address, keys), options)

    @classmethod
    def speaking(cls, kind: int, address: str, keys: Keys | None, *options: Option) -> Self:
        """Return a station of *kind* that speaks to *address*, as ``connect`` has it."""
        station = cls(kind)
        return station._opened(partial(station.connect, address, keys), options)

    def _opened(self, place: Callable[[], None], options: Sequence[Option]) -> Self:
        try:
            for option, value in options:
                self.socket.set(option, value)
            place()
        except BaseException:
            self.close()
            raise
        return self

    def bind(self, address: str, keys: Keys | None) -> None:
        """Listen at *address*; raise AddressRefused when others could reach it or it is taken."""
        _require_usable(address, keys, ServerKeys)
        if address.startswith("ipc://"):
            _make_private(Path(address.removeprefix("ipc://")))
        if isinstance(keys, ServerKeys):
            self._admission = admit(self.context, self.socket, keys)
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            raise AddressRefused(f"{address}: can't be bound ({error})") from error
        if address.startswith("ipc://"):
            path = Path(address.removeprefix("ipc://"))
            self._file = path, path.stat().st_ino

    def connect(self, address: str, keys: Keys | None) -> None:
        """Speak to *address*, now or whenever somebody answers there."""
        _require_usable(address, keys, ClientKeys)
        if isinstance(keys, ClientKeys):
            keys.apply(self.socket)
        self.socket.connect(address)

    @property
    def address(self) -> str:
        """Where the socket listens: with the port when the system has chosen one."""
        return self.socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def wait(self, events: int, timeout_s: float | None) -> int:
        """Wait until the socket is ready for *events* or the bell rings; return what is ready."""
        self._poller.register(self.socket, events)
        ready = dict(
            self._poller.poll(None if timeout_s is None else max(0, round(timeout_s * 1000)))
        )
        if self._bell in ready:
            os.eventfd_read(self._bell)
        return int(ready.get(self.socket, 0))

    def ring(self) -> None:
        """Wake the thread that waits; from any thread."""
        os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Free the socket, its threads and files; after the thread that used it has ended."""
        self._remove_file()
        self.socket.close()
        if self._admission is not None:
            self._admission()
        self.context.term()
        os.close(self._bell)

    def _remove_file(self) -> None:
        """Remove the file at which the socket listens, unless somebody else's is there by now."""
        if self._file is not None:
            path, number = self._file
            with suppress(OSError):
                if path.stat().st_ino == number:
                    path.unlink()


class Owner:
    """The thread that owns a station: it does *work* until ``closed``, then frees the station.

    *last* is done in it at the end, whatever *work* came to. Made not started.
    """

    def __init__(
        self, station: Station, name: str, work: Callable[[], None], last: Callable[[], None]
    ) -> None:
        self._station, self._work, self._last = station, work, last
        self.lock = threading.RLock()  # a signal handler may come in between
        self.closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def here(self) -> bool:
        """Whether it is this thread that asks."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Let the work end, and wait for that; in the thread itself only the first."""
        with self.lock:
            if not self.closed:
                self.closed = True
                self._station.ring()
        if not self.here:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        finally:  # also when the thread itself is broken
            with self.lock:
                self.closed = True
            self._last()
            self._station.close()


def nothing_more() -> None:
    """Do nothing at the end."""


def drained(queue: "SimpleQueue[_T]") -> list[_T]:
    """Return what is in *queue*, without waiting."""
    taken: list[_T] = []
    while True:
        try:
            taken.append(queue.get_nowait())
        except Empty:
            return taken


def received(socket: "zmq.Socket[bytes]") -> list[list[bytes]]:
    """Return the frames that have arrived at *socket*, some hundred at most, without waiting."""
    taken: list[list[bytes]] = []
    while len(taken) < _BATCH:
        try:
            taken.append(socket.recv_multipart(zmq.NOBLOCK))
        except zmq.Again:
            break
    return taken


def _require_usable(address: str, keys: Keys | None, kind: type[Keys]) -> None:
    if address.startswith("tcp://"):
        if not isinstance(keys, kind):
            raise AddressRefused(
                f"{address}: anybody in the network could speak there; keys are needed "
                f"({kind.__name__}, made with controller.bus.keys.make_keys)"
            )
        return
    path = address.removeprefix("ipc://")
    if path == address or not path.startswith("/"):
        raise AddressRefused(f"{address}: accepted are ipc:///absolute/path and tcp://host:port")
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise AddressRefused(f"{address}: the path has more than {_MAX_PATH_BYTES} bytes")


def _private(found: os.stat_result) -> bool:
    return found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _of_root_and_one_group(found: os.stat_result) -> bool:
    """Whether root has let one group in, who can't remove what isn't theirs: ours, or we are root.

    ``controller.processes.apart`` makes such folders.
    """
    mode = stat.S_IMODE(found.st_mode)
    member = os.getuid() == 0 or found.st_gid in {os.getgid(), *os.getgroups()}
    return found.st_uid == 0 and member and bool(mode & stat.S_ISVTX) and not mode & 0o007


def _make_private(path: Path) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if not (_private(found) or _of_root_and_one_group(found)):
        raise AddressRefused(
            f"ipc://{path}: other users can reach {folder}; give it to this user alone (chmod 700)"
        )
