"""Before a campaign goes on: is it still the one that was begun, and if not, a person's yes."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer

from controller.benches import installed, words_of
from controller.checking import load
from controller.history import fold, resolved_of
from controller.journal import Journal, locked, require_campaign
from controller.revising import require_possible, require_unchanged, revised, revision_of
from controller.terms import terms_of


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a person wants the campaign as it is now, and why."""

    revise: bool = False
    reason: str = ""


def settle(directory: Path, consent: Consent) -> None:
    """Return when the campaign in *directory* may go on.

    A changed campaign is journalled as revised where there is *consent*. Raises
    ConfigurationError, with every change, where there is none.
    """
    require_campaign(directory)
    with locked(directory), closing(Journal.open(directory)) as journal:
        records = list(journal.records())
        revision = revision_of(records, directory, lambda file: load(file, installed()))
        if revision is None or not consent.revise:
            require_unchanged(revision, directory)
            return
        before = resolved_of(records, directory)
        state = fold(records, terms_of(before.campaign, words_of(before).objectives))
        require_possible(revision, state)
        typer.echo(f"{directory}: goes on revised:\n{revision}", err=True)
        simulated = before.beamline.twin is not None
        stamp = state.latest if simulated else max(state.latest, time.time())
        journal.append(stamp, revised(revision, consent.reason))
