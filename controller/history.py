"""What a campaign's records tell: how it began, and its state after them all."""

from functools import reduce
from pathlib import Path

from controller.errors import JournalBroken
from controller.events import CampaignRevised, CampaignStarted
from controller.folding import apply
from controller.journal import Record
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.terms import Terms


def started_of(records: list[Record], directory: Path) -> CampaignStarted:
    """Return the first event; raises JournalBroken when it isn't a campaign's start."""
    if not records:
        raise JournalBroken(
            f"{directory}: its journal is empty: the campaign was ended before it began, and "
            "nothing is lost. Begin it again with `heliostat run`"
        )
    if not isinstance(records[0].event, CampaignStarted):
        raise JournalBroken(f"{directory}: its journal doesn't begin with a campaign's start")
    return records[0].event


def resolved_of(records: list[Record], directory: Path) -> ResolvedCampaign:
    """Return the campaign in force: as it began, or as it was last revised.

    Raises JournalBroken when the first event isn't a campaign's start.
    """
    started = started_of(records, directory)
    revised = [r.event.campaign for r in records if isinstance(r.event, CampaignRevised)]
    return ResolvedCampaign.model_validate(revised[-1] if revised else started.campaign)


def fold(records: list[Record], terms: Terms) -> CampaignState:
    """Return the state that *records* tell."""
    return reduce(lambda s, r: apply(s, r.event, r.stamp), records, CampaignState(terms))
