"""What the engine was asked to run, and how it ended: on disk before it begins, and again after.

A request that is known as begun and not as ended was cut off when a former process died: nobody
runs it a second time for having been asked again.
"""

import sqlite3
from pathlib import Path
from typing import Self

from controller.bus.messages import MESSAGE, Message
from controller.errors import JournalBroken, JournalUnwritable

FILE = "engine.sqlite"
"""In a campaign's directory."""


class RequestsLog:
    """Requests by their id, in one SQLite file (WAL, synchronous=FULL); for one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the log in *directory*, or begin it.

        Raises JournalUnwritable where nothing can be written, JournalBroken for a damaged file.
        """
        path = directory / FILE
        try:
            connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, begun REAL NOT NULL, "
                "message BLOB NOT NULL, answer BLOB)"
            )
        except sqlite3.OperationalError as error:
            raise JournalUnwritable(f"{path}: can't be opened for writing ({error})") from error
        except sqlite3.DatabaseError as error:
            raise JournalBroken(f"{path}: not readable ({error}); restore a copy") from error
        return cls(connection, path)

    def begun(self, request: str) -> bool:
        """Whether *request* was begun, by whatever process."""
        row = self._connection.execute("SELECT 1 FROM requests WHERE id = ?", (request,))
        return row.fetchone() is not None

    def answer(self, request: str) -> Message | None:
        """Return how *request* was answered, None when it hasn't been."""
        (answer,) = self._connection.execute(
            "SELECT answer FROM requests WHERE id = ?", (request,)
        ).fetchone() or (None,)
        return None if answer is None else MESSAGE.validate_json(answer)

    def begin(self, request: str, message: Message, now: float) -> None:
        """Put on disk that *request* is about to be carried out; *now* is campaign time (s).

        Raises JournalUnwritable, and it must not be carried out then.
        """
        row = (request, now, MESSAGE.dump_json(message))
        self._write("INSERT INTO requests (id, begun, message) VALUES (?, ?, ?)", row)

    def end(self, request: str, answer: Message) -> None:
        """Put on disk how *request* is answered; raises JournalUnwritable."""
        row = (MESSAGE.dump_json(answer), request)
        self._write("UPDATE requests SET answer = ? WHERE id = ?", row)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            with self._connection:
                self._connection.execute(statement, row)
        except sqlite3.OperationalError as error:
            raise JournalUnwritable(
                f"{self._path}: could not be written ({error}); nothing was begun: make room, "
                "then `heliostat resume`"
            ) from error
