"""Somebody between two others who lets bytes pass, and changes one when told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Passes on what comes to its port; the last byte of each piece sent is changed by *flip*."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.flip = False
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outside, _ = self._listener.accept()
                inside = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [outside, inside]
                threading.Thread(target=self._pass, args=(outside, inside, True)).start()
                threading.Thread(target=self._pass, args=(inside, outside, False)).start()

    def _pass(self, source: socket.socket, target: socket.socket, may_flip: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                if may_flip and self.flip:
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def flipping(port: int) -> Iterator[Proxy]:
    """Yield a proxy before *port* of this machine."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
