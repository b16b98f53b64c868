"""caproto's asyncio server with what it lacks: one port, no delay, an end."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import caproto as ca
from caproto.asyncio.server import Context, VirtualCircuit
from caproto.asyncio.utils import _TransportWrapper

from simulators.errors import NotServed
from simulators.ioc.peers import owner_of, vouched

FIRST_BEACON_S = 0.02
"""As the Channel Access protocol recommends; from then on twice as long each time."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: one port for UDP and TCP, on one interface; and whom to let write.

    *writers* are the names of Channel Access users, nobody named: everybody.
    """

    port: int
    interface: str = LOOPBACK
    writers: frozenset[str] = frozenset()

    def lets_write(self, user: str | None) -> bool:
        """Whether *user* may write at all."""
        return not self.writers or user in self.writers


class _Circuit(VirtualCircuit):  # type: ignore[misc]  # caproto has no types
    """A client's connection that sends at once.

    caproto 1.3.0 leaves Nagle's algorithm on (asyncio turns it off only for sockets that were made
    with IPPROTO_TCP): a client that holds a monitor then waits 40 ms for the end of each put.
    """

    def __init__(self, circuit: Any, client: Any, context: Any) -> None:
        self._owner = owner_of(*circuit.address[:2])
        self._claimed: str | None = None
        super().__init__(circuit, client, context)
        accepted = client.writer.get_extra_info("socket")
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def send(self, *commands: Any) -> None:
        """Send *commands*, once the server isn't frozen."""
        await self.context.thawed.wait()
        await super().send(*commands)

    async def _command_queue_iteration(self, command: Any) -> Any:
        await self.context.thawed.wait()
        return await super()._command_queue_iteration(command)

    @property
    def client_username(self) -> str | None:
        """The user's name as the client gave it, where the kernel doesn't know better."""
        return vouched(self._claimed, self._owner)

    @client_username.setter
    def client_username(self, claimed: str | None) -> None:
        self._claimed = claimed

    async def end_subscriptions(self, channel: Any, entry: Any) -> None:
        """Send nothing more of *entry* to the client's *channel*."""
        await self._cull_subscriptions(entry, lambda sub: sub.channel in (channel, channel.sid))


class Server(Context):  # type: ignore[misc]
    """caproto's server on one port, which forgets its clients when it stops."""

    CircuitClass = _Circuit

    def __init__(self, pvs: dict[str, Any], place: Place, speed: float) -> None:
        super().__init__(dict(pvs), [place.interface])
        self.ca_server_port = place.port
        self.environ["EPICS_CAS_BEACON_PERIOD"] *= speed
        self.hidden: set[str] = set()
        self.listening = asyncio.Event()
        self.thawed = asyncio.Event()
        """Cleared, the server answers nobody any more, and hangs up on nobody."""
        self.thawed.set()

    def __getitem__(self, name: str) -> Any:
        if name in self.hidden:
            raise ca.CaprotoKeyError(f"{name} is disconnected")
        return super().__getitem__(name)

    async def _bind_tcp_sockets_with_consistent_port_number(
        self, _make: object
    ) -> tuple[int, dict[str, socket.socket]]:
        """Bind this very port: where it is taken, clients would find somebody else."""
        bound = {}
        for interface in self.interfaces:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            bound[interface] = sock
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            try:
                sock.bind((interface, self.ca_server_port))
                sock.listen()
            except OSError as error:
                for one in bound.values():
                    one.close()
                raise NotServed(
                    f"port {self.ca_server_port} of {interface} is taken by another process; "
                    "give another one"
                ) from error
        return self.ca_server_port, bound

    async def server_accept_loop(self, sock: socket.socket) -> None:
        """Accept clients on *sock* until cancelled; unlike caproto's own, it stops then."""
        async with await asyncio.start_server(self._accept, sock=sock) as server:
            await server.serve_forever()

    async def _broadcaster_queue_iteration(self, addr: Any, commands: Any) -> None:
        await self.thawed.wait()
        await super()._broadcaster_queue_iteration(addr, commands)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _TransportWrapper(reader, writer)
        self.server_tasks.create(self.tcp_handler(client, client.getpeername()))

    async def serve(self) -> None:
        """Listen and answer until cancelled, then hang up on everybody."""

        async def ready(_layer: object) -> None:
            self.listening.set()

        try:
            await self.run(startup_hook=ready)
        finally:
            for circuit in list(self.circuits):
                circuit.client.close()

    async def broadcast_beacon_loop(self) -> None:
        """Say at growing intervals that this server is here; nobody needs to listen."""
        longest, pause = float(self.environ["EPICS_CAS_BEACON_PERIOD"]), FIRST_BEACON_S
        while True:
            await self.thawed.wait()
            for interface, sock in self.beacon_socks.values():
                beacon = ca.Beacon(13, self.port, self.beacon_count, interface)
                with suppress(OSError, ca.CaprotoNetworkError):
                    await sock.send(self.broadcaster.send(beacon))
            self.beacon_count += 1
            await asyncio.sleep(pause)
            pause = min(longest, 2.0 * pause)

    async def tell(self, name: str, answer: Callable[[Any, str | None], Any]) -> None:
        """Send every client of the PV *name* what *answer* makes of its channel and its user."""
        for circuit in list(self.circuits):
            for channel in list(circuit.circuit.channels.values()):
                if channel.name == name:
                    await circuit.send(answer(channel, circuit.client_username))

    async def hang_up(self, name: str) -> None:
        """Tell every client of the PV *name* that it is gone; nothing more is sent for it.

        caproto 1.3.0 keeps what was subscribed to: the next update of a channel that is no more
        would end the sending of all updates to that client, for good.
        """
        for circuit in list(self.circuits):
            for channel in list(circuit.circuit.channels.values()):
                if channel.name == name:
                    await circuit.end_subscriptions(channel, self.pvdb[name])
                    await circuit.send(channel.disconnect())
