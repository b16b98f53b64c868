"""What happens right now, for people who look: PUB/SUB, which drops what a viewer can't take.

Nothing rests on it: the journal and the document log are the truth. Items are numbered, so that
a viewer can tell that it has missed some, and how many.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zmq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.bus.errors import BusClosed, MessageRefused
from controller.bus.sockets import Keys, Owner, Station, nothing_more
from controller.bus.wire import pack, unpack

__all__ = ["Item", "Publisher", "Subscriber"]

HIGH_WATER = 1000
"""Items that wait for one viewer, at each end; what comes then is dropped for this viewer."""

_log = logging.getLogger(__name__)


class Item(BaseModel):
    """One thing to look at: the *sequence*-th (from 1) of its *topic* since *source* began."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    topic: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")
    source: str = Field(min_length=1, max_length=64)
    sequence: int = Field(ge=1)
    value: dict[str, Any]


class Publisher:
    """Sends items to whoever listens at *address*; never waits; usable from any thread."""

    def __init__(self, address: str, *, keys: Keys | None = None) -> None:
        self._station = Station.listening(zmq.PUB, address, keys, (zmq.SNDHWM, HIGH_WATER))
        self.address = self._station.address
        self._source = uuid.uuid4().hex
        self._sent: dict[str, int] = {}
        self._lock = threading.RLock()  # a signal handler may come in between
        self._closed = False

    def send(self, topic: str, value: Mapping[str, Any]) -> None:
        """Publish *value* (plain data and arrays) under *topic*.

        Raises MessageUnsendable for what doesn't travel, and BusClosed after ``close``.
        """
        with self._lock:
            if self._closed:
                raise BusClosed(f"{self.address}: published after the bus was closed")
            sequence = self._sent.get(topic, 0) + 1
            item = Item(topic=topic, source=self._source, sequence=sequence, value=dict(value))
            data = pack(item.model_dump(warnings=False))
            self._sent[topic] = sequence
            self._station.socket.send_multipart([_filter(topic), data], zmq.NOBLOCK)

    def close(self) -> None:
        """Free the address."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._station.close()


class Subscriber:
    """Calls ``callback(item, missed)`` for items of *topics* (all of them when there are none).

    *missed* is how many items of the topic were lost since the last one that was seen. The
    callback runs in a thread of its own and may take its time: then it misses some.
    """

    def __init__(
        self,
        address: str,
        callback: Callable[[Item, int], None],
        *,
        topics: Sequence[str] = (),
        keys: Keys | None = None,
    ) -> None:
        self._callback = callback
        self._seen: dict[str, tuple[str, int]] = {}
        wanted = [(zmq.SUBSCRIBE, _filter(topic)) for topic in topics] or [(zmq.SUBSCRIBE, b"")]
        self._station = Station.speaking(zmq.SUB, address, keys, (zmq.RCVHWM, HIGH_WATER), *wanted)
        self._owner = Owner(self._station, f"live-{address}", self._follow, nothing_more)
        self._owner.start()

    def close(self) -> None:
        """Listen no more; waits for a callback that runs."""
        self._owner.close()

    def _follow(self) -> None:
        while not self._owner.closed:
            if self._station.wait(zmq.POLLIN, None) & zmq.POLLIN:
                self._receive(self._station.socket.recv_multipart())

    def _receive(self, frames: list[bytes]) -> None:
        try:
            item = Item.model_validate(unpack(frames[-1]))
        except (MessageRefused, ValidationError) as error:
            _log.warning("dropped what is no item: %s", error)
            return
        source, sequence = self._seen.get(item.topic, (item.source, item.sequence - 1))
        missed = item.sequence - sequence - 1 if source == item.source else item.sequence - 1
        self._seen[item.topic] = (item.source, item.sequence)
        self._callback(item, missed)


def _filter(topic: str) -> bytes:
    return topic.encode() + b"\0"  # so that a topic is not the beginning of another
