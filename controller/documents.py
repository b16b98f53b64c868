"""Bluesky documents on disk: one file of JSON lines per run, ``[name, document]`` each.

A file is synced before its run counts as finished. A run that was cut off leaves a file
without a stop document, which is kept and never read as a result.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from controller.errors import JournalBroken, JournalUnwritable
from models.values import Documents

FOLDER = "documents"
HEAD_KEY = "journal_head"
"""In a start document: the hash of the journal's last record when the run began."""


class DocumentWriter:
    """A RunEngine callback that writes what it is given, and counts scan ids on from the files."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scan_id = max((_scan_id_of(path) for path in self._folder.glob("*.jsonl")), default=0)
        self._open: dict[str, IO[str]] = {}
        self._run_of: dict[str, str] = {}
        self._finished: list[str] = []

    def next_scan_id(self) -> int:
        """Return the scan id of the next run; ids go on where the directory's files end."""
        return self._scan_id + 1

    def begin(self) -> None:
        """Close what an interrupted plan left open and count finished runs anew; a plan begins."""
        self.finish()
        self._finished = []

    def finish(self) -> tuple[str, ...]:
        """Return the uids of the runs that were finished since ``begin``, closing what is open.

        Raises JournalUnwritable when the disk is full.
        """
        left = list(self._open.values())
        self._open.clear()
        self._run_of.clear()
        try:
            for file in left:
                file.close()
        except OSError as error:
            raise self._unwritable(error) from error
        return tuple(self._finished)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Write one document; raises JournalUnwritable when the disk is full."""
        try:
            self._write(name, document)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> JournalUnwritable:
        return JournalUnwritable(
            f"{self._folder}: a document could not be written ({error}); nothing that was "
            "finished is lost: make room, then `heliostat resume`"
        )

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        run = self._run(name, document)
        if name == "start":
            self._scan_id = int(document["scan_id"])
            path = self._folder / f"{self._scan_id:06d}-{run[:8]}.jsonl"
            self._open[run] = path.open("w", encoding="utf-8")
        file = self._open[run]
        file.write(json.dumps([name, document], default=_plain, separators=(",", ":")) + "\n")
        if name == "stop":
            file.flush()
            os.fsync(file.fileno())
            self._open.pop(run).close()
            _sync_folder(self._folder)
            self._finished.append(run)

    def _run(self, name: str, document: Mapping[str, Any]) -> str:
        if name == "start":
            return str(document["uid"])
        if name == "descriptor":
            self._run_of[document["uid"]] = document["run_start"]
        if "run_start" in document:
            return str(document["run_start"])
        return self._run_of[document["descriptor"]]


def read_run(directory: Path, run: str) -> Documents:
    """Return the documents of the run with uid *run* from a campaign's *directory*.

    Raises JournalBroken when its file is missing or can't be read.
    """
    for path in sorted((directory / FOLDER).glob(f"*-{run[:8]}.jsonl")):
        documents = read_file(path)
        if documents and documents[0][1].get("uid") == run:
            return documents
    raise JournalBroken(f"{directory / FOLDER}: holds no run {run}, which the journal names")


def read_file(path: Path) -> Documents:
    """Return the documents in *path*; raise JournalBroken for a line that isn't one."""
    documents = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            name, document = json.loads(line)
        except ValueError as error:
            raise JournalBroken(f"{path}: line {number} is not a document ({error})") from error
        documents.append((str(name), document))
    return documents


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


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a document holds {type(value).__name__}, which is not JSON")
