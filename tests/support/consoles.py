"""A console of a campaign that was run, before a real gate: its calls over real sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from websockets.sync.client import ClientConnection, connect

from controller.commands.console_acts import LocalActs
from controller.commands.safety_words import record_words
from controller.console.console import Console
from controller.console.keys import FILE, KeyRing
from controller.console.serving import Listening, server_of
from controller.safety.people.people import Role
from tests.support.waiting import PATIENCE_S, until

DAY_S = 86400.0


@dataclass
class Served:
    """A console that is served, and who comes to it: *tokens* by role."""

    console: Console
    listening: Listening
    tokens: dict[Role, str]
    server: uvicorn.Server
    thread: threading.Thread
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.listening.url}/api/v1"

    @property
    def campaign(self) -> str:
        return self.console.view.state.campaign_id

    def by(self, role: Role | None = None) -> httpx.Client:
        """Return somebody of *role*; of none: somebody without a key."""
        headers = {} if role is None else {"Authorization": f"Apikey {self.tokens[role]}"}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)
        self.clients.append(client)
        return client

    def stream(self, **headers: str) -> ClientConnection:
        """Return a stream, to be entered, on which nothing was said."""
        address = f"{self.url.replace('http', 'ws', 1)}/stream"
        return connect(
            address, additional_headers=headers, compression=None, open_timeout=PATIENCE_S
        )

    def end(self) -> None:
        """End the console as Ctrl-C does."""
        for client in self.clients:
            client.close()
        self.server.should_exit = True
        self.thread.join()
        self.console.close()


def served(directory: Path) -> Served:
    """Serve the console of the campaign in *directory*."""
    ring = KeyRing(directory / FILE)
    tokens = {role: ring.create(role.value, (role,), DAY_S)[0] for role in Role}
    console = Console(directory, ring, LocalActs(directory), record_words).open()
    listening = Listening(port=free_port())
    server = server_of(console, listening)
    thread = threading.Thread(target=server.run, name="console")
    thread.start()
    until(lambda: server.started, "the console")
    return Served(console, listening, tokens, server, thread)


@contextmanager
def console_of(directory: Path) -> Iterator[Served]:
    """Serve the console of the campaign in *directory* for a block."""
    one = served(directory)
    try:
        yield one
    finally:
        one.end()


class Stream:
    """A viewer: says who it is, and takes what it is told."""

    def __init__(self, one: Served, role: Role = Role.VIEWER, **said: Any) -> None:
        self._open = ExitStack()
        self.socket = self._open.enter_context(one.stream())
        auth = {"type": "auth", "token": one.tokens[role], **said}
        self.socket.send(json.dumps(auth))
        self.frames: list[bytes] = []
        self.heard: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any]:
        """Return the next message; frames are kept aside."""
        while isinstance(data := self.socket.recv(PATIENCE_S), bytes):
            self.frames.append(data)
        self.heard.append(json.loads(data))
        return self.heard[-1]

    def until(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Return the next message of *kind* that says what is *wanted*."""
        while True:
            message = self.next()
            if message["type"] == kind and wanted.items() <= message.items():
                return message

    def close(self) -> None:
        self._open.close()


def free_port() -> int:
    """Return a port of loopback that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
