"""Bluesky documents as they are made, for any client of ``bluesky.callbacks.zmq``.

Frames are those of bluesky's own publisher, ``prefix name document`` parted by spaces, with the
document in msgpack in place of pickle. A viewer that can't follow misses documents; the document
log is the truth.
"""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import zmq

from controller.bus.errors import MessageUnsendable
from controller.bus.sockets import Keys, Owner, Station, nothing_more
from controller.bus.wire import pack

HIGH_WATER = 1000
"""Documents that wait for one viewer; what comes then is dropped for this viewer."""
WAITING = 2000
"""Documents that wait to be packed."""
LARGE_BYTES = 64 * 1024
LARGE_WAITING_BYTES = 128 * 2**20
"""Documents above the first size are sent while no more than the second waits for viewers."""

_log = logging.getLogger(__name__)


class DocumentFeed:
    """A RunEngine callback that publishes at *address* what it is given, and never waits.

    Documents must not be changed after they were given, as everywhere in bluesky.
    """

    def __init__(self, address: str, *, prefix: bytes = b"", keys: Keys | None = None) -> None:
        if b" " in prefix:
            raise ValueError(f"prefix {prefix!r}: may not contain a space")
        self._prefix = prefix
        self._station = Station.listening(zmq.PUB, address, keys, (zmq.SNDHWM, HIGH_WATER))
        self.address = self._station.address
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._large: deque[tuple[zmq.MessageTracker, int]] = deque()
        self._dropped = 0
        self._owner = Owner(self._station, "document-feed", self._publish, nothing_more)
        self._owner.start()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Publish one document soon, or drop and count it when too many wait."""
        with self._owner.lock:
            if not self._owner.closed and len(self._waiting) < WAITING:
                self._waiting.append((name, document))
                if len(self._waiting) == 1:
                    self._station.ring()
                return
        self._drop()

    @property
    def dropped(self) -> int:
        """How many documents were sent to nobody: too many waited, too large, not packable."""
        return self._dropped

    def close(self) -> None:
        """Send what waits, then free the address."""
        self._owner.close()

    def _drop(self) -> None:
        with self._owner.lock:
            self._dropped += 1

    def _publish(self) -> None:
        told = 0
        while not self._owner.closed or self._waiting:
            if not self._waiting:
                self._station.wait(0, None)
            self._send_waiting()
            if self._dropped >= max(1, 2 * told):  # 1, 2, 4, ...: a flood isn't logged twice
                told = self._dropped
                _log.warning("%s: %d documents were not published", self.address, told)

    def _send_waiting(self) -> None:
        while True:
            with self._owner.lock:
                if not self._waiting:
                    return
                name, document = self._waiting.popleft()
            self._send(name, document)

    def _send(self, name: str, document: Mapping[str, Any]) -> None:
        try:
            frame = b" ".join((self._prefix, name.encode(), pack(document)))
        except MessageUnsendable as error:
            _log.warning("%s: a document %r %s", self.address, name, error)
            self._drop()
            return
        if len(frame) <= LARGE_BYTES:
            self._station.socket.send(frame, zmq.NOBLOCK)
            return
        self._large = deque(item for item in self._large if not item[0].done)
        if sum(size for _, size in self._large) + len(frame) > LARGE_WAITING_BYTES:
            self._drop()
            return
        tracker = self._station.socket.send(frame, zmq.NOBLOCK, copy=False, track=True)
        if tracker is not None:
            self._large.append((tracker, len(frame)))
