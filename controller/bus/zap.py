"""Who may speak to a CURVE socket: asked anew for every connection (ZAP 1.0, RFC 27).

libzmq asks at a fixed address within the process whether a client's key is good. Keys are looked
up each time, so that one that was taken away counts no more for whoever comes next.
"""

from collections.abc import Callable
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.utils import z85

from controller.bus.keys import be

ZAP_ADDRESS = "inproc://zeromq.zap.01"
DOMAIN = b"heliostat"
HANDSHAKE_MS = 3000
"""How long a handshake may take."""

Admits = Callable[[str], bool]
"""Called with a client's public key (Z85); whether it may come in."""


class KeyCheck:
    """Answers libzmq's questions in one context; runs in an event loop until cancelled."""

    def __init__(self, context: zmq.asyncio.Context, admits: Admits) -> None:
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.bind(ZAP_ADDRESS)
        self._admits = admits

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            frames = await self._socket.recv_multipart()
            parted = frames.index(b"") + 1 if b"" in frames else 0
            route, asked = frames[:parted], frames[parted:]
            if parted and len(asked) >= 6:
                await self._socket.send_multipart([*route, *self._answer(asked)])

    def _answer(self, asked: list[bytes]) -> list[bytes]:
        version, request, domain, _, _, mechanism, *credentials = asked
        known = (version, domain, mechanism) == (b"1.0", DOMAIN, b"CURVE")
        if not known or len(credentials) != 1 or len(credentials[0]) != 32:
            return [b"1.0", request, b"400", b"CURVE alone", b"", b""]
        key = z85.encode(credentials[0]).decode()
        if not self._admits(key):
            return [b"1.0", request, b"400", b"unknown key", b"", b""]
        return [b"1.0", request, b"200", b"OK", key.encode(), b""]

    def close(self) -> None:
        """Free the address; nobody new is let in after that."""
        self._socket.close()


def guard(socket: "zmq.asyncio.Socket", secret: Path) -> None:
    """Make *socket* the server with the key in the file *secret*; a KeyCheck says who may come.

    Raises AddressRefused when the file holds no secret key.
    """
    be(socket, secret)
    socket.curve_server = True
    socket.zap_domain = DOMAIN
    # without this, everybody is let in when nobody answers the question
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
