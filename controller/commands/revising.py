"""Before a campaign goes on: is it still the one that was begun, and if not, a person's yes."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer

from controller.actions import goes_on
from controller.benches import installed, words_of
from controller.checks.checking import load
from controller.commands.correcting import now_of
from controller.commands.safety_on_record import somebody
from controller.history import fold, resolved_of
from controller.journal import Journal, locked, require_campaign
from controller.recorded.revising import (
    require_allowed,
    require_possible,
    require_unchanged,
    revised,
    revision_of,
)
from controller.terms import terms_of


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a person wants the campaign as it is now, and why."""

    revise: bool = False
    reason: str = ""


def settle(directory: Path, consent: Consent) -> None:
    """Return when the campaign in *directory* may go on.

    A changed campaign is journalled as revised where there is *consent*, of who may by the people
    file that it was begun with: a safety officer where something is wider, else who may run it
    (without such a file: the user). Raises ConfigurationError, with every change, where there is
    none, ActRefused for somebody unknown and NotAllowed for who may not. Of a campaign that is
    over, other code and versions change nothing.
    """
    require_campaign(directory)
    with locked(directory), closing(Journal.open(directory)) as journal:
        records = list(journal.records())
        revision = revision_of(records, directory, lambda file: load(file, installed()))
        before = resolved_of(records, directory)
        state = fold(records, terms_of(before.campaign, words_of(before).objectives))
        over = not goes_on(state)
        if revision is None or (over and revision.of_software_alone):
            return
        if not consent.revise:
            require_unchanged(revision, directory)
        by = somebody(before)
        require_allowed(revision, by)
        require_possible(revision, state)
        event = revised(revision, consent.reason, by.name)
        typer.echo(f"{directory}: goes on revised:\n{revision}", err=True)
        journal.append(now_of(before, state), event)
