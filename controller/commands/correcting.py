"""People's words: points to try, and results they tell, amend, retract or must decide about.

Taken by the process that runs the campaign, if one does; else written into the journal here.
"""

import getpass
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer

from agents.space import Space
from controller.benches import words_of
from controller.corrections import reason_against
from controller.documents import finished_runs
from controller.errors import CampaignInUse, ConfigurationError
from controller.events import (
    Event,
    ExperimentResolved,
    ObservationAmended,
    ObservationRetracted,
    PointProposed,
)
from controller.history import fold, resolved_of
from controller.journal import Journal, locked, read, require_campaign
from controller.processes.launch import FILE, FOLDER, Launch
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.telling import (
    Row,
    Told,
    campaigned,
    events_of,
    experiment_of,
    measured_of,
    pair_of,
    point_of,
    rows_of,
)
from controller.terms import terms_of

OK = 0
BRIEFLY_S = 30.0
"""How long another person, or what starts a campaign, may hold its directory (real seconds)."""
POLL_S = 0.1
TIMEOUT_S = 60.0
"""How long the process that runs a campaign may take to journal what it is sent (real seconds)."""

Make = Callable[[CampaignState], Sequence[Event]]
"""Returns a person's events for a campaign in this state; raises ConfigurationError."""


class Outcome(StrEnum):
    """What a person says of an experiment whose end nobody saw."""

    DONE = "done"
    NOT_DONE = "not-done"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Results:
    """What `heliostat tell` is given: a table, or one point (or experiment) and its values."""

    csv: Path | None = None
    at: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    experiment: str = ""


def tell(directory: Path, results: Results, reason: str, person: str | None = None) -> int:
    """Take in what was measured elsewhere, or came later; return the exit code."""
    if (results.csv is None) == (not results.values):
        raise ConfigurationError("tell: give either --csv FILE, or --value name=mean±sigma")
    if results.csv is not None and (results.at or results.experiment):
        raise ConfigurationError("tell: --at and --experiment stand in the table with --csv")
    who, space = _person(person), _space(directory)

    def make(state: CampaignState) -> Sequence[Event]:
        campaign = campaigned(state, space)
        if results.csv is not None:
            told = Told(rows_of(results.csv, campaign), str(results.csv), who, reason)
        else:
            values = dict(map(measured_of, results.values))
            row = Row(None, results.experiment, dict(map(pair_of, results.at)), values)
            told = Told([row], "tell", who, reason)
        return events_of(told, campaign)

    return _say(directory, reason, make)


def suggest(directory: Path, at: Sequence[str], reason: str, person: str | None = None) -> int:
    """Have a person's point tried next, before what the agent would suggest."""
    point = point_of(at, _space(directory))
    proposal = PointProposed(parameters=point, person=_person(person), reason=reason)
    return _say(directory, reason, lambda _state: [proposal])


def amend(
    directory: Path, experiment: str, values: Sequence[str], reason: str, person: str | None = None
) -> int:
    """Correct values of an experiment; return the exit code."""
    given = dict(map(measured_of, values))
    if not given:
        raise ConfigurationError("amend: give at least one --value name=mean±sigma")

    def make(state: CampaignState) -> Sequence[Event]:
        known = campaigned(state, _space(directory)).values
        wrong = [name for name in given if name not in known]
        if wrong:
            raise ConfigurationError(f"amend: no value {wrong[0]!r}; known: {', '.join(known)}")
        name = experiment_of(state, experiment)
        return [
            ObservationAmended(
                experiment_id=name, values=given, person=_person(person), reason=reason
            )
        ]

    return _say(directory, reason, make)


def retract(directory: Path, experiment: str, reason: str, person: str | None = None) -> int:
    """Take the observation of an experiment back; return the exit code."""

    def make(state: CampaignState) -> Sequence[Event]:
        name = experiment_of(state, experiment)
        return [ObservationRetracted(experiment_id=name, person=_person(person), reason=reason)]

    return _say(directory, reason, make)


def resolve(
    directory: Path, experiment: str, outcome: Outcome, reason: str, person: str | None = None
) -> int:
    """Say what became of an experiment that was cut off; return the exit code."""

    def make(state: CampaignState) -> Sequence[Event]:
        name = experiment_of(state, experiment)
        runs = finished_runs(directory, {"experiment_id": name}) if outcome is Outcome.DONE else ()
        word = ExperimentResolved.model_validate(
            {
                "experiment_id": name,
                "outcome": outcome.value.replace("-", "_"),
                "person": _person(person),
                "reason": reason,
                "runs": runs,
            }
        )
        return [word]

    return _say(directory, reason, make)


def _space(directory: Path) -> Space:
    return words_of(resolved_of(read(directory), directory)).space


def _person(person: str | None) -> str:
    return person or getpass.getuser()


def _say(directory: Path, reason: str, make: Make) -> int:
    """Have the events of *make* journalled, by whoever runs the campaign or here."""
    if not reason.strip():
        raise ConfigurationError("--reason: say why, in a few words; it stands in the journal")
    require_campaign(directory)
    for sequence in _journalled(directory, make):
        typer.echo(f"{directory}: journalled as record {sequence}")
    return OK


def _journalled(directory: Path, make: Make) -> list[int]:
    deadline = time.monotonic() + BRIEFLY_S
    while True:
        try:
            with locked(directory):
                return _write(directory, make)
        except CampaignInUse as error:
            address = _address(directory)
            if address:
                return _send(directory, make, address)
            if time.monotonic() >= deadline:
                raise ConfigurationError(
                    f"{error}. Nothing can be sent to it: a campaign that it runs --inline is "
                    "ended with Ctrl-C; say it then, and go on with `heliostat resume`"
                ) from error
        time.sleep(POLL_S)


def _address(directory: Path) -> str:
    """Return where the process that runs the campaign takes words; empty where none does.

    (A directory that was copied names the processes of the one that it was copied from.)
    """
    path = directory / FOLDER / FILE
    if not path.is_file():
        return ""
    launch = Launch.read(path)
    its = launch.directory == directory.resolve() and launch.socket("controller").exists()
    return launch.address("controller") if its else ""


def _write(directory: Path, make: Make) -> list[int]:
    """Append the events to the journal of a campaign that nobody runs; all are checked before."""
    journal = Journal.open(directory)
    try:
        records = list(journal.records())
        resolved = resolved_of(records, directory)
        state = fold(records, terms_of(resolved.campaign, words_of(resolved).objectives))
        events = make(state)
        for event in events:
            _require(state, event)
        stamp = now_of(resolved, state)
        return [journal.append(stamp, event).sequence for event in events]
    finally:
        journal.close()


def _require(state: CampaignState, event: Event) -> None:
    reason = reason_against(state, event)
    if reason:
        raise ConfigurationError(reason)


def now_of(resolved: ResolvedCampaign, state: CampaignState) -> float:
    """Return the campaign's time: a twin's stands still while nobody runs it."""
    return state.latest if resolved.beamline.twin is not None else max(state.latest, time.time())


def _send(directory: Path, make: Make, address: str) -> list[int]:
    """Send the events to the process that runs the campaign in *directory*."""
    from controller.bus.delivery import Caller
    from controller.bus.messages import Failed, Take, Taken

    records = read(directory)
    resolved = resolved_of(records, directory)
    events = make(fold(records, terms_of(resolved.campaign, words_of(resolved).objectives)))
    caller = Caller(address, "person")
    sequences = []
    try:
        for event in events:
            answer = caller.call(Take(event=event), TIMEOUT_S)
            if isinstance(answer, Taken):
                sequences.append(answer.sequence)
            else:
                why = answer.reason if isinstance(answer, Failed) else f"answered {answer.kind}"
                raise ConfigurationError(f"{why} ({len(sequences)} of {len(events)} were taken)")
    finally:
        caller.close()
    return sequences
