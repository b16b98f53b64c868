"""Brings a campaign's catalog up to date, and serves it until Ctrl-C."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import typer

from controller.archive.archiver import Pass
from controller.archive.following import Follower, catalog_of, facility_catalog
from controller.archive.server import FOLDER, Catalog, served
from controller.archive.story import story_uid
from controller.errors import CampaignInUse
from controller.history import started_of
from controller.interrupts import heeded
from controller.journal import read

OK, FAILED = 0, 1
PATIENCE_S, SHOWN_S = 1.0, 5.0
"""How far it is is said when it takes longer than the first, and then so often (real seconds)."""


def catalog(directory: Path, port: int, *, serve: bool) -> int:
    """Bring the catalog of the campaign in *directory* up to date, serve it, return the exit code.

    A facility's catalog is brought up to date and not served. A catalog that another process
    keeps up to date (the campaign is running) is served as it is.
    """
    campaign_id = started_of(read(directory), directory).campaign_id
    with heeded(), ExitStack() as stack:
        try:
            place = stack.enter_context(catalog_of(directory, port))
        except CampaignInUse:
            typer.echo(f"{directory / FOLDER}: kept up to date by a process of the campaign")
            return _served_alone(directory, port, campaign_id) if serve else OK
        follower = Follower(directory, place)
        stack.callback(follower.close)
        code = _tell(follower.once(progress=Shown(time.monotonic)), directory)
        if serve and not facility_catalog(directory):
            _say_how(place, campaign_id)
            _until_interrupted(follower)
    return code


class Shown:
    """Says on stderr how far the catalog is, now and then, by the clock *now* (s)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._next = now() + PATIENCE_S

    def __call__(self, done: int, due: int) -> None:
        """Say it when it is time to."""
        if self._now() >= self._next:
            self._next = self._now() + SHOWN_S
            typer.echo(f"catching up: {done} of {due} runs archived", err=True)


def _served_alone(directory: Path, port: int, campaign_id: str) -> int:
    with served(directory, port) as place:
        _say_how(place, campaign_id)
        _until_interrupted(None)
    return OK


def _until_interrupted(follower: Follower | None) -> None:
    never = threading.Event()
    try:
        if follower is None:
            never.wait()
        else:
            follower.follow(never)
    except KeyboardInterrupt:
        typer.echo("ended; the catalog stays on disk")


def _tell(done: Pass, directory: Path) -> int:
    count = len(done.written)
    typer.echo(f"{directory}: {count} run{'' if count == 1 else 's'} archived just now")
    if not done.complete:
        typer.echo("the catalog is not complete; call again later", err=True)
    return OK if done.complete and not done.failed else FAILED


def _say_how(place: Catalog, campaign_id: str) -> None:
    typer.echo(
        "Open it in Python; Ctrl-C ends:\n\n"
        "    from tiled.client import from_uri\n"
        f'    cat = from_uri("{place.uri}", api_key="{place.key}")\n'
        f'    cat["{story_uid(campaign_id)}"]["decisions"].read()\n'
        "    cat.values().first()\n"
    )
