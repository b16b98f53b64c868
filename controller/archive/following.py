"""Follows a campaign into its catalog until told to end; waits out a catalog that is away."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller import journal
from controller.archive.archiver import (
    Archiver,
    Pass,
    Progress,
    Unreachable,
    connected,
    unseen,
)
from controller.archive.server import FOLDER, Catalog, served
from controller.documents import FOLDER as DOCUMENTS
from controller.errors import ConfigurationError, JournalError
from controller.history import started_of

KEY = "TILED_API_KEY"
"""The variable of the environment with the key to a facility's server."""

_log = logging.getLogger("heliostat.archive")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how patiently; real seconds."""

    look_s: float = 2.0
    idle_s: float = 10.0
    """Between looks when nothing has happened for ten of them."""
    story_s: float = 60.0
    """The campaign's own run is written anew at most so often while the campaign goes on."""
    back_off_s: float = 60.0
    """The longest wait for a catalog that is away."""
    last_s: float = 20.0
    """So long the last pass may take; it isn't gone on with when more than that is to be seen."""


class Hope:
    """Whether all that is due can be archived within *most_s*, by the clock *now* (s)."""

    def __init__(self, now: Callable[[], float], most_s: float) -> None:
        self._now, self._most_s = now, most_s
        self._begun = now()
        self._first = self._begun
        self._needed_s = 0.0

    def note(self, done: int, due: int) -> None:
        """Learn from how long *done* runs took how long all that are *due* will."""
        if done == 0:
            self._first = self._now()
        else:
            self._needed_s = (self._now() - self._first) / done * (due - done)

    def __call__(self) -> bool:
        """Return whether there is time, for all of it as far as can be told."""
        return self._now() - self._begun + self._needed_s < self._most_s


def facility_catalog(directory: Path) -> str:
    """Return the URI of the catalog that the campaign's beamline names, empty for its own.

    Raises JournalError when the campaign's journal can't be read.
    """
    started = started_of(journal.read(directory), directory)
    return str(started.campaign.get("beamline", {}).get("catalog", ""))


@contextmanager
def catalog_of(directory: Path, port: int = 0) -> Iterator[Catalog]:
    """Give the catalog of the campaign in *directory*: the facility's, or its own, served.

    Its own is held by one writer alone: raises CampaignInUse when another process has it. Raises
    ConfigurationError without a key to the facility's.
    """
    uri = facility_catalog(directory)
    require_key(uri)
    if uri:
        yield Catalog(uri)
        return
    with journal.locked(directory / FOLDER), served(directory, port) as catalog:
        yield catalog


class Follower:
    """Keeps *catalog* up to date with the campaign in *directory*."""

    def __init__(self, directory: Path, catalog: Catalog, pace: Pace = Pace()) -> None:
        self._directory = directory
        self._catalog = catalog
        self._pace = pace
        self._seen: object = None
        self._quiet = 0
        self.away = 0
        self._told = float("-inf")
        self._open: tuple[ExitStack, Archiver] | None = None

    def follow(self, stopping: threading.Event) -> Pass:
        """Follow until *stopping* is set; return what the last pass came to.

        The last pass takes ``last_s`` at most, and is left out when the catalog is away.
        """
        try:
            while not stopping.is_set():
                self._one(story=time.monotonic() >= self._told + self._pace.story_s)
                stopping.wait(self._wait())
            return self.last()
        finally:
            self.close()

    def last(self) -> Pass:
        """Make a pass with the campaign's own run in it, as long as ``last_s`` is enough for it.

        What isn't archived then is by whoever follows the campaign next.
        """
        hope = Hope(time.monotonic, self._pace.last_s)
        return self.once(hope, hope.note)

    def once(self, in_time: Callable[[], bool] = lambda: True, progress: Progress = unseen) -> Pass:
        """Make a pass with the campaign's own run in it; nothing is begun when not *in_time*."""
        self._seen = None
        return self._one(story=True, in_time=in_time, progress=progress)

    def _wait(self) -> float:
        if self.away:
            return float(min(2**self.away, self._pace.back_off_s))
        return self._pace.idle_s if self._quiet > 10 else self._pace.look_s

    def _one(
        self,
        *,
        story: bool,
        in_time: Callable[[], bool] = lambda: True,
        progress: Progress = unseen,
    ) -> Pass:
        found = (_state_of(self._directory), story)
        self._quiet = self._quiet + 1 if found == self._seen else 0
        if found == self._seen and not self.away:
            return Pass()
        try:
            done = self._pass(story, in_time, progress)
        except (Unreachable, JournalError) as error:
            self.close()
            self.away += 1
            _log.warning("not archived for now (%s); next try in %g s", error, self._wait())
            return Pass(complete=False)
        self._seen, self.away = found, 0
        if story:
            self._told = time.monotonic()
        return done

    def close(self) -> None:
        """Part from the catalog."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _archiver(self) -> Archiver:
        if self._open is None:
            with ExitStack() as stack:
                client = stack.enter_context(connected(self._catalog))
                archiver = Archiver(client, self._directory)
                stack.callback(archiver.close)
                self._open = (stack.pop_all(), archiver)
        return self._open[1]

    def _pass(self, story: bool, in_time: Callable[[], bool], progress: Progress) -> Pass:
        done = self._archiver().bring_up_to_date(story=story, in_time=in_time, progress=progress)
        if done.written:
            _log.info("%d runs archived", len(done.written))
        return done


def _state_of(directory: Path) -> tuple[tuple[str, int], ...]:
    """Return what tells whether anything was written since: the sizes of journal and documents."""
    folder = directory / DOCUMENTS
    files = [directory / journal.FILE, directory / f"{journal.FILE}-wal"]
    if folder.is_dir():
        files.append(folder)
        files += sorted(folder.glob("*.jsonl"))[-2:]
    return tuple((file.name, _changed(file)) for file in files)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def require_key(uri: str) -> None:
    """Raise ConfigurationError when there is no key to a facility's catalog at *uri*."""
    if uri and not os.environ.get(KEY):
        raise ConfigurationError(
            f"{uri}: no key to this catalog: set the variable {KEY} of the environment to an API "
            "key of the facility's Tiled server"
        )
