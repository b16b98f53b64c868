"""The calls that change nothing."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from controller.console.access import Here, Reader
from controller.console.errors import Refusal
from controller.console.sources import Source, entry_of
from controller.console.watch import as_json
from controller.documents import read_run
from controller.errors import JournalBroken

NDJSON = "application/x-ndjson"
MOST = 1000
router = APIRouter()

After = Annotated[int, Query(ge=0, le=2**53, description="begin past this number")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="so many at most")]
CampaignId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z_.-]+$")]
Known = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z_.-]+$")]
Json = dict[str, Any]


@router.get("/about")
def about(console: Here) -> Json:
    """What this is: version, whether the bench is simulated, the epoch of the stream's numbers."""
    return console.about()


@router.get("/healthz")
def healthz() -> Json:
    """Whether the console itself lives; it says nothing of the campaign."""
    return {"status": "ok"}


@router.get("/status")
def status(console: Here, _who: Reader) -> Json:
    """How campaign and gate stand, in one word and at length."""
    return {**console.watch.standing, "epoch": console.numbering.epoch, "seq": console.hub.seq}


@router.get("/campaigns")
def campaigns(console: Here, _who: Reader) -> Json:
    """The campaigns that this console shows: one."""
    return {"campaigns": [console.view.summary()]}


@router.get("/campaigns/{campaign}")
def campaign_in_short(campaign: CampaignId, console: Here, _who: Reader) -> Json:
    """A campaign in short: goal, progress, best, why it stopped."""
    console.view.require(campaign)
    return console.view.summary()


@router.get("/campaigns/{campaign}/experiments")
def experiments(
    campaign: CampaignId, console: Here, _who: Reader, after: After = 0, limit: Limit = 100
) -> Json:
    """Experiments in the order in which they came, a page of them."""
    console.view.require(campaign)
    return console.view.experiments(after, limit)


@router.get("/campaigns/{campaign}/best")
def best(campaign: CampaignId, console: Here, _who: Reader) -> Json:
    """The best observation so far."""
    console.view.require(campaign)
    return console.view.best()


@router.get("/campaigns/{campaign}/budget")
def budget(campaign: CampaignId, console: Here, _who: Reader) -> Json:
    """What there is to use up, and what is used."""
    console.view.require(campaign)
    return console.view.budget()


@router.get("/suggestions/{suggestion}/why")
def why(suggestion: Known, console: Here, _who: Reader) -> Json:
    """Why a point was chosen, as it was recorded: prediction, acquisition, runners-up, verdict."""
    return console.view.why(suggestion)


@router.get("/events", response_class=StreamingResponse)
def events(
    console: Here,
    _who: Reader,
    after: After = 0,
    limit: Limit = MOST,
    source: Annotated[
        Literal["journal", "gate", "console"],
        Query(description="the campaign's journal, the gate's record, or the console's own log"),
    ] = "journal",
) -> StreamingResponse:
    """Records past number *after* of one source, one JSON object in a line (NDJSON)."""
    return StreamingResponse(_lines(console.sources[source], after, limit), media_type=NDJSON)


@router.get("/documents", response_class=StreamingResponse)
def documents(
    console: Here,
    _who: Reader,
    run: Annotated[str, Query(max_length=64, pattern=r"^[0-9a-f-]{36}$", description="its uid")],
) -> StreamingResponse:
    """The bluesky documents of a finished run, `[name, document]` in each line (NDJSON)."""
    try:
        found = read_run(console.directory, run)
    except JournalBroken as error:
        raise Refusal(404, "no_run", f"no finished run {run} here") from error
    lines = (json.dumps([name, as_json(document)]) + "\n" for name, document in found)
    return StreamingResponse(lines, media_type=NDJSON)


def _lines(source: Source, after: int, limit: int) -> Iterator[str]:
    left = limit
    while left > 0 and (links := source.after(after, min(left, 500))):
        for link in links:
            entry = entry_of(source, link, json.loads(link.payload))
            yield json.dumps(entry, ensure_ascii=False) + "\n"
        after, left = links[-1].sequence, left - len(links)
