"""The answering end: one thread that hands each request on once and keeps its answer."""

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

import zmq

from controller.bus.errors import MessageRefused, MessageUnsendable
from controller.bus.exchange import Incoming, Reply
from controller.bus.messages import Failed, Message
from controller.bus.sockets import (
    LINGER_MS,
    Keys,
    Owner,
    Station,
    drained,
    nothing_more,
    received,
)
from controller.bus.wire import Envelope, pack_message, unpack_message

Handler = Callable[[Message, Callable[[Message], None], str], None]
"""Called as ``handler(message, answer, request_id)``."""

WORKING_S = 0.1
"""After so long a requester is told that its request is worked on: most have their answer before.
Less than the time after which it would ask."""
_log = logging.getLogger(__name__)


class Answerer:
    """Answers at *address*: hands each request on to *handler* once, in the bus's thread.

    The handler must not block; it, or any thread later, calls ``answer`` once. What it raises is
    answered by Failed. A request that isn't a message is answered by Failed(refused).
    """

    def __init__(self, address: str, handler: Handler, *, keys: Keys | None = None) -> None:
        self._handler = handler
        self._station = Station.listening(zmq.ROUTER, address, keys)
        self.address = self._station.address
        self._incoming = Incoming()
        self._answers: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self._unsaid: deque[tuple[float, str]] = deque()
        """Requests that are begun of which the requester hasn't heard, and when it is to."""
        self._owner = Owner(self._station, f"bus-{address}", self._serve, nothing_more)
        self._owner.start()

    def close(self) -> None:
        """Free the address and end the thread; answers that were given have half a second more."""
        self._owner.close()

    # --- in the thread of the bus, but for _answer ----------------------------------------------

    def _serve(self) -> None:
        while not self._owner.closed:
            events = self._station.wait(zmq.POLLIN, self._until_due())
            self._send_answers()
            if events & zmq.POLLIN:
                self._receive_all()
            self._say_working()
        self._send_answers()
        self._await_receipts()

    def _await_receipts(self) -> None:
        # A requester whose connection ends may lose what is in it, and nobody is left to ask.
        end = time.monotonic() + LINGER_MS / 1000
        while self._incoming.kept()[1] and (left := end - time.monotonic()) > 0:
            self._station.wait(zmq.POLLIN, left)
            self._receive_all()

    def _receive_all(self) -> None:
        for frames in received(self._station.socket):
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
        if new and self._owner.closed:
            return  # nothing is begun at the end: whoever answers here next is asked again
        if new:
            self._handle(envelope)
            self._send_answers()
            self._unsaid.append((time.monotonic() + WORKING_S, envelope.id))
        self._send(reply)

    def _until_due(self) -> float | None:
        """Return in how many seconds somebody must be told that its request is worked on."""
        while self._unsaid and not self._incoming.is_open(self._unsaid[0][1]):
            self._unsaid.popleft()
        return max(0.0, self._unsaid[0][0] - time.monotonic()) if self._unsaid else None

    def _say_working(self) -> None:
        while self._unsaid and self._unsaid[0][0] <= time.monotonic():
            self._send(self._incoming.acknowledge(self._unsaid.popleft()[1]))

    def _handle(self, envelope: Envelope) -> None:
        answer = partial(self._answer, envelope.id)
        try:
            message = unpack_message(envelope.body)
        except MessageRefused as error:
            _log.warning("%s: refused a request that %s", self.address, error)
            answer(Failed(error=type(error).__name__, reason=str(error), refused=True))
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
        with self._owner.lock:
            if not self._owner.closed:
                self._answers.put((request, body))
                if not self._owner.here:
                    self._station.ring()

    def _send_answers(self) -> None:
        for request, body in drained(self._answers):
            reply = self._incoming.answer(request, body, time.monotonic())
            if reply is None:
                _log.warning("%s: a second answer to %s was dropped", self.address, request)
            self._send(reply)

    def _send(self, reply: Reply | None) -> None:
        if reply is not None:  # a ROUTER drops what is for nobody, and never waits
            self._station.socket.send_multipart([reply.route, reply.envelope.pack()], zmq.NOBLOCK)
