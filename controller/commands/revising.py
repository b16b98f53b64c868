"""Before a campaign goes on: is it still the one that was begun, and if not, who wants that?"""

from functools import partial
from pathlib import Path

import typer

from controller.actions import next_action
from controller.benches import installed, words_of
from controller.checking import load
from controller.commands.correcting import now_of
from controller.history import fold, resolved_of
from controller.journal import Journal, Record, locked, require_campaign
from controller.revising import (
    Revision,
    require_possible,
    require_unchanged,
    revised,
    revision_of,
)
from controller.state import CampaignState
from controller.terms import terms_of


def require_same(directory: Path) -> None:
    """Raise ConfigurationError, with every change, when the campaign isn't as it was begun.

    Of a campaign that is over, other code and versions change nothing.
    """
    require_campaign(directory)
    with locked(directory):
        records, state = _read(directory)
        revision = _revision(records, directory)
        over = next_action(state) is None and not state.final_failure
        if revision is not None and not (over and revision.of_software_alone):
            require_unchanged(revision, directory)


def revise(directory: Path, reason: str, person: str | None = None) -> None:
    """Journal that the campaign in *directory* goes on as its files and the code are now.

    Nothing is journalled where nothing has changed. Raises ConfigurationError without a reason,
    and for a change with which it can't go on.
    """
    require_campaign(directory)
    with locked(directory):
        records, state = _read(directory)
        revision = _revision(records, directory)
        if revision is None:
            typer.echo(f"{directory}: nothing has changed; there is nothing to revise", err=True)
            return
        require_possible(revision, state)
        event = revised(revision, reason, person)
        journal = Journal.open(directory)
        try:
            journal.append(now_of(resolved_of(records, directory), state), event)
        finally:
            journal.close()
    typer.echo(f"{directory}: revised:\n{revision}", err=True)


def _read(directory: Path) -> tuple[list[Record], CampaignState]:
    journal = Journal.open(directory)
    try:
        records = list(journal.records())
    finally:
        journal.close()
    resolved = resolved_of(records, directory)
    return records, fold(records, terms_of(resolved.campaign, words_of(resolved).objectives))


def _revision(records: list[Record], directory: Path) -> Revision | None:
    return revision_of(records, directory, partial(load, installed=installed()))
