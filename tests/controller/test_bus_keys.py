"""CURVE: who is on the list is answered, everybody else is not even heard."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from controller.bus.delivery import Answerer, Caller
from controller.bus.errors import AddressRefused, BusTimeout
from controller.bus.keys import ClientKeys, ServerKeys, make_keys
from controller.bus.live import Item, Publisher, Subscriber
from controller.bus.messages import Done, Message, WritesHead
from controller.bus.wire import Envelope, pack_message
from tests.support.waiting import PATIENCE_S

LISTEN = "tcp://127.0.0.1:*"


@dataclass
class Server:
    """An answerer with keys, and what it has handled."""

    folder: Path
    keys: ServerKeys
    public: Path
    friend: ClientKeys

    def __post_init__(self) -> None:
        self.handled: list[str] = []
        self.answerer = Answerer(LISTEN, self._handle, keys=self.keys)

    def _handle(self, message: Message, answer: Callable[[Message], None], request: str) -> None:
        self.handled.append(request)
        answer(Done())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    public, secret = make_keys(tmp_path / "server", "gate")
    allowed = tmp_path / "clients"
    friend_public, friend_secret = make_keys(tmp_path / "friend", "console")
    allowed.mkdir()
    (allowed / friend_public.name).write_bytes(friend_public.read_bytes())
    server = Server(
        tmp_path, ServerKeys(secret, allowed), public, ClientKeys(friend_secret, public)
    )
    yield server
    server.answerer.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ask(server: Server, keys: ClientKeys, timeout_s: float) -> Message:
    caller = Caller(server.answerer.address, "test", keys=keys)
    try:
        return caller.call(WritesHead(), timeout_s)
    finally:
        caller.close()


def test_a_client_on_the_list_is_answered(server: Server) -> None:
    assert ask(server, server.friend, PATIENCE_S) == Done()


def test_a_client_that_is_not_on_the_list_is_not_heard(server: Server) -> None:
    _, secret = make_keys(server.folder / "stranger", "stranger")

    with pytest.raises(BusTimeout):
        ask(server, ClientKeys(secret, server.public), 1.0)

    assert ask(server, server.friend, PATIENCE_S) == Done()
    assert len(server.handled) == 1


def test_a_client_does_not_speak_to_a_server_with_another_key(server: Server) -> None:
    other, _ = make_keys(server.folder / "other", "other")

    with pytest.raises(BusTimeout):
        ask(server, ClientKeys(server.friend.secret, other), 1.0)

    assert server.handled == []


def test_a_client_without_keys_is_not_heard(server: Server) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.set(zmq.LINGER, 0)
        stranger.connect(server.answerer.address)
        stranger.send(Envelope(step="request", id="a", body=pack_message(Done())).pack())
        assert not stranger.poll(1000)

    assert ask(server, server.friend, PATIENCE_S) == Done()
    assert len(server.handled) == 1


def test_nobody_new_is_heard_when_nobody_can_look_at_keys(server: Server) -> None:
    admission = server.answerer._station._admission
    assert admission is not None
    admission()

    with pytest.raises(BusTimeout):
        ask(server, server.friend, 1.0)

    assert server.handled == []


def test_keys_are_for_their_owner_alone_and_are_not_replaced(tmp_path: Path) -> None:
    public, secret = make_keys(tmp_path / "keys", "gate")

    assert secret.stat().st_mode & 0o077 == 0
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    with pytest.raises(AddressRefused, match="not replaced"):
        make_keys(tmp_path / "keys", "gate")
    assert public.exists()


def test_keys_of_the_wrong_side_are_refused(server: Server) -> None:
    with pytest.raises(AddressRefused, match="ServerKeys"):
        Answerer(LISTEN, server._handle, keys=server.friend)
    with pytest.raises(AddressRefused, match="ClientKeys"):
        Caller(server.answerer.address, "test", keys=server.keys)


def test_keys_that_are_none_are_refused(server: Server) -> None:
    nothing = server.folder / "nothing"
    nothing.write_text("no key")

    with pytest.raises(AddressRefused, match="nothing"):
        Caller(server.answerer.address, "test", keys=ClientKeys(nothing, server.public))
    with pytest.raises(AddressRefused, match="no secret key"):
        Caller(server.answerer.address, "test", keys=ClientKeys(server.public, server.public))
    with pytest.raises(AddressRefused, match="no folder"):
        Answerer(LISTEN, server._handle, keys=ServerKeys(server.keys.secret, nothing))


def test_closing_with_keys_leaves_no_file(server: Server) -> None:
    Answerer(LISTEN, server._handle, keys=server.keys).close()
    before = open_files()

    Answerer(LISTEN, server._handle, keys=server.keys).close()

    assert open_files() == before


def test_live_items_go_to_clients_on_the_list_alone(server: Server) -> None:
    publisher = Publisher(LISTEN, keys=server.keys)
    _, secret = make_keys(server.folder / "stranger", "stranger")
    seen: list[Item] = []
    overheard: list[Item] = []
    stranger_keys = ClientKeys(secret, server.public)
    viewers = [
        Subscriber(publisher.address, lambda item, _: overheard.append(item), keys=stranger_keys),
        Subscriber(publisher.address, lambda item, _: seen.append(item), keys=server.friend),
    ]

    end = time.monotonic() + PATIENCE_S
    while len(seen) < 20 and time.monotonic() < end:
        publisher.send("state", {})
        time.sleep(0.01)

    for viewer in viewers:
        viewer.close()
    publisher.close()
    assert len(seen) >= 20
    assert overheard == []
