"""The campaign's journal: events, durable and chained, in the one file that is the truth.

One process writes. A lock file, which the system gives back when the process dies,
refuses a second one.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from pydantic import ValidationError

from agents.digest import plain
from controller.chain import Chain
from controller.errors import CampaignInUse, JournalBroken, JournalUnwritable, NoCampaign
from controller.events import EVENT, Event

FILE = "journal.sqlite"
LOCK = "lock"
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its place in the journal: *stamp* is campaign time, seconds since 1970."""

    sequence: int
    stamp: float
    event: Event
    hash: str


class Journal:
    """Appends events and reads them back; checks the chain whenever it is opened."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the journal in *directory*, creating it when there is none.

        Raises JournalBroken when a record was changed, is missing or can't be read.
        """
        return cls(Chain.open(directory / FILE, "events"))

    @property
    def head(self) -> str:
        """The hash of the last record (64 zeros when there is none)."""
        return self._chain.head

    def __len__(self) -> int:
        return self._chain.length

    def append(self, stamp: float, event: Event) -> Record:
        """Write *event* and return its record once it is on disk."""
        payload = in_order(plain(EVENT.dump_python(event)))
        link = self._chain.append(stamp, payload)
        return Record(link.sequence, link.stamp, event, link.hash)

    def records(self, after: int = 0) -> Iterator[Record]:
        """Yield every record past number *after*; raise JournalBroken for one that is no event."""
        for link in self._chain.links(after):
            try:
                event = EVENT.validate_json(link.payload)
            except ValidationError as error:
                raise JournalBroken(
                    f"{self._chain.name}: record {link.sequence} is not an event of this version: "
                    f"{error.errors()[0]['msg']}"
                ) from error
            yield Record(link.sequence, link.stamp, event, link.hash)

    def close(self) -> None:
        """Close the file."""
        self._chain.close()


def in_order(value: Any) -> bytes:
    """Return *value* as JSON in the order of its keys, which counts: a space's parameters."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def require_campaign(directory: Path) -> None:
    """Raise NoCampaign when there is no journal in *directory*."""
    if not (directory / FILE).is_file():
        raise NoCampaign(f"{directory}: holds no {FILE}; give the directory of a campaign")


def read(directory: Path) -> list[Record]:
    """Return all records of the campaign in *directory*, checked; nothing is written there.

    Raises NoCampaign when there is no journal, JournalBroken when its chain is broken.
    """
    require_campaign(directory)
    journal = Journal(Chain.read(directory / FILE, "events"))
    try:
        return list(journal.records())
    finally:
        journal.close()


@contextmanager
def locked(directory: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the campaign directory for this process alone.

    Raises CampaignInUse when another process still holds it after *patience_s* real seconds, and
    says which; JournalUnwritable when nothing can be written there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+") as file:
        _acquire(file, directory, time.monotonic() + patience_s)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: IO[str], directory: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if time.monotonic() >= deadline:
                file.seek(0)
                raise CampaignInUse(
                    f"{directory}: in use by process {file.read().strip() or 'unknown'}; "
                    "wait until it ends, or give another directory"
                ) from error
        time.sleep(POLL_S)
    try:
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(os.getpid()).encode())
    except OSError as error:
        raise JournalUnwritable(
            f"{directory / LOCK}: can't be written ({error}); nothing was begun: free disk space "
            "or mend the permissions of its folder, then call again"
        ) from error
