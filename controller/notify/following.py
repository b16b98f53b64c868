"""Follows the journal and the gate's record of a campaign, and has people told."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import words_of
from controller.chain import Link, peek
from controller.errors import ControllerError, JournalBroken
from controller.files.notifying import Notify
from controller.history import resolved_of
from controller.journal import Record, locked
from controller.journal import read as read_journal
from controller.notify.asked import questions
from controller.notify.ledger import FOLDER, Ledger
from controller.notify.message import Sender
from controller.notify.notices import Begun, Notice
from controller.notify.story import BEGINS, Change, Story
from controller.notify.telling import Teller
from controller.recorded.following import Follower
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.terms import terms_of

LOOK_S = 0.5
"""How often it is looked whether something is to be told (real seconds)."""
LAST_S = 15.0
"""So long the last pass may take (real seconds); what isn't told then waits on record."""
ASKED = 2
"""One question is open at a time: the last, and that before it may have been answered meanwhile."""
PAGE = 1000
"""So many records of the gate are read at once."""
_TOLD_BY_GATE = (b'"step"', b'"started"', b'"safe"')
"""Kinds of the gate's records of which one may have to be told."""

_log = logging.getLogger("heliostat.notify")


class Notifier:
    """Tells people of the campaign *resolved* in *directory*, by what its records say.

    *campaign_s* returns campaign time, None where nobody but the records knows it.
    """

    def __init__(
        self,
        directory: Path,
        resolved: ResolvedCampaign,
        teller: Teller,
        campaign_s: Callable[[], float] | None = None,
    ) -> None:
        self._directory = directory
        self._teller = teller
        self._campaign_s = campaign_s
        notify = resolved.campaign.notify
        self._story = Story(str(directory), notify.no_progress_s if notify else None)
        self._gate_read = 0
        words = words_of(resolved)
        self._told = teller.told.begun
        self._heard: list[tuple[Record, CampaignState]] = []
        terms = terms_of(resolved.campaign, words.objectives)
        self._journal = Follower(directory, terms, lambda *heard: self._heard.append(heard))

    def step(self) -> None:
        """Look what has happened, and tell what is to be told now."""
        self._look()
        self._teller.step()

    def finish(self, *, cut_off: bool = False) -> tuple[str, ...]:
        """Look a last time, tell all that waits, and return what could not be told.

        *cut_off* says that what watched over the campaign has died, which is told too.
        """
        self._look()
        if cut_off:
            self._take(self._story.cut_off(), news=True)
        return self._teller.finish(LAST_S)

    def follow(
        self, stopping: threading.Event, cut_off: threading.Event | None = None
    ) -> tuple[str, ...]:
        """Tell until *stopping* is set, then a last time; return what could not be told.

        *cut_off* is set by then where what watched over the campaign has died.
        """
        while not stopping.is_set():
            self.step()
            stopping.wait(LOOK_S)
        return self.finish(cut_off=cut_off is not None and cut_off.is_set())

    def close(self) -> None:
        """Part from the journal."""
        self._journal.close()

    def _look(self) -> None:
        self._journal.catch_up()
        heard, self._heard = self._heard, []
        gate = self._gate_links()
        if self._told is None:
            self._told = _first(self._directory, [record for record, _ in heard])
            self._teller.begin(self._told)
        begun = self._told
        for record, state in heard:
            news = record.sequence > begun.journal
            self._take(self._story.journal(record, state), news=news)
        for link in gate:
            changes = self._story.gate(link.sequence, json.loads(link.payload))
            self._take(changes, news=link.sequence > begun.gate)
        for question in questions(self._directory)[-ASKED:]:
            self._take(self._story.asked(question), news=question.answer is None)
        if self._campaign_s is not None:
            self._take(self._story.quiet(self._campaign_s()), news=True)

    def _take(self, changes: Iterator[Change], *, news: bool) -> None:
        found = list(changes)
        self._teller.take(one for one in found if news or not isinstance(one, Notice))

    def _gate_links(self) -> list[Link]:
        found = []
        for link in gate_links(self._directory, self._gate_read):
            self._gate_read = link.sequence
            if any(kind in link.payload for kind in _TOLD_BY_GATE):
                found.append(link)
        return found


def gate_links(directory: Path, after: int) -> Iterator[Link]:
    """Yield the gate's records past number *after*; none where there are none yet."""
    path = directory / GATE_FILE
    while path.is_file():
        try:
            page = peek(path, AUDIT_TABLE, after, PAGE)
        except JournalBroken as error:  # just being begun; `heliostat verify` judges it
            _log.info("%s", error)
            return
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].sequence


def _first(directory: Path, records: list[Record]) -> Begun:
    """Return after which records it is news: from where the campaign was last begun or resumed."""
    begun = [record for record in records if isinstance(record.event, BEGINS)]
    if not begun:
        return Begun(journal=0, gate=0)
    old = [link for link in gate_links(directory, 0) if link.stamp < begun[-1].stamp]
    return Begun(journal=begun[-1].sequence - 1, gate=old[-1].sequence if old else 0)


@contextmanager
def notifier(
    directory: Path, campaign_s: Callable[[], float] | None = None
) -> Iterator[Notifier | None]:
    """Give what tells of the campaign in *directory*; None where nobody is to be told.

    Raises CampaignInUse where another process does, JournalError where records can't be read.
    """
    resolved = resolved_of(read_journal(directory), directory)
    notify = resolved.campaign.notify
    if notify is None:
        yield None
        return
    with (
        locked(directory / FOLDER),
        closing(Ledger.open(directory)) as ledger,
        closing(_teller(directory, resolved, notify, ledger)) as teller,
        closing(Notifier(directory, resolved, teller, campaign_s)) as found,
    ):
        yield found


def _teller(directory: Path, resolved: ResolvedCampaign, notify: Notify, ledger: Ledger) -> Teller:
    simulated = resolved.beamline.twin is not None
    sender = Sender(resolved.campaign.name, str(directory), simulated)
    return Teller(notify, ledger, sender)


@contextmanager
def told_beside(
    directory: Path, notify: Notify | None, say: Callable[[str], None]
) -> Iterator[None]:
    """Have people told of the campaign in *directory* by a thread, for campaigns of one process.

    *say* hears what could not be told. Nothing that goes wrong there is the campaign's matter.
    """
    if notify is None:
        yield
        return
    stopping = threading.Event()

    def tell() -> None:
        try:
            with notifier(directory) as found:
                if found is not None:
                    for line in found.follow(stopping):
                        say(f"not told: {line}")
        except ControllerError as error:
            say(f"nobody is told: {error}")

    thread = threading.Thread(target=tell, name="notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(LAST_S + LAST_S)
