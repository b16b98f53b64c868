"""Follows the journal of a campaign that another process runs: reads it, never writes."""

from pathlib import Path

from controller.chain import Chain
from controller.errors import JournalBroken
from controller.folding import apply
from controller.journal import FILE, Journal
from controller.loop import Listener
from controller.state import CampaignState
from controller.terms import Terms


class Follower:
    """Tells a listener of each record past number *known*, with the state after it."""

    def __init__(self, directory: Path, terms: Terms, listener: Listener, known: int = 0) -> None:
        self._chain = Chain.follow(directory / FILE, "events")
        self._journal = Journal(self._chain)
        self._listener = listener
        self._told = 0
        self._known = known
        self.state = CampaignState(terms)

    def catch_up(self) -> int:
        """Tell of what is new, and return how many records that was."""
        before = self._told
        for record in self._journal.records(after=self._told):
            if record.sequence != self._told + 1:
                raise JournalBroken(f"{self._chain.name}: there is a gap before {record.sequence}")
            self.state = apply(self.state, record.event, record.stamp)
            self._told = record.sequence
            if record.sequence > self._known:
                self._listener(record, self.state)
        return self._told - before

    def close(self) -> None:
        """Close the file."""
        self._journal.close()
