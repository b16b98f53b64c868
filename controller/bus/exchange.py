"""Who says what when, so that a request is carried out once and always answered; no I/O.

The requester (``Outgoing``) sends a request, and asks after it until the answer is there, however
often a process dies or a frame is lost. The other side (``Incoming``) hands each id on once and
keeps its answer. Times are seconds of one monotonic clock, given from outside.
"""

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import count

from controller.bus.wire import Envelope

RESEND_S = 0.5
"""How long a requester waits for a sign before it asks again."""
WORKING_RESEND_S = 2.0
"""The same once the other side has said that it works on the request."""
KEEP_S = 600.0
KEEP_ANSWERS = 4096
KEEP_BYTES = 64 * 2**20
"""Answers that have arrived are kept for so long, so many, and so much of them."""
_REMEMBERED = 4096


@dataclass(slots=True)
class _Asked:
    body: bytes
    before: float | None
    sent: bool = False
    sent_at: float = float("-inf")
    wait_s: float = RESEND_S
    version: int = 0


class Outgoing:
    """The requester's side: what to send next and when, and which request an answer settles."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        self._due: list[tuple[float, int, str, int]] = []
        self._tie = count()
        self._receipts: deque[str] = deque()
        self._settled: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, request: str, body: bytes, now: float, before: float | None = None) -> None:
        """Send the message *body* under the id *request*, unless that is under way already.

        It isn't to be begun after *before*.
        """
        if request not in self._asked:
            self._asked[request] = _Asked(body, before)
            self._schedule(request, now)

    def withdraw(self, request: str) -> None:
        """Ask no more for an answer to *request*; it may be carried out all the same."""
        self._asked.pop(request, None)

    def next_due(self) -> float | None:
        """Return when there is something to send (seconds), or None."""
        if self._receipts:
            return float("-inf")
        while self._due:
            due, _, request, version = self._due[0]
            asked = self._asked.get(request)
            if asked is not None and asked.version == version:
                return due
            heapq.heappop(self._due)
        return None

    def take_due(self, now: float) -> Envelope | None:
        """Return the next frame to send now, or None; call only when it can be sent."""
        if self._receipts:
            return Envelope(step="received", id=self._receipts.popleft())
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, request, _ = heapq.heappop(self._due)
        asked = self._asked[request]
        self._schedule(request, now + asked.wait_s)
        if asked.sent:
            return Envelope(step="inquiry", id=request)
        asked.sent, asked.sent_at = True, now
        return Envelope(step="request", id=request, body=asked.body, before=asked.before)

    def receive(self, envelope: Envelope, now: float) -> bool:
        """Take in a frame; return whether it is the answer to a request that was open."""
        asked = self._asked.get(envelope.id)
        if envelope.step == "answer":
            return self._answered(envelope.id)
        if asked is None:
            return False
        if envelope.step == "working":
            asked.sent = True
            asked.wait_s = min(2 * asked.wait_s, WORKING_RESEND_S)
        elif envelope.step == "unknown":
            asked.sent, asked.wait_s = False, RESEND_S
            self._schedule(envelope.id, max(now, asked.sent_at + RESEND_S))
        return False

    def _answered(self, request: str) -> bool:
        expected = self._asked.pop(request, None) is not None
        if expected:
            self._settled[request] = None
            while len(self._settled) > _REMEMBERED:
                self._settled.popitem(last=False)
        if request in self._settled:
            self._receipts.append(request)
        return expected

    def _schedule(self, request: str, due: float) -> None:
        asked = self._asked[request]
        asked.version += 1
        heapq.heappush(self._due, (due, next(self._tie), request, asked.version))


@dataclass(slots=True)
class _Kept:
    route: bytes
    answer: bytes = b""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame for the peer behind *route*."""

    route: bytes
    envelope: Envelope


@dataclass(slots=True)
class Incoming:
    """The answering side: each id is new once; what was answered is kept and said again.

    An answer is kept for ``KEEP_S`` at least until its requester has said that it arrived; of
    those that have arrived, the last ones (``KEEP_ANSWERS``, ``KEEP_BYTES``), for who asks again
    under the same id after it has died.
    """

    _open: dict[str, _Kept] = field(default_factory=dict)
    _answered: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _arrived: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _arrived_bytes: int = 0

    def receive(self, route: bytes, envelope: Envelope, now: float) -> tuple[bool, Reply | None]:
        """Take in a frame from *route*: whether its message is new and to be handled; a reply."""
        self._forget(now)
        request, step = envelope.id, envelope.step
        if step == "received":
            self._receipt(request, now)
            return False, None
        if step not in ("request", "inquiry"):
            return False, None
        kept = self._find(request)
        if kept is not None:
            kept.route = route
            return False, self._reply(request, kept)
        if step == "inquiry":
            return False, Reply(route, Envelope(step="unknown", id=request))
        if envelope.before is not None and envelope.before < now:
            return False, None  # given up; whoever asks again under this id is new
        self._open[request] = _Kept(route)
        return True, None

    def is_open(self, request: str) -> bool:
        """Whether *request* was handed on and isn't answered yet."""
        return request in self._open

    def acknowledge(self, request: str) -> Reply | None:
        """Return word that *request* is being worked on, or None when it is answered already."""
        kept = self._open.get(request)
        return None if kept is None else self._reply(request, kept)

    def answer(self, request: str, body: bytes, now: float) -> Reply | None:
        """Keep *body* as the answer to *request* and return it; None when there was one before."""
        kept = self._open.pop(request, None)
        if kept is None:
            return None
        kept.answer, kept.since = body, now
        self._answered[request] = kept
        return self._reply(request, kept)

    def kept(self) -> tuple[int, int, int]:
        """Return how many requests are open, answered, and answered with the answer arrived."""
        return len(self._open), len(self._answered), len(self._arrived)

    def _find(self, request: str) -> _Kept | None:
        return self._open.get(request) or self._answered.get(request) or self._arrived.get(request)

    def _reply(self, request: str, kept: _Kept) -> Reply:
        if kept.answer:
            return Reply(kept.route, Envelope(step="answer", id=request, body=kept.answer))
        return Reply(kept.route, Envelope(step="working", id=request))

    def _receipt(self, request: str, now: float) -> None:
        kept = self._answered.pop(request, None)
        if kept is not None:
            kept.since = now
            self._arrived[request] = kept
            self._arrived_bytes += len(kept.answer)

    def _forget(self, now: float) -> None:
        while self._answered and now - next(iter(self._answered.values())).since > KEEP_S:
            self._answered.popitem(last=False)
        while self._arrived and (
            now - next(iter(self._arrived.values())).since > KEEP_S
            or len(self._arrived) > KEEP_ANSWERS
            or self._arrived_bytes > KEEP_BYTES
        ):
            _, kept = self._arrived.popitem(last=False)
            self._arrived_bytes -= len(kept.answer)
