"""What viewers are sent: numbered messages to the last one, of all else only the latest.

A viewer that is slow loses frames and documents, never a message; one that was away for longer
than is kept here is told which numbers it must look up (``GET /events``).
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controller.console.frames import Frame
from controller.console.sources import Message

KEPT = 10_000
"""Messages that can be sent again."""
DOCUMENTS = 200
"""Documents that wait for one viewer."""
MOST_CHANNELS = 64
MOST_VIEWERS = 100


@dataclass(eq=False)
class Viewer:
    """Somebody who looks: has seen all up to *seq*, and what is to be sent next."""

    seq: int
    frames_wanted: bool = True
    documents_wanted: bool = False
    status: str = ""
    frames: dict[str, Frame] = field(default_factory=dict)
    documents: deque[str] = field(default_factory=deque)
    missed: int = 0
    """Documents that were dropped since it was last told."""
    bell: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """Hands what has happened to all viewers; lives in one event loop and waits for nobody."""

    def __init__(self, epoch: str, messages: list[Message]) -> None:
        self.epoch = epoch
        self._kept: deque[Message] = deque(_without_gap(messages), maxlen=KEPT)
        self._frames: dict[str, Frame] = {}
        self._status = ""
        self.viewers: set[Viewer] = set()

    @property
    def seq(self) -> int:
        """The number of the latest message, 0 before there is one."""
        return self._kept[-1].seq if self._kept else 0

    def join(self, after: tuple[str, int] | None, viewer: Viewer) -> int:
        """Let *viewer* be sent what comes *after* (epoch, number), and what is so at present.

        Without *after*, or where the epoch is another, it begins with the oldest that is kept.
        Returns how many messages between are kept no more.
        """
        seq = 0
        if after is not None and after[0] == self.epoch:
            seq = min(after[1], self.seq)
        oldest = self._kept[0].seq if self._kept else 1
        viewer.seq = max(seq, oldest - 1)
        viewer.status = self._status
        viewer.frames = dict(self._frames) if viewer.frames_wanted else {}
        viewer.bell.set()
        self.viewers.add(viewer)
        return viewer.seq - seq

    def leave(self, viewer: Viewer) -> None:
        """Send *viewer* nothing any more."""
        self.viewers.discard(viewer)

    def tell(self, messages: list[Message]) -> None:
        """Send numbered messages."""
        self._kept.extend(messages)
        self._ring()

    def show(self, frame: Frame) -> None:
        """Send a frame; it takes the place of one of its channel that is still to be sent."""
        self._frames.pop(frame.channel, None)
        if len(self._frames) >= MOST_CHANNELS:
            del self._frames[next(iter(self._frames))]
        self._frames[frame.channel] = frame
        for viewer in self.viewers:
            if viewer.frames_wanted:
                viewer.frames[frame.channel] = frame
                viewer.bell.set()

    def relay(self, name: str, document: dict[str, Any]) -> None:
        """Send a bluesky document to who wants them."""
        viewers = [viewer for viewer in self.viewers if viewer.documents_wanted]
        if not viewers:
            return
        text = json.dumps({"type": "document", "name": name, "document": document})
        for viewer in viewers:
            if len(viewer.documents) >= DOCUMENTS:
                viewer.documents.popleft()
                viewer.missed += 1
            viewer.documents.append(text)
            viewer.bell.set()

    def stand(self, status: dict[str, Any]) -> None:
        """Send how things stand, where that has changed."""
        text = json.dumps({"type": "status", "status": status}, ensure_ascii=False)
        if text != self._status:
            self._status = text
            for viewer in self.viewers:
                viewer.status = text
                viewer.bell.set()

    def next_of(self, viewer: Viewer) -> Iterator[str | bytes]:
        """Yield what *viewer* is to be sent now, messages first; it may change meanwhile."""
        viewer.bell.clear()
        yield from self._messages(viewer)
        if viewer.status:
            text, viewer.status = viewer.status, ""
            yield text
        while viewer.documents:
            yield viewer.documents.popleft()
            yield from self._messages(viewer)
        if viewer.missed:
            missed, viewer.missed = viewer.missed, 0
            yield json.dumps({"type": "missed", "documents": missed})
        while viewer.frames:
            channel = next(iter(viewer.frames))
            yield viewer.frames.pop(channel).data
            yield from self._messages(viewer)

    def _messages(self, viewer: Viewer) -> Iterator[str]:
        """Yield what is kept past the number that *viewer* has seen, after a notice of a gap."""
        while viewer.seq < self.seq:
            first = self._kept[0].seq
            if viewer.seq + 1 < first:
                yield gap(viewer.seq + 1, first - 1)
                viewer.seq = first - 1
                continue
            # the numbers that are kept have no gap: the place of one follows from the first
            message = self._kept[viewer.seq + 1 - first]
            viewer.seq = message.seq
            yield message.text

    def _ring(self) -> None:
        for viewer in self.viewers:
            viewer.bell.set()


def gap(first: int, last: int) -> str:
    """Return the notice that messages *first* to *last* are kept no more."""
    return json.dumps({"type": "gap", "from": first, "to": last})


def _without_gap(messages: list[Message]) -> list[Message]:
    """Return the end of *messages* in which no number is missing (a file that was taken away)."""
    first = len(messages) - 1
    while first > 0 and messages[first - 1].seq == messages[first].seq - 1:
        first -= 1
    return messages[max(first, 0) :]
