"""Live items and documents: followed by who can, missed by who can't, and never waited for."""

import asyncio
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from bluesky import RunEngine
from bluesky.callbacks.zmq import ClientCurve, RemoteDispatcher
from bluesky.utils import Msg

from controller.bus import documents_feed, live
from controller.bus.documents_feed import DocumentFeed
from controller.bus.errors import AddressRefused, BusClosed, MessageUnsendable
from controller.bus.keys import ServerKeys, make_keys
from controller.bus.live import Item, Publisher, Subscriber
from controller.bus.wire import pack, unpack_document
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def address() -> Iterator[str]:
    with TemporaryDirectory(prefix="bus-") as folder:
        yield f"ipc://{folder}/live"


def until(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        meanwhile()
        time.sleep(0.005)


def test_a_viewer_sees_items_in_order_and_misses_none(address: str) -> None:
    seen: list[tuple[Item, int]] = []
    publisher = Publisher(address)
    viewer = Subscriber(address, lambda item, missed: seen.append((item, missed)))
    until(lambda: bool(seen), lambda: publisher.send("hello", {}))

    for number in range(100):
        publisher.send("state", {"number": number, "image": np.arange(3)})
    until(lambda: seen[-1][0].value.get("number") == 99)

    states = [(item, missed) for item, missed in seen if item.topic == "state"]
    assert [item.sequence for item, _ in states] == list(range(1, 101))
    assert {missed for _, missed in states} == {0}
    np.testing.assert_array_equal(states[0][0].value["image"], [0, 1, 2])
    viewer.close()
    publisher.close()


def test_a_slow_viewer_is_told_how_many_items_it_missed(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HIGH_WATER", 5)
    seen: list[tuple[int, int]] = []
    go_on, entered = threading.Event(), threading.Event()

    def look(item: Item, missed: int) -> None:
        seen.append((item.sequence, missed))
        entered.set()
        assert go_on.wait(PATIENCE_S)

    publisher = Publisher(address)
    viewer = Subscriber(address, look, topics=["state"])
    sent = 0

    def send() -> None:
        nonlocal sent
        sent += 1
        publisher.send("state", {"padding": bytes(100_000)})

    until(entered.is_set, send)
    for _ in range(2000):
        send()
    go_on.set()
    until(lambda: sum(missed for _, missed in seen) > 0, send)

    first = seen[0][0]
    assert seen[-1][0] - first == len(seen) - 1 + sum(missed for _, missed in seen)
    viewer.close()
    publisher.close()


def test_a_viewer_follows_a_publisher_that_comes_back(address: str) -> None:
    seen: list[Item] = []
    viewer = Subscriber(address, lambda item, _: seen.append(item))

    for _ in range(2):
        before = len(seen)
        publisher = Publisher(address)
        until(lambda: len(seen) > before, lambda: publisher.send("state", {}))  # noqa: B023
        publisher.close()

    assert len({item.source for item in seen}) == 2
    viewer.close()


def test_what_is_no_item_is_dropped(address: str) -> None:
    seen: list[Item] = []
    with zmq.Context() as context, context.socket(zmq.PUB) as stranger:
        stranger.bind(address)
        viewer = Subscriber(address, lambda item, _: seen.append(item))
        good = msgpack.packb({"topic": "t", "source": "s", "sequence": 1, "value": {}})

        def send() -> None:
            for bad in (b"", pickle.dumps({}), msgpack.packb({"topic": ""}), b"\x91" * 1000):
                stranger.send_multipart([b"t\0", bad])
            stranger.send_multipart([b"t\0", good])

        until(lambda: bool(seen), send)
        viewer.close()

    assert {item.topic for item in seen} == {"t"}


def test_a_closed_publisher_says_so_and_what_does_not_travel_is_refused(address: str) -> None:
    publisher = Publisher(address)
    with pytest.raises(MessageUnsendable):
        publisher.send("state", {"x": object()})
    publisher.close()

    with pytest.raises(BusClosed):
        publisher.send("state", {})


# --- documents ------------------------------------------------------------------------------------


def plain_document(data: bytes) -> Any:
    """What docs/how-to/follow-documents.md gives to clients that haven't heliostat installed."""

    def array(_code: int, content: bytes) -> Any:
        dtype, shape, raw = msgpack.unpackb(content)
        return np.ndarray(shape, dtype, raw)

    return msgpack.unpackb(data, ext_hook=array)


@contextmanager
def following(
    address: str, deserializer: Callable[[bytes], Any], **options: Any
) -> Iterator[list[tuple[str, Any]]]:
    """Follow the documents at *address* as any Bluesky client would."""
    dispatcher = RemoteDispatcher(address, deserializer=deserializer, strict=True, **options)
    seen: list[tuple[str, Any]] = []
    dispatcher.subscribe(lambda name, document: seen.append((name, document)))

    def follow() -> None:
        with suppress(asyncio.CancelledError):
            dispatcher.start()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield seen
    finally:
        dispatcher.loop.call_soon_threadsafe(dispatcher._task.cancel)
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


class Camera:
    """The least that a RunEngine reads; its image is an array."""

    name = "camera"
    parent = None

    def read(self) -> dict[str, Any]:
        return {"camera": {"value": np.arange(600.0).reshape(20, 30), "timestamp": 1.0}}

    def describe(self) -> dict[str, Any]:
        return {"camera": {"source": "test", "dtype": "array", "shape": [20, 30]}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


def measuring() -> Iterator[Msg]:
    yield Msg("open_run", purpose="test")
    yield Msg("create", name="primary")
    yield Msg("read", Camera())
    yield Msg("save")
    yield Msg("close_run")


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    engine = RunEngine({}, context_managers=[])
    yield engine
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._th.join(PATIENCE_S)
    engine.loop.close()


def stops_of(name: str) -> Any:
    return ("stop", {"uid": name})


@pytest.mark.parametrize("deserializer", [unpack_document, plain_document])
def test_a_stock_remote_dispatcher_follows_a_run(
    address: str, engine: RunEngine, deserializer: Callable[[bytes], Any]
) -> None:
    feed, made = DocumentFeed(address), []
    with following(address, deserializer) as seen:
        until(lambda: bool(seen), lambda: feed(*stops_of("hello")))
        engine.subscribe(feed)
        engine.subscribe(lambda name, document: made.append((name, document)))

        engine(measuring())
        until(lambda: seen[-1][0] == "stop" and "run_start" in seen[-1][1])

    feed.close()
    run = [(name, document) for name, document in seen if document != {"uid": "hello"}]
    assert [name for name, _ in run] == ["start", "descriptor", "event", "stop"]
    np.testing.assert_equal([dict(document) for _, document in run], [dict(d) for _, d in made])
    assert feed.dropped == 0


def test_a_dispatcher_with_a_prefix_sees_its_feed_alone(address: str) -> None:
    feed = DocumentFeed(address, prefix=b"bl2")
    with following(address, unpack_document, prefix=b"other") as others:
        with following(address, unpack_document, prefix=b"bl2") as seen:
            until(lambda: len(seen) > 10, lambda: feed(*stops_of("a")))
    feed.close()

    assert others == []
    with pytest.raises(ValueError, match="space"):
        DocumentFeed(address, prefix=b"b l")


def test_a_dispatcher_with_a_key_follows_from_another_machine(tmp_path: Path) -> None:
    server, server_secret = make_keys(tmp_path / "server", "beamline")
    console, console_secret = make_keys(tmp_path / "clients", "console")
    assert console.parent == tmp_path / "clients"
    keys = ServerKeys(server_secret, console.parent)
    feed = DocumentFeed("tcp://127.0.0.1:*", keys=keys)
    curve = ClientCurve(console_secret, server)

    with following(feed.address, unpack_document, curve_config=curve) as seen:
        until(lambda: bool(seen), lambda: feed(*stops_of("a")))

    feed.close()
    with pytest.raises(AddressRefused, match="keys are needed"):
        DocumentFeed("tcp://127.0.0.1:*")


def test_a_document_that_does_not_travel_is_counted_and_said(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    feed = DocumentFeed(address)
    feed("event", {"data": object()})
    feed.close()

    assert feed.dropped == 1
    assert "object" in caplog.text


def test_what_waits_for_a_frozen_viewer_is_bounded_and_nobody_waits_for_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_feed, "LARGE_WAITING_BYTES", 5_000_000)
    feed = DocumentFeed(address)
    with zmq.Context() as context, context.socket(zmq.SUB) as frozen:
        frozen.set(zmq.RCVHWM, 1)
        frozen.subscribe(b"")
        frozen.connect(address)
        until(lambda: bool(frozen.poll(1)), lambda: feed(*stops_of("hello")))

        until(lambda: feed.dropped > 10, lambda: feed("event", {"image": bytes(1_000_000)}))
        waiting = sum(size for tracker, size in feed._large if not tracker.done)

        assert waiting <= 5_000_000
        with following(address, unpack_document) as seen:
            until(lambda: bool(seen), lambda: feed(*stops_of("small")))
    feed.close()


def test_documents_that_come_faster_than_they_are_packed_are_dropped_and_counted(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_feed, "WAITING", 10)
    feed = DocumentFeed(address)
    with feed._owner.lock:  # the thread of the feed can't take any
        for _ in range(12):
            feed(*stops_of("x"))
        dropped = feed.dropped
    feed.close()
    feed(*stops_of("after the end"))

    assert (dropped, feed.dropped) == (2, 3)


def test_the_how_to_gives_the_recipe_that_is_tested_here() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/follow-documents.md").read_text(
        encoding="utf-8"
    )

    recipe = page.split("```python")[2].split("```")[0]

    names: dict[str, Any] = {}
    exec(recipe.split("dispatcher =")[0], names)
    data = pack({"data": {"image": np.arange(6.0).reshape(2, 3), "x": 1.5}})
    document = names["document"](data)
    np.testing.assert_equal(document, {"data": {"image": np.arange(6.0).reshape(2, 3), "x": 1.5}})
