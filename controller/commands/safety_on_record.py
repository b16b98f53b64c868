"""Acknowledges and resets in the record of a campaign in one process that doesn't run."""

import os
from contextlib import closing
from pathlib import Path

import typer

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import words_of
from controller.commands.correcting import now_of
from controller.commands.safety_reaching import holder_of
from controller.errors import GateLost
from controller.history import fold, resolved_of
from controller.journal import locked, read, require_campaign
from controller.processes.launch import FOLDER
from controller.resolving import ResolvedCampaign
from controller.safety.cleaning import cleaned
from controller.safety.desk.client import ActRefused
from controller.safety.gate.course import Course, Word
from controller.safety.people.file import Roster
from controller.safety.people.people import Principal, Scope
from controller.safety.record.audit import Audit
from controller.safety.record.recorder import Recorder
from controller.safety.record.signed_chain import SignedChain, require_signed
from controller.safety.record.signing import Signer
from controller.safety.record.stood_still import StoodStill
from controller.safety.states.machine import Facts, Input, State
from controller.safety.states.marker import Marker
from controller.terms import terms_of

OK = 0
_COMMAND = {Input.ACKNOWLEDGE: "ack", Input.RESET: "reset"}


def on_record(directory: Path, what: Input, reason: str) -> int:
    """Take the step *what* in the record of a campaign in one process that doesn't run.

    It opens nothing: arming looks at every rule anew before anything can be written.
    """
    require_campaign(directory)
    if holder_of(directory / FOLDER) is not None:
        raise GateLost(
            f"{directory}: no gate runs for it now. Its supervisor lives, and starts one or ends "
            f"the campaign: `heliostat {_COMMAND[what]}` again in a moment; where it has ended, "
            f"after `heliostat resume {directory}`"
        )
    if (directory / FOLDER).is_dir():
        raise GateLost(
            f"{directory}: no gate runs for it. `heliostat resume {directory}` starts one, which "
            f"stands as the last one did; then `heliostat {_COMMAND[what]}` again elsewhere"
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
