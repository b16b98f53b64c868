"""Caller and Answerer over real sockets, with real processes that die and freeze."""

import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgpack
import pytest
import zmq

from controller.bus.delivery import Answerer, Caller
from controller.bus.errors import AddressRefused, BusClosed, BusTimeout, MessageUnsendable
from controller.bus.messages import Done, Failed, Head, Message, Up, Write, WritesHead
from controller.bus.wire import MAX_FRAME_BYTES, Envelope, pack_message
from tests.support.waiting import PATIENCE_S

CHILD = """
import os, sys, time
from pathlib import Path
from controller.bus.delivery import Answerer
from controller.bus.messages import Head

def handle(message, answer, request):
    with Path(sys.argv[2]).open("a") as file:
        file.write(f"{os.getpid()} {request}\\n")
    if message.kind == "writes_head":
        answer(Head(head=str(os.getpid())))

answerer = Answerer(sys.argv[1], handle)
print("up", flush=True)
sys.stdin.read()
answerer.close()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="bus-") as name:  # short: the path of a socket has 107 bytes
        yield Path(name)


@pytest.fixture
def address(folder: Path) -> str:
    return f"ipc://{folder}/gate"


def echo(message: Message, answer: Callable[[Message], None], request: str) -> None:
    answer(Head(head=request))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    wait_for(
        lambda: all(
            (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
            for thread in threads.iterdir()
        )
    )


class Child:
    """An answerer in a process of its own; notes which requests it has handled."""

    def __init__(self, address: str, notes: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, address, str(notes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid

    def up(self) -> "Child":
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"up\n"
        return self

    def kill(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.kill()
        self._process.wait(PATIENCE_S)


@pytest.fixture
def start(address: str, folder: Path) -> Iterator[Callable[[], Child]]:
    children: list[Child] = []

    def begin() -> Child:
        children.append(Child(address, folder / "notes"))
        return children[-1].up()

    yield begin
    for child in children:
        child.kill()


def test_many_threads_are_answered_each_with_its_own(address: str) -> None:
    answerer, caller = Answerer(address, echo), Caller(address, "test")

    with ThreadPoolExecutor(8) as pool:
        ids = [f"request/{number}" for number in range(400)]
        answers = list(pool.map(lambda name: caller.call(WritesHead(), PATIENCE_S, id=name), ids))

    assert answers == [Head(head=name) for name in ids]
    caller.close()
    answerer.close()


def test_who_asks_before_anybody_answers_is_answered(address: str) -> None:
    caller = Caller(address, "test")
    future = caller.post(WritesHead(), id="early")

    answerer = Answerer(address, echo)

    assert future.result(PATIENCE_S) == Head(head="early")
    caller.close()
    answerer.close()


def test_an_answer_may_come_later_from_another_thread_and_counts_once(address: str) -> None:
    given: list[Callable[[Message], None]] = []
    answerer = Answerer(address, lambda _message, answer, _request: given.append(answer))
    caller = Caller(address, "test")
    future = caller.post(WritesHead(), id="a")
    wait_for(lambda: bool(given))

    given[0](Head(head="first"))
    given[0](Head(head="second"))

    assert future.result(PATIENCE_S) == Head(head="first")
    assert caller.call(WritesHead(), PATIENCE_S, id="a") == Head(head="first")
    assert len(given) == 1
    caller.close()
    answerer.close()


def test_who_died_and_asks_again_under_the_same_id_gets_the_kept_answer(address: str) -> None:
    handled: list[str] = []

    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        handled.append(request)
        answer(Head(head=str(len(handled))))

    answerer = Answerer(address, handle)
    answers = []
    for _ in range(3):
        caller = Caller(address, "test")
        answers.append(caller.call(WritesHead(), PATIENCE_S, id="experiment/e-1/1"))
        caller.close()

    assert answers == [Head(head="1")] * 3
    assert handled == ["experiment/e-1/1"]
    answerer.close()


def test_a_killed_answerer_is_asked_again_when_it_is_back(
    address: str, folder: Path, start: Callable[[], Child]
) -> None:
    first = start()
    caller = Caller(address, "test")
    assert caller.call(WritesHead(), PATIENCE_S) == Head(head=str(first.pid))
    never = caller.post(Up(role="x", pid=1), id="open")
    wait_for(lambda: "open" in (folder / "notes").read_text())

    first.kill()
    while_dead = caller.post(WritesHead())
    second = start()

    assert while_dead.result(PATIENCE_S) == Head(head=str(second.pid))
    wait_for(lambda: f"{second.pid} open" in (folder / "notes").read_text())
    assert not never.done()
    caller.close()


def test_a_frozen_answerer_carries_out_once_what_waited_and_not_what_was_given_up(
    address: str, folder: Path, start: Callable[[], Child]
) -> None:
    child = start()
    caller = Caller(address, "test")
    caller.call(WritesHead(), PATIENCE_S, id="before")
    freeze(child.pid)
    try:
        waiting = caller.post(WritesHead(), id="waits")
        with pytest.raises(BusTimeout, match="withdrawn"):
            caller.call(WritesHead(), 1.0, id="given up")
    finally:
        os.kill(child.pid, signal.SIGCONT)

    assert waiting.result(PATIENCE_S) == Head(head=str(child.pid))
    caller.call(WritesHead(), PATIENCE_S, id="after")
    noted = (folder / "notes").read_text().splitlines()
    caller.call(WritesHead(), PATIENCE_S, id="given up")  # nothing is held against it
    caller.close()
    assert noted == [f"{child.pid} {request}" for request in ("before", "waits", "after")]


def test_a_request_that_was_cancelled_is_not_asked_when_somebody_comes(address: str) -> None:
    handled: list[str] = []

    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        handled.append(request)
        answer(Done())

    caller = Caller(address, "test")
    future = caller.post(WritesHead(), id="cancelled")
    assert future.cancel()

    answerer = Answerer(address, handle)
    caller.call(WritesHead(), PATIENCE_S, id="other")

    assert handled == ["other"]
    with pytest.raises(CancelledError):
        future.result()
    caller.close()
    answerer.close()


def test_closing_tells_who_waits_and_leaves_no_thread_and_no_file(address: str) -> None:
    Answerer(address, echo).close()  # what is loaded at first use stays open
    threads, files = threading.active_count(), open_files()
    answerer = Answerer(address, lambda *_: None)
    callers = [Caller(address, f"test {number}") for number in range(3)]
    futures = [caller.post(WritesHead()) for caller in callers]

    for end in (*callers, answerer, *callers):
        end.close()

    for future in futures:
        with pytest.raises(BusClosed):
            future.result(PATIENCE_S)
    with pytest.raises(BusClosed):
        callers[0].post(Done())
    assert threading.active_count() == threads
    assert open_files() == files


def test_closing_without_anybody_there_does_not_hang(address: str) -> None:
    caller = Caller(address, "test")
    future = caller.post(WritesHead())

    caller.close()

    assert isinstance(future.exception(PATIENCE_S), BusClosed)


def test_an_answer_given_just_before_the_end_arrives(address: str) -> None:
    ended = threading.Event()

    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        answer(Done())
        ended.set()

    answerer, caller = Answerer(address, handle), Caller(address, "test")
    future = caller.post(WritesHead())
    assert ended.wait(PATIENCE_S)
    answerer.close()

    assert future.result(PATIENCE_S) == Done()
    caller.close()


def test_what_a_handler_raises_is_told_to_who_asked(address: str) -> None:
    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        raise ValueError("no such signal")

    answerer, caller = Answerer(address, handle), Caller(address, "test")

    answer = caller.call(WritesHead(), PATIENCE_S)

    assert answer == Failed(error="ValueError", reason="no such signal")
    caller.close()
    answerer.close()


def test_an_answer_that_cannot_travel_is_answered_by_its_failure(address: str) -> None:
    raised: list[Exception] = []

    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        try:
            answer(Write(signal="a", value=object()))
        except MessageUnsendable as error:
            raised.append(error)

    answerer, caller = Answerer(address, handle), Caller(address, "test")

    answer = caller.call(WritesHead(), PATIENCE_S)

    assert isinstance(answer, Failed)
    assert answer.error == "MessageUnsendable"
    assert len(raised) == 1
    caller.close()
    answerer.close()


HOSTILE = [
    [b""],
    [b"\xc1"],
    [pickle.dumps({"step": "request"})],
    [b"\x91" * 5000],
    [b"", b"", b""],
    [msgpack.packb({"step": "request"})],
    [Envelope(step="request", id="a", body=b"x").pack()[:-1]],
    [os.urandom(1000)],
]


def test_what_is_no_frame_is_dropped_and_said(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    answerer, caller = Answerer(address, echo), Caller(address, "test")
    with caplog.at_level(logging.WARNING), zmq.Context() as context:
        with context.socket(zmq.DEALER) as stranger:
            stranger.connect(address)
            for frames in HOSTILE:
                stranger.send_multipart(frames)
            stranger.send(Envelope(step="request", id="proper", body=pack_message(Done())).pack())
            assert stranger.poll(PATIENCE_S * 1000)
            assert Envelope.unpack(stranger.recv()).id == "proper"

    assert len([record for record in caplog.records if "dropped" in record.message]) == len(HOSTILE)
    assert caller.call(WritesHead(), PATIENCE_S, id="a") == Head(head="a")
    caller.close()
    answerer.close()


def test_thousands_of_changed_frames_leave_who_answers_unharmed(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(5)
    handled: list[Message] = []

    def handle(message: Message, answer: Callable[[Message], None], request: str) -> None:
        handled.append(message)
        answer(Done())

    caplog.set_level(logging.CRITICAL)
    frame = Envelope(step="request", id="a" * 20, body=pack_message(Up(role="x", pid=1))).pack()
    answerer, caller = Answerer(address, handle), Caller(address, "test")
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.connect(address)
        for _ in range(5000):
            changed = bytearray(frame)
            for _ in range(chance.randrange(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            stranger.send(bytes(changed))
        assert caller.call(WritesHead(), PATIENCE_S) == Done()

    assert {type(message) for message in handled} <= {Up, WritesHead}
    caller.close()
    answerer.close()


def test_a_pickle_in_a_proper_envelope_is_refused_and_not_run(address: str, folder: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(folder / "ran"),))

    answerer = Answerer(address, echo)
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.connect(address)
        stranger.send(Envelope(step="request", id="a", body=pickle.dumps(Payload())).pack())
        assert stranger.poll(PATIENCE_S * 1000)
        answer = Envelope.unpack(stranger.recv())

    assert b"MessageRefused" in answer.body
    assert not (folder / "ran").exists()
    answerer.close()


def test_who_sends_more_than_allowed_is_cut_off_and_others_are_served(address: str) -> None:
    answerer, caller = Answerer(address, echo), Caller(address, "test")
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.set(zmq.LINGER, 0)
        monitor = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        stranger.connect(address)
        stranger.send(bytes(MAX_FRAME_BYTES + 1))
        assert monitor.poll(PATIENCE_S * 1000)
        stranger.disable_monitor()
        monitor.close()

    assert caller.call(WritesHead(), PATIENCE_S, id="a") == Head(head="a")
    caller.close()
    answerer.close()


@pytest.mark.parametrize(
    "bad",
    ["tcp://127.0.0.1:*", "inproc://x", "ipc://@abstract", "ipc://relative/x", "gate", "udp://x:1"],
)
def test_an_address_that_others_could_reach_is_refused(bad: str) -> None:
    with pytest.raises(AddressRefused):
        Answerer(bad, echo)
    with pytest.raises(AddressRefused):
        Caller(bad, "test")


def test_a_folder_that_others_can_enter_is_refused(folder: Path) -> None:
    folder.chmod(0o755)

    with pytest.raises(AddressRefused, match="chmod 700"):
        Answerer(f"ipc://{folder}/gate", echo)


def test_a_socket_in_a_new_folder_is_for_this_user_alone(folder: Path) -> None:
    answerer = Answerer(f"ipc://{folder}/deep/gate", echo)

    assert (folder / "deep").stat().st_mode & 0o777 == 0o700
    answerer.close()


def test_a_path_that_is_too_long_is_refused_in_words(folder: Path) -> None:
    with pytest.raises(AddressRefused, match="107"):
        Answerer(f"ipc://{folder}/{'x' * 100}", echo)


@pytest.mark.parametrize("request_id", ["", "x" * 201])
def test_an_id_of_a_wrong_length_is_refused(address: str, request_id: str) -> None:
    caller = Caller(address, "test")

    with pytest.raises(MessageUnsendable, match="id"):
        caller.post(Done(), id=request_id)
    caller.close()


def said_to(address: str, request: str, until: str) -> list[str]:
    """Return what is said about one request, up to the step *until*."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.RCVTIMEO, int(1000 * PATIENCE_S))
        socket.connect(address)
        body = pack_message(WritesHead())
        socket.send(Envelope(step="request", id=request, body=body).pack())
        said: list[str] = []
        while until not in said:
            said.append(Envelope.unpack(socket.recv()).step)
        return said


def test_who_has_its_answer_at_once_isn_t_told_before_that_it_is_worked_on(address):
    answerer = Answerer(address, echo)
    try:
        assert said_to(address, "quick", "answer") == ["answer"]
    finally:
        answerer.close()


def test_who_waits_is_told_unasked_that_its_request_is_worked_on(address):
    answers = []
    answerer = Answerer(address, lambda _message, answer, _request: answers.append(answer))
    try:
        assert said_to(address, "slow", "working") == ["working"]
        answers[0](Done())
    finally:
        answerer.close()
