"""What was told, to whom, and what is still to be told: a chained record, and what it amounts to.

One process writes it. Whatever dies, the next one goes on from here: it repeats nothing that was
taken, and forgets nothing that wasn't.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from controller.chain import Chain, tables
from controller.errors import JournalBroken
from controller.journal import in_order
from controller.notify.notices import (
    ENTRY,
    Begun,
    Dropped,
    Entry,
    Escalated,
    Failed,
    Notice,
    Over,
    Sent,
)

FOLDER = "notices"
"""In a campaign's directory; held by the one who tells."""
FILE = "notices.sqlite"
TABLE = "notices"
HOUR_S = 3600.0


class Told:
    """What the entries so far amount to."""

    def __init__(self) -> None:
        self.begun: Begun | None = None
        self.notices: dict[str, Notice] = {}
        self.over: dict[str, Over] = {}
        self.escalated: dict[str, Escalated] = {}
        self.waiting: defaultdict[str, list[str]] = defaultdict(list)
        """By channel: the ids of notices that it hasn't taken yet."""
        self.sent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=3600))
        """By channel: when (wall time, s) it took its last messages."""
        self.reached: dict[str, float] = {}
        """By notice: when (wall time, s) the first channel took it."""
        self.failures: defaultdict[str, int] = defaultdict(int)
        """By channel: how often in a row it has failed."""
        self.not_before: defaultdict[str, float] = defaultdict(float)
        self.reasons: dict[str, str] = {}
        """By channel: why it failed last, while it does."""

    def take(self, entry: Entry) -> None:
        """Take in what has happened."""
        match entry:
            case Begun():
                self.begun = entry
            case Notice(id=name, to=to):
                self.notices[name] = entry
                self._wait(name, to)
            case Over(id=name):
                self.over[name] = entry
            case Escalated(id=name, to=to):
                self.escalated[name] = entry
                self._wait(name, to)
            case Sent():
                self._sent(entry)
            case Failed(channel=channel, until=until, reason=reason):
                self.failures[channel] += 1
                self.not_before[channel] = until
                self.reasons[channel] = reason
            case Dropped(channel=channel, notices=notices):
                self._done(channel, notices)

    def sent_since(self, channel: str, since: float) -> int:
        """Return how many messages *channel* has taken after *since* (wall time, s)."""
        return sum(at > since for at in self.sent[channel])

    def _wait(self, name: str, to: tuple[str, ...]) -> None:
        for channel in to:
            if name not in self.waiting[channel]:
                self.waiting[channel].append(name)

    def _sent(self, entry: Sent) -> None:
        self._done(entry.channel, entry.notices)
        self.sent[entry.channel].append(entry.at)
        self.failures[entry.channel] = 0
        self.not_before[entry.channel] = 0.0
        self.reasons.pop(entry.channel, None)
        for name in entry.notices:
            self.reached.setdefault(name, entry.at)

    def _done(self, channel: str, notices: tuple[str, ...]) -> None:
        self.waiting[channel] = [n for n in self.waiting[channel] if n not in notices]


class Ledger:
    """The record of one campaign's notices, and what it amounts to (``told``)."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.told = Told()
        for entry in entries_of(chain):
            self.told.take(entry)

    @classmethod
    def open(cls, directory: Path) -> "Ledger":
        """Open that of the campaign in *directory*, or begin it.

        Raises JournalBroken where it was changed, JournalUnwritable where nothing can be written.
        """
        (directory / FOLDER).mkdir(parents=True, exist_ok=True)
        return cls(Chain.open(directory / FOLDER / FILE, TABLE))

    def write(self, entry: Entry, now: float) -> None:
        """Put *entry* on disk at *now* (wall time, s), and take it in."""
        self._chain.append(now, in_order(entry.model_dump(mode="json")))
        self.told.take(entry)

    def close(self) -> None:
        """Close the file."""
        self._chain.close()


def entries_of(chain: Chain) -> Iterator[Entry]:
    """Yield every entry of *chain*; raises JournalBroken for what is none."""
    for link in chain.links():
        try:
            yield ENTRY.validate_json(link.payload)
        except ValidationError as error:
            raise JournalBroken(
                f"{chain.name}: record {link.sequence} is no notice of this version: "
                f"{error.errors()[0]['msg']}"
            ) from error


def has_ledger(directory: Path) -> bool:
    """Whether notices were ever kept for the campaign in *directory*."""
    return (directory / FOLDER / FILE).is_file()


def read(directory: Path) -> list[Entry]:
    """Return all entries of the campaign in *directory*, checked; none where nothing was told."""
    path = directory / FOLDER / FILE
    if not has_ledger(directory) or TABLE not in tables(path):  # just being begun
        return []
    chain = Chain.read(path, TABLE)
    try:
        return list(entries_of(chain))
    finally:
        chain.close()
