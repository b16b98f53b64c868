"""The runs of a campaign as they lie on disk: which are over, and how long their files are."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.documents import FOLDER, HEAD_KEY, read_file, read_run
from controller.journal import Record
from controller.seam import derived_id
from models.values import Documents

ENDINGS = frozenset(
    {
        "experiment_finished",
        "experiment_abandoned",
        "experiment_lost",
        "experiment_resolved",
        "campaign_stopped",
        "campaign_resumed",
        "final_plan_ran",
        "upkeep_ran",
        "measured_again",
    }
)
"""Records after which a run that began before them isn't under way any more."""
TAIL = 65536
"""A stop document is shorter than so many bytes."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run's file: its size in bytes, whether its last document is the stop document."""

    path: Path
    uid: str
    size: int
    complete: bool
    head: str = ""
    """The hash of the journal's last record when the run began."""


def logged_runs(directory: Path, known: dict[Path, LoggedRun]) -> list[LoggedRun]:
    """Return the runs in the documents of *directory*, in the order in which they began.

    Those in *known* aren't read again; complete ones are put there. A file whose first line isn't
    on disk yet is left out.
    """
    found = []
    for path in sorted((directory / FOLDER).glob("*.jsonl")):
        run = known.get(path) or _logged(path)
        if run is not None:
            found.append(run)
            if run.complete:
                known[path] = run
    return found


def _logged(path: Path) -> LoggedRun | None:
    with path.open("rb") as file:
        first = file.readline()
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        last = file.read().splitlines(keepends=True)
    start = _document(first, "start")
    if start is None:
        return None
    complete = bool(last) and _document(last[-1], "stop") is not None
    return LoggedRun(path, str(start["uid"]), size, complete, str(start.get(HEAD_KEY, "")))


def _document(line: bytes, name: str) -> dict[str, Any] | None:
    """Return the document in *line*, None when it was cut off or has another name."""
    if not line.endswith(b"\n") or not line.startswith(f'["{name}"'.encode()):
        return None
    found: dict[str, Any] = json.loads(line)[1]
    return found


def cut_off(runs: Sequence[LoggedRun], records: Sequence[Record]) -> frozenset[str]:
    """Return the uids of *runs* that are without a stop document and will never have one."""
    sequence = {record.hash: record.sequence for record in records}
    over = max((r.sequence for r in records if r.event.kind in ENDINGS), default=0)
    return frozenset(
        run.uid for run in runs if not run.complete and sequence.get(run.head, over) < over
    )


def documents_of(directory: Path, run: LoggedRun) -> Documents:
    """Return the documents of *run*; one that was cut off is closed by a stop that says so.

    Raises JournalBroken when a document can't be read.
    """
    if run.complete:
        return read_run(directory, run.uid)
    return closed(read_file(run.path))


def closed(documents: Documents) -> Documents:
    """Return *documents* of a run that was cut off, with the stop document that it lacks."""
    start = documents[0][1]
    streams = {d["uid"]: str(d["name"]) for name, d in documents if name == "descriptor"}
    events = [d for name, d in documents if name == "event"]
    counts: dict[str, int] = dict.fromkeys(streams.values(), 0)
    for event in events:
        counts[streams[event["descriptor"]]] += 1
    stop = {
        "uid": derived_id(start["uid"], "cut off"),
        "time": max((float(d["time"]) for _, d in documents if "time" in d), default=0.0),
        "run_start": start["uid"],
        "exit_status": "fail",
        "reason": "cut off: the process that measured has died; this is what it had written",
        "num_events": counts,
    }
    return [*documents, ("stop", stop)]
