"""Brings a catalog up to date with a campaign: each run once and whole, whatever was there.

Where it stands is what the catalog holds: every run carries a mark (how many documents, from how
large a file) that is written last. A run without it, or with another one, was cut short by the
death of an archiver: it is taken out and written anew.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from jsonschema import ValidationError  # type: ignore[import-untyped]

from controller.archive.records import Records
from controller.archive.runs import LoggedRun, cut_off, documents_of, logged_runs
from controller.archive.server import Catalog
from controller.archive.story import is_over, story_of, story_uid
from controller.errors import ControllerError
from controller.events import CampaignStarted
from controller.journal import Record
from models.values import Documents

MARK = "heliostat"
"""The metadata key of a run's mark."""
CHUNK = 500
"""Rows of events in one request."""

ANSWER_S = 10.0
"""Whoever doesn't answer within so many real seconds is away."""

NOT_NOW = frozenset({401, 403, 408, 429, 502, 503, 504})
"""HTTP answers that say: not now, or not you; nothing about the run."""

UNWRITABLE = (
    httpx.HTTPStatusError,
    ControllerError,
    ValidationError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
)
"""What a run raises that the catalog doesn't take; the others are archived all the same."""

Progress = Callable[[int, int], None]
"""Hears how many of how many runs that the catalog lacked are in it by now."""

_log = logging.getLogger("heliostat.archive")


def unseen(_done: int, _due: int) -> None:
    """Show nobody how far it is."""


class Unreachable(ControllerError):
    """The catalog doesn't answer; try again later."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass came to."""

    written: tuple[str, ...] = ()
    """The uids of runs that were written."""
    failed: Mapping[str, str] | None = None
    """Runs that the catalog doesn't take, and why."""
    complete: bool = True
    """Whether nothing was left for the next pass for want of time."""


@contextmanager
def connected(catalog: Catalog) -> Iterator[Any]:
    """Open *catalog* for the length of a with block; raises Unreachable when it doesn't answer."""
    from tiled.client import from_uri

    local = catalog.key is not None
    try:
        httpx.get(catalog.uri, timeout=ANSWER_S, trust_env=not local)  # Tiled itself is patient
        client = from_uri(
            catalog.uri,
            api_key=catalog.key,
            cache=None,
            show_progress=False,
            trust_env=not local,
            remember_me=False,
        )
    except (httpx.HTTPError, OSError) as error:
        raise Unreachable(f"{catalog.uri}: {error or type(error).__name__}") from error
    try:
        yield client
    finally:
        client.context.close()


class Archiver:
    """Writes the runs of the campaign in *directory* with *client*, an open Tiled container."""

    def __init__(self, client: Any, directory: Path) -> None:
        self._client = client
        self._directory = directory
        self._records = Records(directory)
        self._campaign_id = ""
        self._marks: dict[str, Any] = {}
        self._complete: dict[Path, LoggedRun] = {}
        self._failed: dict[str, tuple[int, str]] = {}

    def close(self) -> None:
        """Close the journal."""
        self._records.close()

    def bring_up_to_date(
        self,
        *,
        story: bool = True,
        in_time: Callable[[], bool] = lambda: True,
        progress: Progress = unseen,
    ) -> Pass:
        """Write what the catalog lacks: finished runs, and the campaign's own run if *story*.

        Nothing is begun once *in_time* says no; *progress* hears of each run that is due. Raises
        Unreachable when the catalog goes away, and JournalError when the campaign's journal can't
        be read.
        """
        try:
            return self._bring_up_to_date(story, in_time, progress)
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    def _bring_up_to_date(
        self, story: bool, in_time: Callable[[], bool], progress: Progress
    ) -> Pass:
        records = self._records.catch_up()
        self._look(records[0])
        done = Pass(failed={})
        due = self._due(records)
        for number, (run, over) in enumerate(due):
            progress(number, len(due))
            if not in_time():
                return replace(done, complete=False)
            done = self._tried(done, run.uid, {"size": run.size, "cut_off": over}, self._read(run))
        if story and self._story_due(records):
            if not in_time():
                return replace(done, complete=False)
            mark = {"head": records[-1].hash, "over": is_over(records)}
            uid = story_uid(self._campaign_id)
            done = self._tried(done, uid, mark, lambda: story_of(records))
        return done

    def _look(self, first: Record) -> None:
        """Learn once what the catalog holds of the campaign."""
        from tiled.queries import Key

        if self._campaign_id or not isinstance(first.event, CampaignStarted):
            return
        wanted = Key("start.campaign_id") == first.event.campaign_id
        for uid, node in self._client.search(wanted).items():
            self._marks[uid] = node.metadata.get(MARK)
        self._campaign_id = first.event.campaign_id

    def _due(self, records: list[Record]) -> list[tuple[LoggedRun, bool]]:
        """Return the runs to write, and of each whether it was cut off."""
        lacking = [
            run
            for run in logged_runs(self._directory, self._complete)
            if (self._marks.get(run.uid) or {}).get("size") != run.size
            and self._failed.get(run.uid, (0, ""))[0] != run.size
        ]
        dead = cut_off(lacking, records)
        return [(run, run.uid in dead) for run in lacking if run.complete or run.uid in dead]

    def _story_due(self, records: list[Record]) -> bool:
        mark = self._marks.get(story_uid(self._campaign_id)) or {}
        return mark.get("head") != records[-1].hash

    def _read(self, run: LoggedRun) -> Callable[[], Documents]:
        return lambda: documents_of(self._directory, run)

    def _tried(
        self, done: Pass, uid: str, mark: Mapping[str, Any], documents: Callable[[], Documents]
    ) -> Pass:
        try:
            self._write(uid, mark, documents())
        except Unreachable:
            raise
        except UNWRITABLE as error:
            _raise_if_away(error)
            self._failed[uid] = (int(mark.get("size", 0)), str(error))
            _log.warning("run %s is not archived: %s", uid, error)
            return replace(done, failed={**(done.failed or {}), uid: str(error)})
        return replace(done, written=(*done.written, uid))

    def _write(self, uid: str, mark: Mapping[str, Any], documents: Documents) -> None:
        from bluesky_tiled_plugins import TiledWriter
        from tiled.client.metadata_update import DELETE_KEY

        if uid in self._client:
            self._client.delete_contents(uid, recursive=True, external_only=False)
        self._marks[uid] = None
        writer = TiledWriter(self._client, batch_size=CHUNK, max_array_size=0)
        uneven = _uneven(documents)
        for name, document in documents:
            writer(name, _evened(document, uneven))
        node = self._client[uid]
        _require_single(node.metadata.get("notes") or ())
        whole = {**mark, "documents": len(documents)}
        goes_on = mark.get("over") is False
        node.update_metadata(
            {MARK: whole, **({"stop": DELETE_KEY} if goes_on else {})}, drop_revision=True
        )
        self._marks[uid] = whole


def _raise_if_away(error: Exception) -> None:
    """Raise Unreachable when *error* is the server's answer for any run, whatever is in it."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in NOT_NOW:
        raise Unreachable(str(error)) from error


def _uneven(documents: Documents) -> frozenset[str]:
    """Return the data keys whose arrays aren't all of one shape."""
    shapes: dict[str, set[tuple[int, ...]]] = {}
    for name, document in documents:
        if name == "event":
            for key, value in document["data"].items():
                if isinstance(value, (list, np.ndarray)):
                    shapes.setdefault(key, set()).add(np.shape(value))
    return frozenset(key for key, found in shapes.items() if len(found) > 1)


def _evened(document: Mapping[str, Any], uneven: frozenset[str]) -> dict[str, Any]:
    """Return a copy of *document*, arrays of *uneven* length as lists, which the writer pads."""
    if not uneven or "data" not in document:
        return dict(document)
    data = {k: np.asarray(v).tolist() if k in uneven else v for k, v in document["data"].items()}
    return {**document, "data": data}


def _require_single(notes: Any) -> None:
    """Raise Unreachable when rows may be there twice: the run is written anew next time."""
    if any("may be duplicated" in note for note in notes):
        raise Unreachable("an answer of the catalog was lost: rows may be there twice")
