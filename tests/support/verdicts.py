"""What is wrong with a campaign that was besieged: by its directory, and compared with a whole one.

A whole one is the same campaign, never disturbed.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.archive.archiver import MARK, connected
from controller.archive.following import catalog_of
from controller.chain import Chain, require_sound
from controller.documents import read_run
from controller.errors import ControllerError
from controller.events import (
    CampaignStopped,
    Event,
    ExperimentFinished,
    ExperimentResolved,
    ExperimentStarted,
    ObservationMade,
    SuggestionMade,
)
from controller.journal import FILE, read
from controller.terms import Stop

UNMEASURED = "unmeasured"
"""Stands for the values of an experiment that failed, or that a person gave up."""


def wrongs(directory: Path, whole: Path) -> list[str]:
    """Return what is wrong with the campaign in *directory*, compared with the *whole* one.

    The chains hold; every experiment has one observation, none is counted twice; the documents of
    every run that counts are there; decisions, observations and end are those of the whole one.
    A failed experiment is excused here, and counted by ``unmeasured``.
    """
    try:
        require_sound(directory / FILE)
        gate = directory / "gate.sqlite"
        if gate.exists():
            require_sound(gate)
            Chain.read(gate, "writes").close()
        events = events_of(directory)
        return [
            *_miscounted(events),
            *_without_documents(directory, events),
            *_other(events, whole),
        ]
    except ControllerError as error:
        return [f"{type(error).__name__}: {error}"]


def events_of(directory: Path) -> list[Event]:
    """Return all events of the campaign in *directory*; its chain is checked."""
    return [record.event for record in read(directory)]


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """Return what was decided, learnt and ended for, without ids of runs and of the campaign."""
    kept: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, SuggestionMade):
            kept.append(("suggested", dict(event.suggestion.parameters)))
        elif isinstance(event, ObservationMade):
            one = event.observation
            values = {n: (v.mean, v.sigma) for n, v in one.values.items()} or UNMEASURED
            kept.append(("observed", dict(one.parameters), values))
        elif isinstance(event, CampaignStopped):
            kept.append(("stopped", event.reason))
    return kept


def unmeasured(events: list[Event]) -> list[str]:
    """Return why each experiment without values has none."""
    return [
        "; ".join(e.observation.quality.reasons)
        for e in events
        if isinstance(e, ObservationMade) and not e.observation.values
    ]


def resolved(events: list[Event]) -> int:
    """Return how often a person had to say what became of an experiment."""
    return sum(isinstance(event, ExperimentResolved) for event in events)


def uncatalogued(directory: Path) -> list[str]:
    """Return the runs that the journal counts and the catalog in *directory* lacks."""
    with catalog_of(directory) as catalog, connected(catalog) as client:
        marks = {uid: node.metadata.get(MARK) for uid, node in client.items()}
    return [
        f"run {run}: {'is not whole' if run in marks else 'is not'} in the catalog"
        for event in events_of(directory)
        if isinstance(event, ObservationMade)
        for run in event.observation.runs
        if not marks.get(run)
    ]


def _miscounted(events: list[Event]) -> Iterator[str]:
    observed = [e.observation for e in events if isinstance(e, ObservationMade)]
    started = [e for e in events if isinstance(e, ExperimentStarted)]
    counts = Counter(one.experiment for one in observed)
    names = dict.fromkeys(e.experiment_id for e in started)
    yield from (f"{n}: observed {counts[n]} times" for n in names if counts[n] != 1)
    yield from (f"{n}: never started, yet observed" for n in counts if n not in names)
    runs = Counter(run for one in observed for run in one.runs)
    yield from (f"run {run}: counted {n} times" for run, n in runs.items() if n > 1)
    for what, found in (
        ("finished", (e.experiment_id for e in events if isinstance(e, ExperimentFinished))),
        ("suggested", (e.suggestion.id for e in events if isinstance(e, SuggestionMade))),
        ("started", ((e.experiment_id, e.attempt) for e in started)),
    ):
        yield from (f"{one}: {what} {n} times" for one, n in Counter(found).items() if n > 1)


def _without_documents(directory: Path, events: list[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, ObservationMade):
            for run in event.observation.runs:
                try:
                    read_run(directory, run)
                except ControllerError as error:
                    yield str(error)


def _other(events: list[Event], whole: Path) -> Iterator[str]:
    """Yield what was decided, observed or ended for otherwise than in the *whole* campaign."""
    stops = (Stop.UNDECIDED, Stop.LOST, Stop.FAILURES)
    mine = [one for one in told(events) if one not in [("stopped", str(s)) for s in stops]]
    theirs = told(events_of(whole))
    if len(mine) != len(theirs):
        yield f"{len(mine)} decisions, observations and ends, {len(theirs)} in the whole campaign"
    for number, (one, other) in enumerate(zip(mine, theirs, strict=False), start=1):
        same = one == other or (one[0] == "observed" and (*one[:2], UNMEASURED) == one)
        if not same:
            yield f"{number}: {one} instead of {other}"
            return
