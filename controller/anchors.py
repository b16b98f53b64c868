"""What else says how far a campaign got.

A chain can't tell that its last records are gone. The documents of a run name the journal's
head when it began, the journal that of the gate's record when a plan had ended: whoever cuts
one must cut all. What came after the last of them is guarded by nothing but a copy of the head.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from controller.chain import Chain
from controller.documents import require_heads
from controller.errors import JournalBroken
from controller.events import ExperimentFinished, FinalPlanRan, MeasuredAgain, UpkeepRan
from controller.journal import Record

GATE_FILE = "gate.sqlite"
"""The file of the gate's own record, beside the journal: one process writes each."""
AUDIT_TABLE = "writes"
"""The table of the gate's own record."""


def require_whole(directory: Path, records: Sequence[Record]) -> None:
    """Raise JournalBroken when records are missing from the end of a chain in *directory*.

    *records* are all that its journal holds.
    """
    require_heads(directory, {record.hash for record in records})
    heads = [
        record.event.writes
        for record in records
        if isinstance(record.event, (ExperimentFinished, FinalPlanRan, MeasuredAgain, UpkeepRan))
        and record.event.writes
    ]
    if heads:
        _require_writes(directory / GATE_FILE, heads[-1])


def _require_writes(path: Path, head: str) -> None:
    with closing(Chain.read(path, AUDIT_TABLE)) as audit:
        if head not in (audit.head, *(link.previous for link in audit.links())):
            raise JournalBroken(
                f"{audit.name}: a plan ended after record {head[:12]}…, which it doesn't hold: "
                "records are missing from its end. Restore a copy of the whole directory"
            )
