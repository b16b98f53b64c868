"""What people tell the gate: acknowledge, reset, approve, hold, go on, bypass, take, return."""

import os
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import words_of
from controller.bus.gate_status import Status
from controller.commands.correcting import now_of
from controller.commands.safety_reaching import clerk, the_campaign
from controller.commands.safety_words import causes, safe_words
from controller.errors import ConfigurationError, GateLost
from controller.history import fold, resolved_of
from controller.journal import locked, read, require_campaign
from controller.processes.launch import FOLDER
from controller.resolving import ResolvedCampaign
from controller.safety.audit import Audit
from controller.safety.cleaning import cleaned
from controller.safety.commands import Accepted, Acknowledge, Act, Approve, ShowStatus
from controller.safety.course import Course, Word
from controller.safety.desk_client import ActRefused, Clerk
from controller.safety.machine import Facts, Input, State
from controller.safety.marker import Marker
from controller.safety.people import Principal, Scope
from controller.safety.people_file import Roster
from controller.safety.recorder import Recorder
from controller.safety.signed_chain import SignedChain, require_signed
from controller.safety.signing import Signer
from controller.safety.stood_still import StoodStill
from controller.terms import terms_of
from controller.units import seconds

M = TypeVar("M", bound=BaseModel)
OK = 0


def tell(directory: Path | None, act: Act) -> int:
    """Have *act* done by the gate of the campaign in *directory*; return the exit code."""
    place = the_campaign(directory)
    with clerk(place) as desk:
        _say(place, act, desk.ask(act))
    return OK


def acknowledge(directory: Path | None) -> int:
    """Show what has tripped and acknowledge all of it; return the exit code."""
    place = the_campaign(directory)
    try:
        desk = clerk(place)
    except GateLost:
        return _on_record(place, Input.ACKNOWLEDGE, "")
    with desk:
        status = status_from(desk)
        for line in (*causes(status), *safe_words(status)):
            typer.echo(line)
        act = Acknowledge(occurrence=max(status.occurrence, 1))
        _say(place, act, desk.ask(act))
    return OK


def reset(directory: Path | None, act: Act, reason: str) -> int:
    """Release the latch, by the gate or (none runs) in its record; return the exit code."""
    place = the_campaign(directory)
    try:
        desk = clerk(place)
    except GateLost:
        return _on_record(place, Input.RESET, reason)
    with desk:
        _say(place, act, desk.ask(act))
    return OK


def approve(directory: Path | None, digest: str | None, for_s: float) -> int:
    """Approve *digest*, or what is waiting for approval; return the exit code."""
    place = the_campaign(directory)
    with clerk(place) as desk:
        status = status_from(desk)
        wanted = digest or status.approving
        if not wanted:
            raise ConfigurationError(f"{place}: nothing waits for an approval; name its digest")
        if status.plan and wanted == status.approving:
            typer.echo(f"{place}: what is asked for: {cleaned(status.plan)}, digest {wanted}")
        act = made(Approve, digest=wanted, for_s=for_s)
        _say(place, act, desk.ask(act))
    return OK


def status_from(desk: Clerk) -> Status:
    """Return what the gate says of itself; raises GateLost when it isn't of this version."""
    try:
        return Status.model_validate(desk.ask(ShowStatus()).data)
    except ValueError as error:
        raise GateLost(f"the gate's status can't be read: {cleaned(str(error))}") from error


def made(model: type[M], **said: object) -> M:
    """Return *model* with what was *said*; ConfigurationError when it isn't accepted."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"--{key}: {first['msg']}") from error


def for_seconds(text: str) -> float:
    """Return a duration such as ``2 h`` in seconds; raises UnitError."""
    return seconds(text)


def _say(place: Path, act: Act, answer: Accepted) -> None:
    text = cleaned(answer.text) or "done"
    typer.echo(f"{place}: {act.verb.replace('_', ' ')}: {text}")
    if isinstance(answer.data, list):
        for line in answer.data:
            typer.echo(f"  {cleaned(str(line))}")


def _on_record(directory: Path, what: Input, reason: str) -> int:
    """Take the step *what* in the record of a campaign in one process that doesn't run.

    It opens nothing: arming looks at every rule anew before anything can be written.
    """
    require_campaign(directory)
    if (directory / FOLDER).is_dir():
        raise GateLost(
            f"{directory}: no gate runs for it. `heliostat resume {directory}` starts one, which "
            f"stands as the last one did; then `heliostat {what.value}` again, from another shell"
        )
    if not (directory / GATE_FILE).is_file():
        raise GateLost(f"{directory}: no gate has run for it yet: nothing is latched")
    with locked(directory):
        records = read(directory)
        resolved = resolved_of(records, directory)
        by = somebody(resolved)
        state = fold(records, terms_of(resolved.campaign, words_of(resolved).objectives))
        with closing(SignedChain.open(directory / GATE_FILE, AUDIT_TABLE)) as chain:
            if require_signed(chain).count:
                chain.sign_with(Signer.of_user())
            audit = Audit(chain, StoodStill(now_of(resolved, state)))
            course = Course(audit, Marker(directory), Recorder(), _nothing)
            _take(directory, course, what, Word(by.name, reason), by)
    return OK


def _take(directory: Path, course: Course, what: Input, word: Word, by: Principal) -> None:
    if course.state is not State.LATCHED:
        raise ActRefused(f"{directory}: the gate stood {course.state.value}: nothing is latched")
    typer.echo(f"{directory}: latched for: {cleaned(str(course.trip.cause or 'unknown'))}")
    scope = Scope.ACKNOWLEDGE if what is Input.ACKNOWLEDGE else Scope.RESET
    taken = course.take(what, Facts(role=by.may(scope), no_trip=True), word)
    if not taken.taken:
        against = "; ".join(guard.value for guard in taken.against)
        raise ActRefused(f"{directory}: {what.value}: not so: {against}; nothing was done")
    typer.echo(
        f"{directory}: {what.value} by {by.name}, on the record (no gate runs): the next start "
        "looks at every rule before it arms"
    )


def somebody(resolved: ResolvedCampaign) -> Principal:
    """Return who the user of this process is; raises ActRefused when nobody knows them."""
    file = resolved.beamline.people
    roster = Roster(None if file is None else Path(file))
    found = roster.now.by_user(os.getuid())
    if found is None:
        raise ActRefused(f"user {os.getuid()} is not known: {roster.problem or file}")
    return found


def _nothing(_why: str) -> None:
    """Make nothing safe: nobody is connected to the bench."""
