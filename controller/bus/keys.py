"""Keys for sockets that leave the machine: CURVE, with a list of the clients that are let in.

A server has a key pair and a folder with the public key of every client that may speak to it; a
client has a key pair and the server's public key. Files are those of ``zmq.auth``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from controller.bus.errors import AddressRefused

_DOMAIN = b"heliostat"


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The file of the server's secret key, and the folder of the clients' public keys."""

    secret: Path
    clients: Path


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The file of the client's secret key, and the file of the server's public key."""

    secret: Path
    server: Path

    def apply(self, socket: "zmq.Socket[bytes]") -> None:
        """Make *socket* speak to this server alone, under this client's key."""
        server, _ = _load(self.server)
        be(socket, self.secret)
        socket.curve_serverkey = server


def make_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a key pair *name* in *folder*, for this user alone: its public and its secret file.

    Raises AddressRefused when there is one of that name: somebody may be using it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (folder / f"{name}.key", folder / f"{name}.key_secret"):
        if path.exists():
            raise AddressRefused(f"{path}: exists, and is not replaced")
    before = os.umask(0o077)
    try:
        public, secret = zmq.auth.create_certificates(folder, name)
    finally:
        os.umask(before)
    return Path(public), Path(secret)


def admit(
    context: "zmq.Context[zmq.Socket[bytes]]", socket: "zmq.Socket[bytes]", keys: ServerKeys
) -> Callable[[], None]:
    """Let only the clients of *keys* speak to *socket*; return what ends the admission.

    The folder is read once: a key that was added or removed counts from the next start.
    """
    if not keys.clients.is_dir():
        raise AddressRefused(f"{keys.clients}: is no folder with the public keys of clients")
    be(socket, keys.secret)
    socket.curve_server = True
    socket.zap_domain = _DOMAIN
    # without this, everybody is let in when the thread that asks for keys has died
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain=_DOMAIN.decode(), location=os.fspath(keys.clients))
    return authenticator.stop


def be(socket: Any, file: Path) -> None:
    """Give *socket* the key pair in the secret *file*; AddressRefused when it holds none."""
    public, secret = _load(file)
    if secret is None:
        raise AddressRefused(f"{file}: holds no secret key")
    socket.curve_publickey, socket.curve_secretkey = public, secret


def _load(file: Path) -> tuple[Any, Any]:
    try:
        return zmq.auth.load_certificate(file)
    except (OSError, ValueError) as error:
        raise AddressRefused(f"{file}: is no key file ({error})") from error
