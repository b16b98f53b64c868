"""The journal's records as far as they are written, read on from where reading ended last."""

from dataclasses import replace
from pathlib import Path

from controller.chain import Chain
from controller.errors import JournalBroken
from controller.events import CampaignStarted
from controller.journal import FILE, Journal, Record, require_campaign


class Records:
    """All records of the campaign in *directory*, without the snapshots of a simulated bench.

    Raises NoCampaign where there is no journal, JournalBroken when its chain is broken.
    """

    def __init__(self, directory: Path) -> None:
        require_campaign(directory)
        self._directory = directory
        self._journal = Journal(Chain.follow(directory / FILE, "events"))
        self._records: list[Record] = []

    def catch_up(self) -> list[Record]:
        """Return every record there is now; raises JournalBroken when the first is no start."""
        for record in self._journal.records(after=len(self._records)):
            self._records.append(_without_bench(record))
        if not self._records or not isinstance(self._records[0].event, CampaignStarted):
            raise JournalBroken(f"{self._directory}: its journal doesn't begin with a campaign")
        return self._records

    def close(self) -> None:
        """Close the file."""
        self._journal.close()


def _without_bench(record: Record) -> Record:
    if not getattr(record.event, "bench", None):
        return record
    return replace(record, event=record.event.model_copy(update={"bench": {}}))
