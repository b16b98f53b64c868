"""How a campaign begins, and what follows from its file alone, in one process and in many."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ophyd_async.core import NotConnectedError

from agents.protocols import Reducer
from agents.space import Space
from controller.bench.bench import Routine
from controller.benches import Words, envelope_of
from controller.errors import ConfigurationError, EngineError
from controller.events import CampaignStarted
from controller.files.beamline import Beamline
from controller.files.campaign import Campaign
from controller.journal import Journal
from controller.plans.planning import settle_call, upkeep_calls
from controller.recorded.revising import digests_of
from controller.reducers import build_reducer
from controller.resolving import ResolvedCampaign
from controller.seam import derived_id
from controller.state import CampaignState
from controller.versions import versions
from controller.watching import Watch

OUTCOME_KEY = "bench-outcome-{}"
"""The data key of a recorded bench's outcome."""


def require_new(journal: Journal, directory: Path) -> None:
    """Raise ConfigurationError when *journal*, in *directory*, holds a campaign."""
    if len(journal):
        raise ConfigurationError(
            f"{directory}: holds a campaign already; give another directory with --data, "
            f"or go on with `heliostat resume {directory}`"
        )


def started(resolved: ResolvedCampaign, space: Space, now: float) -> CampaignStarted:
    """Return the first event of the campaign *resolved*, begun at campaign time *now* (s)."""
    campaign = resolved.campaign
    return CampaignStarted(
        campaign_id=derived_id(resolved.model_dump_json(), campaign.seed, now),
        campaign=resolved.model_dump(mode="json"),
        seed=campaign.seed,
        limits=envelope_of(resolved, space).digest(),
        versions=versions(),
        digests=digests_of(resolved),
    )


def about(resolved: ResolvedCampaign, state: CampaignState) -> dict[str, Any]:
    """Return what every start document says of its campaign."""
    return {
        "campaign": resolved.campaign.name,
        "campaign_id": state.campaign_id,
        "beamline": resolved.beamline.name,
        "seed": state.seed,
    }


def routine_of(campaign: Campaign, devices: Mapping[str, Any]) -> Routine:
    """Return what *campaign* does beside its experiments, and when it may measure.

    Its conditions are on signals of *devices*; raises ConfigurationError for one that isn't there.
    """
    when = campaign.measure_when
    watch = None if when is None else Watch(when.conditions(), devices)
    return Routine(upkeep_calls(campaign), settle_call(campaign), watch)


@contextmanager
def connecting(beamline: Beamline) -> Iterator[None]:
    """Let a block connect to *beamline*; EngineError says what to look at where it can't."""
    try:
        yield
    except NotConnectedError as error:
        raise EngineError(
            f"beamline {beamline.name!r}: could not connect: {error}; are its IOCs up, "
            f"and is the prefix {beamline.prefix!r} right?"
        ) from error


def reducer_of(resolved: ResolvedCampaign, words: Words) -> Reducer:
    """Return the reducer that the campaign names; that of the outcomes for a recorded table."""
    chosen = resolved.campaign.reducer
    if chosen is not None:
        return build_reducer(chosen.name, chosen.options)
    keys = {o.name: OUTCOME_KEY.format(o.name) for o in words.objectives}
    return build_reducer("columns", {"keys": keys})


def until(campaign: Campaign) -> float | None:
    """Return when everything must have ended (seconds since 1970), None for no such time."""
    return None if campaign.until is None else campaign.until.timestamp()
