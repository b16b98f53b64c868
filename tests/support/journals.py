"""Journals that tell another story than what happened, with a chain that holds."""

import shutil
from collections.abc import Callable
from pathlib import Path

from controller.events import Event
from controller.journal import FILE, Journal, read


def retold(directory: Path, new: Path, change: Callable[[Event], Event | None]) -> Path:
    """Copy the campaign in *directory* to *new*, each event as *change* returns it.

    Events that it returns None for are left out.
    """
    shutil.copytree(directory, new)
    for path in new.glob(f"{FILE}*"):
        path.unlink()
    journal = Journal.open(new)
    for record in read(directory):
        event = change(record.event)
        if event is not None:
            journal.append(record.stamp, event)
    journal.close()
    return new
