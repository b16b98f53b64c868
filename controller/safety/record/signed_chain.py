"""The gate's record with signed checkpoints in it, and whether they are all as they must be."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.digest import canonical
from controller.chain import Chain, Link
from controller.errors import JournalBroken, JournalError
from controller.safety.record.signing import Checkpoint, Signer
from controller.safety.states.machine import Input

MOST_RECORDS, MOST_S = 1000, 60.0
"""After so many records, or so many real seconds after an unsigned one, there is a checkpoint."""
WEIGHTY_INPUTS = frozenset(
    what.value
    for what in (
        Input.ARM,
        Input.TRIP,
        Input.STOP,
        Input.ACKNOWLEDGE,
        Input.RESET,
        Input.TAKE,
        Input.GIVE_BACK,
        Input.NOT_REACHED,
    )
)
WEIGHTY_KINDS = frozenset({"approved", "approval", "bypass", "signed", "people"})
"""Records after which there is a checkpoint at once: latches, arming, what people have said."""
KIND = "checkpoint"
_MARKS = tuple(canonical({"kind": kind})[1:-1] for kind in (*sorted(WEIGHTY_KINDS), "step"))
"""One of these stands in each of them, in canonical form."""


class SignedChain(Chain):
    """A chain that signs its own head now and then; ``sign_with`` says with which key."""

    _signer: Signer | None = None
    _now: Callable[[], float] = time.monotonic
    _signed_length = 0
    _unsigned_since: float | None = None
    _last_stamp = 0.0
    """That of the last record: a checkpoint says nothing of its own time."""

    def sign_with(self, signer: Signer) -> None:
        """Sign from now on: what is there already, too."""
        self._signer = signer
        if self.length:
            last = next(iter(self.links(self.length - 1)), None)
            self._last_stamp = 0.0 if last is None else last.stamp
            self._sign(self._last_stamp)

    def append(self, stamp: float, payload: bytes) -> Link:
        """Write one record as every chain does, and a checkpoint behind it when one is due."""
        link = super().append(stamp, payload)
        self._sign_behind(link)
        return link

    def note(self, stamp: float, payload: bytes) -> Link:
        """Note one record as every chain does, and write a checkpoint behind it when one is due."""
        link = super().note(stamp, payload)
        self._sign_behind(link)
        return link

    def sign_if_due(self) -> None:
        """Write the checkpoint that is due although nothing is recorded any more."""
        if self._unsigned_since is not None and self._is_due():
            self._sign(self._last_stamp)

    def sign_now(self) -> None:
        """Write a checkpoint unless the last record is one: at the end."""
        if self._unsigned_since is not None:
            self._sign(self._last_stamp)

    def _sign_behind(self, link: Link) -> None:
        """Write a checkpoint behind *link* when one is due."""
        self._last_stamp = link.stamp
        if self._unsigned_since is None:
            self._unsigned_since = self._now()
        if self._is_due() or _may_be_weighty(link.payload):
            self._sign(link.stamp)

    def _is_due(self) -> bool:
        old = self._unsigned_since is not None and self._now() - self._unsigned_since >= MOST_S
        return old or self.length - self._signed_length >= MOST_RECORDS

    def _sign(self, stamp: float) -> None:
        if self._signer is None:
            return
        checkpoint = Checkpoint.of(self._signer, self.length, self.head)
        with suppress(JournalError):  # what was to be recorded is; the next one signs it too
            super().append(stamp, canonical({"kind": KIND, **asdict(checkpoint)}))
            self._signed_length, self._unsigned_since = self.length, None


@dataclass(frozen=True, slots=True)
class Signatures:
    """What the checkpoints of a record say: how many, by which key, and how far the last reaches.

    ``public`` is empty where nothing is signed.
    """

    count: int = 0
    public: str = ""
    length: int = 0
    last: Checkpoint | None = None


def require_signed(chain: Chain, trusted: str = "") -> Signatures:
    """Return what the checkpoints of *chain* say, whose links are known to be whole.

    Raises JournalBroken at the first that isn't genuine, isn't of the key *trusted* (empty: of
    the first one's), isn't where it belongs, or is missing.
    """
    found, weighty, before = Signatures(public=""), 0, ""
    for link in chain.links():
        record = _record(link)
        if record.get("kind") == KIND:
            found = _checked(chain, link, record, found, trusted)
            weighty = 0
        elif weighty and record.get("kind") != "started" and found.count:
            raise JournalBroken(
                f"{chain.name}: record {link.sequence}: there must be a signed checkpoint after "
                f"record {weighty} ({before}), and there is none: it was taken out, or written anew"
            )
        elif found.count and link.sequence - found.length > MOST_RECORDS + 1:
            raise JournalBroken(
                f"{chain.name}: record {link.sequence}: no signed checkpoint since record "
                f"{found.length}; they were taken out, or written anew"
            )
        else:
            weighty = link.sequence if _is_weighty(link.payload) else 0
            before = str(record.get("input", record.get("kind", "")))
    if trusted and not found.count:
        raise JournalBroken(
            f"{chain.name}: nothing is signed, where the key {trusted} was expected"
        )
    return found


def require_checkpoint(chain: Chain, kept: Checkpoint) -> None:
    """Raise JournalBroken unless *chain* still holds what *kept*, from elsewhere, stands for."""
    if not kept.genuine:
        raise JournalBroken(f"{chain.name}: the checkpoint itself isn't signed by {kept.public}")
    if chain.length < kept.length:
        raise JournalBroken(
            f"{chain.name}: has {chain.length} records, and had {kept.length} when the checkpoint "
            "was signed: its end was cut off"
        )
    for link in chain.links(kept.length - 1):
        if link.hash != kept.head:
            raise JournalBroken(
                f"{chain.name}: record {kept.length}: is another one than when the checkpoint was "
                "signed: the record was written anew"
            )
        return


def checkpoints_of(path: Path, table: str) -> Iterator[Checkpoint]:
    """Yield every checkpoint of the record in *path*; raises JournalBroken."""
    with closing(Chain.read(path, table)) as chain:
        for link in chain.links():
            record = _record(link)
            if record.get("kind") == KIND and (checkpoint := _checkpoint(record)) is not None:
                yield checkpoint


def _checked(
    chain: Chain, link: Link, record: dict[str, Any], found: Signatures, trusted: str
) -> Signatures:
    checkpoint = _checkpoint(record)
    reason = ""
    if checkpoint is None or not checkpoint.genuine:
        reason = "its checkpoint isn't signed by the key that it names"
    elif (checkpoint.length, checkpoint.head) != (link.sequence - 1, link.previous):
        reason = "its checkpoint was signed for another record"
    elif checkpoint.public != (trusted or found.public or checkpoint.public):
        reason = f"is signed by {checkpoint.public}, not by {trusted or found.public}"
    if checkpoint is None or reason:
        raise JournalBroken(f"{chain.name}: record {link.sequence}: {reason}")
    return Signatures(found.count + 1, checkpoint.public, link.sequence, checkpoint)


def _checkpoint(record: dict[str, Any]) -> Checkpoint | None:
    try:
        return Checkpoint(
            int(record["length"]),
            str(record["head"]),
            str(record["public"]),
            str(record["signature"]),
        )
    except (KeyError, ValueError, TypeError):
        return None


def _record(link: Link) -> dict[str, Any]:
    try:
        record = json.loads(link.payload)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _may_be_weighty(payload: bytes) -> bool:
    """Whether it is, for a record of our own: most aren't, and show it without being read."""
    return any(mark in payload for mark in _MARKS) and _is_weighty(payload)


def _is_weighty(payload: bytes) -> bool:
    if len(payload) > 65536:
        return False
    try:
        record = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    kind = record.get("kind")
    return kind in WEIGHTY_KINDS or (kind == "step" and record.get("input") in WEIGHTY_INPUTS)
