"""Reads the gate's record piece by piece, to show it."""

import json
from pathlib import Path
from typing import Any

from controller.chain import peek

LARGEST_LOG = 1_000_000
"""Bytes of records that one answer may carry."""


def records_after(record: tuple[Path, str], after: int, count: int) -> list[dict[str, Any]]:
    """Return up to *count* records past number *after*, each with its number and its time.

    *record* are file and table; not so many that the answer has more than ``LARGEST_LOG`` bytes.
    """
    found: list[dict[str, Any]] = []
    size = 0
    for link in peek(*record, after, count):
        size += len(link.payload)
        if found and size > LARGEST_LOG:
            break
        said = json.loads(link.payload)
        found.append({"number": link.sequence, "at": link.stamp, "record": said})
    return found
