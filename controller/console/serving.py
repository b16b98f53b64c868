"""Serves a console: over loopback, or with TLS; a key and its address are printed."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from controller.console.app import application
from controller.console.console import Console
from controller.console.guard import EVERYWHERE, LARGEST_BODY, LOOPBACK, Place, place_of
from controller.errors import ConfigurationError

PORT = 8765
PATIENCE_S = 3
"""How long calls that run may take when it ends."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a console listens; raises ConfigurationError where others could listen in."""

    address: str = "127.0.0.1"
    port: int = PORT
    names: Sequence[str] = ()
    certificate: Path | None = None
    key: Path | None = None
    proxy: str = ""
    """The origin of a proxy with TLS before it: ``https://lab.example.org``."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("console: give both --certificate and --key, or neither")
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                raise ConfigurationError(f"console: {file}: there is no such file")
        if self.proxy and not _is_origin(self.proxy):
            raise ConfigurationError(
                f"--proxy {self.proxy!r}: accepted: https://host or with :port"
            )
        if self.address not in LOOPBACK and not self.tls and not self.proxy:
            raise ConfigurationError(
                f"--address {self.address}: keys would cross the network for everybody to read; "
                "give --certificate and --key, or --proxy with the address of a proxy with TLS"
            )
        if self.address in EVERYWHERE and not self.names and not self.proxy:
            raise ConfigurationError(
                f"--address {self.address}: say with --name how browsers call this machine"
            )

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.certificate is not None

    @property
    def place(self) -> Place:
        """Where it is reached."""
        return place_of(self.address, self.port, tls=self.tls, names=self.names, proxy=self.proxy)

    @property
    def url(self) -> str:
        """What to type into a browser."""
        if self.proxy:
            return self.proxy
        name = self.names[0] if self.names else self.address
        shown = f"[{name}]" if ":" in name else name
        return f"{'https' if self.tls else 'http'}://{shown}:{self.port}"


def server_of(console: Console, listening: Listening) -> uvicorn.Server:
    """Return the server of an open *console*; ``run`` serves until it is told to end."""
    config = uvicorn.Config(
        application(console, listening.place),
        host=listening.address,
        port=listening.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=LARGEST_BODY,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=LARGEST_BODY,
        limit_concurrency=500,
        timeout_graceful_shutdown=PATIENCE_S,
        ssl_certfile=None if listening.certificate is None else str(listening.certificate),
        ssl_keyfile=None if listening.key is None else str(listening.key),
    )
    return uvicorn.Server(config)


def serve(console: Console, listening: Listening, ready: Callable[[], None]) -> None:
    """Serve *console* until an interrupt; *ready* is called before.

    The console is opened here, and closed at the end. Raises ConfigurationError where the port is
    taken, NoCampaign, JournalBroken.
    """
    console.open()
    try:
        server = server_of(console, listening)
        _require_free(listening)
        ready()
        server.run()
    finally:
        console.close()


def _require_free(listening: Listening) -> None:
    family = socket.AF_INET6 if ":" in listening.address else socket.AF_INET
    try:
        socket.create_server((listening.address, listening.port), family=family).close()
    except OSError as error:
        raise ConfigurationError(
            f"--port {listening.port}: can't listen at {listening.address} ({error.strerror}); end "
            "what does, or give another port"
        ) from error


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    bare = not (parts.path or parts.query or parts.fragment or parts.username)
    return parts.scheme == "https" and bool(parts.hostname) and bare
