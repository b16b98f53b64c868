"""Requests that are carried out once and always answered, over ZMQ: one thread at each end.

``Caller`` asks, ``Answerer`` answers; who says what when is in ``controller.bus.exchange``.
Either side may die, freeze or come back: requests are asked after until they are answered.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

import zmq

from controller.bus.errors import BusClosed, BusTimeout, MessageRefused, MessageUnsendable
from controller.bus.exchange import RESEND_S, Incoming, Outgoing, Reply
from controller.bus.messages import Failed, Message
from controller.bus.sockets import LINGER_MS, Keys, Station
from controller.bus.wire import MAX_ID, Envelope, pack_message, unpack_message

__all__ = ["RESEND_S", "Answerer", "Caller", "Handler"]

Handler = Callable[[Message, Callable[[Message], None], str], None]
"""Called as ``handler(message, answer, request_id)``."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_BATCH = 256  # frames taken in before anything else is looked at


@dataclass(frozen=True, slots=True)
class _Post:
    request: str
    body: bytes
    future: "Future[Message]"
    before: float | None = None


class Caller:
    """Asks the process that answers at *address*; usable from any thread.

    *name* says in logs who asks. A request is asked after until it is answered, through any
    number of deaths of the other side; the future's ``cancel()`` ends that.
    """

    def __init__(self, address: str, name: str, *, keys: Keys | None = None) -> None:
        self._name = name
        self._same_clock = address.startswith("ipc://")
        self._station = Station(zmq.DEALER)
        try:
            # nothing waits in a pipe to nobody: a request that was given up isn't sent any more
            self._station.socket.set(zmq.IMMEDIATE, 1)
            self._station.connect(address, keys)
        except BaseException:
            self._station.close()
            raise
        self._outgoing = Outgoing()
        self._futures: dict[str, list[Future[Message]]] = {}
        self._orders: SimpleQueue[_Post | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"bus-{name}", daemon=True)
        self._thread.start()

    def post(self, message: Message, *, id: str | None = None) -> "Future[Message]":  # noqa: A002
        """Ask *message* under *id* (a new one by default), and return its answer to come.

        The same id is carried out once, whoever asks. Callbacks of the future run in the bus's
        thread and must not block. Raises MessageUnsendable, and BusClosed after ``close``.
        """
        return self._post(message, id)

    def call(self, message: Message, timeout_s: float, *, id: str | None = None) -> Message:  # noqa: A002
        """Ask *message* and wait for its answer for *timeout_s* real seconds.

        Raises BusTimeout, after which it is asked no more but may have been carried out. On this
        machine a process that wakes up later doesn't begin it.
        """
        before = time.monotonic() + timeout_s if self._same_clock else None
        future = self._post(message, id, before)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.cancel():
                raise BusTimeout(
                    f"{self._name}: no answer to {message.kind!r} in {timeout_s:g} s; it was "
                    "withdrawn, and may have been carried out"
                ) from None
            return future.result()

    def close(self) -> None:
        """End the thread; what is not answered yet raises BusClosed for who waits."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._station.ring()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _post(
        self,
        message: Message,
        request: str | None,
        before: float | None = None,
    ) -> "Future[Message]":
        if request is None:
            request = f"{self._name}/{uuid.uuid4().hex}"
        if not 0 < len(request) <= MAX_ID:
            raise MessageUnsendable(f"a request id of {len(request)} characters: 1 to {MAX_ID}")
        post = _Post(request, pack_message(message), Future(), before)
        with self._lock:
            if self._closed:
                raise BusClosed(f"{self._name}: asked after the bus was closed")
            self._orders.put(post)
            self._station.ring()
        post.future.add_done_callback(self._withdraw)
        return post.future

    def _withdraw(self, future: "Future[Message]") -> None:
        if future.cancelled():
            with self._lock:
                if not self._closed:
                    self._orders.put(None)
                    self._station.ring()

    # --- in the thread of the bus ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # also when the thread itself is broken: who waits must learn of it
            with self._lock:
                self._closed = True
            self._take_orders()
            self._give_up()
            self._station.close()

    def _serve(self) -> None:
        while not self._closed:
            self._take_orders()
            due, now = self._outgoing.next_due(), time.monotonic()
            ready = due is not None and due <= now
            events = self._station.wait(
                zmq.POLLIN | zmq.POLLOUT if ready else zmq.POLLIN,
                None if due is None or ready else due - now,
            )
            if events & zmq.POLLIN:
                self._receive()
            if events & zmq.POLLOUT:
                self._send()
        self._send()

    def _give_up(self) -> None:
        for futures in self._futures.values():
            for future in futures:
                if future.set_running_or_notify_cancel():
                    future.set_exception(BusClosed(f"{self._name}: the bus was closed"))

    def _take_orders(self) -> None:
        for order in _drained(self._orders):
            if order is None:
                self._drop_cancelled()
                continue
            self._futures.setdefault(order.request, []).append(order.future)
            self._outgoing.ask(order.request, order.body, time.monotonic(), order.before)

    def _drop_cancelled(self) -> None:
        for request, futures in list(self._futures.items()):
            futures[:] = [future for future in futures if not future.cancelled()]
            if not futures:
                del self._futures[request]
                self._outgoing.withdraw(request)

    def _send(self) -> None:
        while int(self._station.socket.get(zmq.EVENTS)) & zmq.POLLOUT:
            envelope = self._outgoing.take_due(time.monotonic())
            if envelope is None:
                return
            self._station.socket.send(envelope.pack(), zmq.NOBLOCK)

    def _receive(self) -> None:
        for frames in _received(self._station.socket):
            try:
                envelope = Envelope.unpack(b"".join(frames))
            except MessageRefused as error:
                _log.warning("%s: dropped a frame that %s", self._name, error)
                continue
            if self._outgoing.receive(envelope, time.monotonic()):
                self._settle(envelope)

    def _settle(self, envelope: Envelope) -> None:
        answer: Message | MessageRefused
        try:
            answer = unpack_message(envelope.body)
        except MessageRefused as error:
            answer = error
        for future in self._futures.pop(envelope.id, []):
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, MessageRefused):
                future.set_exception(answer)
            else:
                future.set_result(answer)


class Answerer:
    """Answers at *address*: hands each request on to *handler* once, in the bus's thread.

    The handler must not block; it, or any thread later, calls ``answer`` once. What it raises is
    answered by Failed. A request that isn't a message is answered by Failed(refused).
    """

    def __init__(self, address: str, handler: Handler, *, keys: Keys | None = None) -> None:
        self._handler = handler
        self._station = Station(zmq.ROUTER)
        try:
            self._station.bind(address, keys)
        except BaseException:
            self._station.close()
            raise
        self.address = self._station.address
        self._incoming = Incoming()
        self._answers: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"bus-{address}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the address and end the thread; answers that were given have half a second more."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._station.ring()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- in the thread of the bus, but for _answer ----------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            with self._lock:
                self._closed = True
            self._station.close()

    def _serve(self) -> None:
        while not self._closed:
            events = self._station.wait(zmq.POLLIN, None)
            self._send_answers()
            if events & zmq.POLLIN:
                self._receive_all()
        self._send_answers()
        self._await_receipts()

    def _await_receipts(self) -> None:
        # A requester whose connection ends may lose what is in it, and nobody is left to ask.
        end = time.monotonic() + LINGER_MS / 1000
        while self._incoming.kept()[1] and (left := end - time.monotonic()) > 0:
            self._station.wait(zmq.POLLIN, left)
            self._receive_all()

    def _receive_all(self) -> None:
        for frames in _received(self._station.socket):
            self._receive(frames)

    def _receive(self, frames: list[bytes]) -> None:
        try:
            if len(frames) != 2:
                raise MessageRefused(f"has {len(frames) - 1} parts, not one")
            envelope = Envelope.unpack(frames[1])
        except MessageRefused as error:
            _log.warning("%s: dropped a frame that %s", self.address, error)
            return
        new, reply = self._incoming.receive(frames[0], envelope, time.monotonic())
        if new and self._closed:
            return  # nothing is begun at the end: whoever answers here next is asked again
        if new:
            self._handle(envelope)
            self._send_answers()
            reply = self._incoming.acknowledge(envelope.id)
        self._send(reply)

    def _handle(self, envelope: Envelope) -> None:
        answer = partial(self._answer, envelope.id)
        try:
            message = unpack_message(envelope.body)
        except MessageRefused as error:
            _log.warning("%s: refused a request that %s", self.address, error)
            answer(Failed(error=type(error).__name__, reason=str(error), refused=True))
            return
        if envelope.before is not None and envelope.before < time.monotonic():
            reason = "was given up before this process saw it; nothing was done"
            answer(Failed(error=BusTimeout.__name__, reason=reason, refused=True))
            return
        try:
            self._handler(message, answer, envelope.id)
        except Exception as error:  # at the edge of the process: who asked is told, and the log
            _log.exception("%s: %s was not handled", self.address, message.kind)
            answer(Failed(error=type(error).__name__, reason=str(error)))

    def _answer(self, request: str, message: Message) -> None:
        try:
            body = pack_message(message)
        except MessageUnsendable as error:
            failed = Failed(error=type(error).__name__, reason=str(error))
            self._put(request, pack_message(failed))
            raise
        self._put(request, body)

    def _put(self, request: str, body: bytes) -> None:
        with self._lock:
            if not self._closed:
                self._answers.put((request, body))
                if threading.current_thread() is not self._thread:
                    self._station.ring()

    def _send_answers(self) -> None:
        for request, body in _drained(self._answers):
            reply = self._incoming.answer(request, body, time.monotonic())
            if reply is None:
                _log.warning("%s: a second answer to %s was dropped", self.address, request)
            self._send(reply)

    def _send(self, reply: Reply | None) -> None:
        if reply is not None:  # a ROUTER drops what is for nobody, and never waits
            self._station.socket.send_multipart([reply.route, reply.envelope.pack()], zmq.NOBLOCK)


def _drained(queue: "SimpleQueue[_T]") -> list[_T]:
    taken: list[_T] = []
    while True:
        try:
            taken.append(queue.get_nowait())
        except Empty:
            return taken


def _received(socket: "zmq.Socket[bytes]") -> list[list[bytes]]:
    taken: list[list[bytes]] = []
    while len(taken) < _BATCH:
        try:
            taken.append(socket.recv_multipart(zmq.NOBLOCK))
        except zmq.Again:
            break
    return taken
