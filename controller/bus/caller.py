"""The asking end: one thread that sends requests until they are answered."""

import logging
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

import zmq

from controller.bus.errors import BusClosed, BusTimeout, MessageRefused, MessageUnsendable
from controller.bus.exchange import Outgoing
from controller.bus.messages import Message
from controller.bus.sockets import Keys, Owner, Station, drained, received
from controller.bus.wire import MAX_ID, Envelope, pack_message, unpack_message

_log = logging.getLogger(__name__)


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
        # nothing waits in a pipe to nobody: a request that was given up isn't sent any more
        self._station = Station.speaking(zmq.DEALER, address, keys, (zmq.IMMEDIATE, 1))
        self._outgoing = Outgoing()
        self._futures: dict[str, list[Future[Message]]] = {}
        self._orders: SimpleQueue[_Post | None] = SimpleQueue()
        self._owner = Owner(self._station, f"bus-{name}", self._serve, self._give_up)
        self._owner.start()

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
        self._owner.close()

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
        with self._owner.lock:
            if self._owner.closed:
                raise BusClosed(f"{self._name}: asked after the bus was closed")
            self._orders.put(post)
            self._station.ring()
        post.future.add_done_callback(self._withdraw)
        return post.future

    def _withdraw(self, future: "Future[Message]") -> None:
        if future.cancelled():
            with self._owner.lock:
                if not self._owner.closed:
                    self._orders.put(None)
                    self._station.ring()

    # --- in the thread of the bus ---------------------------------------------------------------

    def _serve(self) -> None:
        while not self._owner.closed:
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
        """Let who waits learn of the end, also when the thread itself is broken."""
        self._take_orders()
        for futures in self._futures.values():
            for future in futures:
                if future.set_running_or_notify_cancel():
                    future.set_exception(BusClosed(f"{self._name}: the bus was closed"))

    def _take_orders(self) -> None:
        for order in drained(self._orders):
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
        for frames in received(self._station.socket):
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
