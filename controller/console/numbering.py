"""The numbers of the stream: journal, gate and console in the order in which they were seen.

They are kept, so that they go on where a console was killed: a viewer who comes back with the last
number that it has seen misses nothing. *epoch* names this numbering; where the file is gone, the
next one is another, and viewers begin anew.
"""

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from controller.errors import JournalUnwritable

FILE = "console-stream.sqlite"


@dataclass(frozen=True, slots=True)
class Numbered:
    """Number *seq* of the stream is record *number* of *source*."""

    seq: int
    source: str
    number: int


class Numbering:
    """The numbers in *directory*; used by one thread."""

    def __init__(self, directory: Path) -> None:
        path = directory / FILE
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(
                "CREATE TABLE IF NOT EXISTS epoch (name TEXT NOT NULL);"
                "CREATE TABLE IF NOT EXISTS stream (seq INTEGER PRIMARY KEY, source TEXT NOT NULL, "
                "number INTEGER NOT NULL, UNIQUE (source, number));"
            )
            self.epoch = self._epoch()
        except sqlite3.DatabaseError as error:
            raise JournalUnwritable(
                f"{path}: the numbers of the stream can't be kept there ({error}); free disk space "
                "or remove the file: viewers begin anew then, and no record is lost"
            ) from error

    def add(self, source: str, numbers: list[int]) -> list[Numbered]:
        """Number the records *numbers* of *source*, once this is kept."""
        with closing(self._connection.execute("SELECT max(seq) FROM stream")) as rows:
            first = (rows.fetchone()[0] or 0) + 1
        new = [Numbered(first + i, source, number) for i, number in enumerate(numbers)]
        with self._connection:
            self._connection.executemany(
                "INSERT INTO stream VALUES (?, ?, ?)",
                [(one.seq, one.source, one.number) for one in new],
            )
        return new

    def last(self, source: str) -> int:
        """Return the number of the latest record of *source* that has one, 0 for none."""
        rows = self._connection.execute(
            "SELECT max(number) FROM stream WHERE source = ?", (source,)
        )
        return int(rows.fetchone()[0] or 0)

    def latest(self, count: int) -> list[Numbered]:
        """Return the last *count*, in order."""
        rows = self._connection.execute(
            "SELECT seq, source, number FROM stream ORDER BY seq DESC LIMIT ?", (count,)
        )
        return [Numbered(*row) for row in rows][::-1]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _epoch(self) -> str:
        found = self._connection.execute("SELECT name FROM epoch").fetchone()
        if found is None:
            found = (uuid.uuid4().hex,)
            with self._connection:
                self._connection.execute("INSERT INTO epoch VALUES (?)", found)
        return str(found[0])
