"""Bluesky documents on disk: one file of JSON lines per run, ``[name, document]`` each.

A document is handed to the system before anybody hears of it, and a file is synced before its
run counts as finished. A run that was cut off leaves a file without a stop document, which is
kept and never read as a result. Long arrays stand in files of their own (``controller.arrays``).
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from controller import arrays
from controller.arrays import ArrayFile, Arrays
from controller.errors import JournalBroken, JournalUnwritable
from models.values import Documents

FOLDER = "documents"
HEAD_KEY = "journal_head"
"""In a start document: the hash of the journal's last record when the run began."""

Sink = Callable[[str, Mapping[str, Any]], None]
"""Hears every document, with its arrays, once it is on disk; must not block, must not raise."""


@dataclass(slots=True)
class _Run:
    """The files of a run; *stop* is its last document once it is written."""

    uid: str
    lines: IO[str]
    arrays: ArrayFile
    stop: Mapping[str, Any] | None = None

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Hand one document to the system, its arrays before it."""
        line = json.dumps([name, document], default=self._plain, separators=(",", ":"))
        self.arrays.flush()
        self.lines.write(line + "\n")
        self.lines.flush()

    def sync(self) -> None:
        """Return once all of it is on disk."""
        self.arrays.sync()
        os.fsync(self.lines.fileno())

    def close(self) -> None:
        """Close the files."""
        try:
            self.arrays.close()
        finally:
            self.lines.close()

    def _plain(self, value: Any) -> Any:
        if arrays.is_long(value):
            return self.arrays.append(value)
        if isinstance(value, (np.ndarray, np.generic)):
            return value.tolist()
        raise TypeError(f"a document holds {type(value).__name__}, which is not JSON")


class DocumentWriter:
    """A RunEngine callback that writes what it is given, and counts scan ids on from the files.

    The engine's loop never waits for the disk: what was written is synced by ``finish``, in the
    thread that calls it. *sink* hears documents once they are written, stop documents once
    everything before them is synced.
    """

    def __init__(self, directory: Path, sink: Sink | None = None) -> None:
        self._folder = directory / FOLDER
        self._arrays = directory / arrays.FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scan_id = max((_scan_id_of(path) for path in self._folder.glob("*.jsonl")), default=0)
        self._sink = sink
        self._runs: dict[str, _Run] = {}
        self._run_of: dict[str, str] = {}

    def next_scan_id(self) -> int:
        """Return the scan id of the next run; ids go on where the directory's files end."""
        return self._scan_id + 1

    def begin(self) -> None:
        """Close what an interrupted plan left open; a plan begins."""
        self.finish()

    def finish(self) -> tuple[str, ...]:
        """Sync the runs that stopped since ``begin``, close all; return their uids.

        Raises JournalUnwritable when the disk is full.
        """
        left = list(self._runs.values())
        self._runs.clear()
        self._run_of.clear()
        stopped = [run for run in left if run.stop is not None]
        try:
            with ExitStack() as stack:
                for run in left:
                    stack.callback(run.close)
                self._sync(stopped)
        except OSError as error:
            raise self._unwritable(error) from error
        for run in stopped:
            self._tell("stop", run.stop or {})
        return tuple(run.uid for run in stopped)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Write one document; raises JournalUnwritable when the disk is full."""
        try:
            self._write(name, document)
        except OSError as error:
            raise self._unwritable(error) from error
        if name != "stop":
            self._tell(name, document)

    def _sync(self, stopped: list[_Run]) -> None:
        for run in stopped:
            run.sync()
        for folder in (self._folder, self._arrays):
            if stopped and folder.is_dir():
                _sync_folder(folder)

    def _tell(self, name: str, document: Mapping[str, Any]) -> None:
        if self._sink is not None:
            self._sink(name, document)

    def _unwritable(self, error: OSError) -> JournalUnwritable:
        return JournalUnwritable(
            f"{self._folder}: a document could not be written ({error}); nothing that was "
            "finished is lost: make room, then `heliostat resume`"
        )

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        uid = self._uid(name, document)
        if name == "start":
            self._runs[uid] = self._opened(uid, int(document["scan_id"]))
        run = self._runs[uid]
        run.write(name, document)
        if name == "stop":
            run.stop = document

    def _opened(self, uid: str, scan_id: int) -> _Run:
        self._scan_id = scan_id
        stem = f"{scan_id:06d}-{uid[:8]}"
        lines = (self._folder / f"{stem}.jsonl").open("w", encoding="utf-8")
        return _Run(uid, lines, ArrayFile(self._arrays / f"{stem}.bin"))

    def _uid(self, name: str, document: Mapping[str, Any]) -> str:
        if name == "start":
            return str(document["uid"])
        if name == "descriptor":
            self._run_of[document["uid"]] = document["run_start"]
        if "run_start" in document:
            return str(document["run_start"])
        return self._run_of[document["descriptor"]]


def read_run(directory: Path, run: str) -> Documents:
    """Return the documents of the finished run with uid *run* from a campaign's *directory*.

    Raises JournalBroken when its file is missing, can't be read, or has no stop document.
    """
    for path in sorted((directory / FOLDER).glob(f"*-{run[:8]}.jsonl")):
        documents = read_file(path)
        if documents and documents[0][1].get("uid") == run and documents[-1][0] == "stop":
            return documents
    raise JournalBroken(
        f"{directory / FOLDER}: holds no finished run {run}, which the journal names"
    )


def read_file(path: Path) -> Documents:
    """Return the documents in *path*, arrays given back as numpy arrays in their places.

    The last line of a run that was cut off may be torn: it is left out, and there is no stop
    document then. Raises JournalBroken for any other line that isn't a document.
    """
    documents: list[tuple[str, Mapping[str, Any]]] = []
    kept = Arrays(path.parent.parent / arrays.FOLDER)
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        documents.append(_document(path, number, line, kept))
    return documents


def _document(path: Path, number: int, line: bytes, kept: Arrays) -> tuple[str, Mapping[str, Any]]:
    try:
        name, document = json.loads(line, object_hook=kept.given_back)
    except (ValueError, TypeError) as error:
        raise JournalBroken(f"{path}: line {number} is not a document ({error})") from error
    return str(name), document


def runs_of(directory: Path, wanted: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the files in *directory* of runs, ended or not, whose start says all of *wanted*.

    They come in the order of their scan ids.
    """
    return tuple(
        path
        for path in sorted((directory / FOLDER).glob("*.jsonl"))
        if (start := _start_of(path))
        and wanted.items() <= {key: start.get(key) for key in wanted}.items()
    )


def finished_runs(directory: Path, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the uids of runs in *directory* that ended well and whose start says all of *wanted*.

    They come in the order of their scan ids; none twice. Raises JournalBroken.
    """
    found: dict[str, None] = {}
    for path in runs_of(directory, wanted):
        documents = read_file(path)
        (_, start), (name, stop) = documents[0], documents[-1]
        if name == "stop" and stop.get("exit_status") == "success":
            found[str(start["uid"])] = None
    return tuple(found)


def require_heads(directory: Path, hashes: Collection[str]) -> None:
    """Raise JournalBroken when a run in *directory* began after a record that isn't in *hashes*.

    A chain can't say that its last records are missing; the runs that followed them can.
    """
    for path in sorted((directory / FOLDER).glob("*.jsonl")):
        head = _start_of(path).get(HEAD_KEY)
        if head is not None and head not in hashes:
            raise JournalBroken(
                f"{directory}: the run in {path.name} began after record {head[:12]}…, which the "
                "journal doesn't hold: records are missing from its end, or the run is another "
                "campaign's. Restore a copy of the whole directory"
            )


def _start_of(path: Path) -> Mapping[str, Any]:
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    if not line.endswith("\n"):  # cut off while it was written
        return {}
    try:
        name, document = json.loads(line)
    except ValueError as error:
        raise JournalBroken(f"{path}: line 1 is not a document ({error})") from error
    return document if name == "start" else {}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _scan_id_of(path: Path) -> int:
    head = path.name.partition("-")[0]
    return int(head) if head.isdigit() else 0
