"""An append-only, hash-chained record in SQLite: the form of the journal and of the gate's audit.

Each record carries the hash of the one before it, so that a changed byte, a gap or a fork
is found by whoever reads. The hash covers sequence number, campaign time, payload and the
previous hash; wall time, host and process stand beside it, outside the hash, so that the
same virtual campaign gives the same head everywhere.
"""

import hashlib
import os
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controller.errors import JournalBroken, JournalRefused, JournalUnwritable

GENESIS = "0" * 64
"""What the first record names as its predecessor."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What SQLite raises for a damaged file; the second where the damage is in its own message."""


PRIMARY = 0xFF
"""The part of an error code of SQLite that says what kind of error it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """One record: *stamp* is campaign time in seconds since 1970, *payload* canonical JSON."""

    sequence: int
    stamp: float
    payload: bytes
    previous: str
    hash: str


def link_hash(sequence: int, stamp: float, payload: bytes, previous: str) -> str:
    """Return the SHA-256 (hex) over everything that a link may not change."""
    head = f"{sequence}\n{stamp!r}\n{previous}\n".encode()
    return hashlib.sha256(head + payload).hexdigest()


class Chain:
    """One table of a SQLite file (WAL, synchronous=FULL), appended to and never changed.

    Whoever appends says which head it builds on through the chain's own memory of it: if the
    file has moved on since (a second writer), the append is refused and nothing is written.
    """

    def __init__(self, connection: sqlite3.Connection, table: str, path: Path) -> None:
        self._connection = connection
        self._table = table
        self._path = path
        self._writes = False
        self._failed: sqlite3.OperationalError | OSError | None = None
        self._synchronous = "FULL"
        self._log: int | None = None
        try:
            self.length, self.head = verify(self)
        except BaseException:
            connection.close()  # left open, it would keep the log beside the file
            raise
        self.synced = self.length
        """How many records are on disk, whatever becomes of the machine."""

    @classmethod
    def open(cls, path: Path, table: str) -> Self:
        """Open (and create) *table* in the SQLite file *path*, and check the whole chain.

        Raises JournalBroken for a broken chain or a file that isn't a journal, JournalUnwritable
        where nothing can be written.
        """
        chain = cls(_connect(path, table), table, path)
        chain._writes = True
        return chain

    @classmethod
    def read(cls, path: Path, table: str) -> Self:
        """Open *table* for reading alone, and check the whole chain; the file is left as it is.

        Works on a read-only disk too. Raises JournalBroken.
        """
        return cls(_connect_to_read(path), table, path)

    @classmethod
    def follow(cls, path: Path, table: str) -> Self:
        """Open *table* for reading while another process appends to it, and check what is there."""
        place = f"{path.resolve().as_uri()}?mode=ro"
        return cls(
            sqlite3.connect(place, uri=True, check_same_thread=False, timeout=5.0), table, path
        )

    @property
    def name(self) -> str:
        """Where the chain is: file and table."""
        return f"{self._path} ({self._table})"

    def append(self, stamp: float, payload: bytes) -> Link:
        """Write one record and return it once it is on disk.

        Raises JournalRefused when another writer was here, JournalUnwritable when the disk is full.
        After an I/O error it always does: a later sync of the same open file would say nothing
        about what the failed one has lost.
        """
        return self._write(stamp, payload, "FULL")

    def note(self, stamp: float, payload: bytes) -> Link:
        """Write one record and return it once it outlives this process; else as ``append``.

        It outlives the machine from the next ``append`` or ``sync`` on: a machine that dies before
        leaves a chain without its last notes.
        """
        return self._write(stamp, payload, "NORMAL")

    def sync(self) -> None:
        """Return once all records are on disk; raises JournalUnwritable as ``append`` does."""
        if self.synced == self.length:
            return
        if self._failed is not None:
            raise self._unwritable(self.length, self._failed) from self._failed
        try:
            if self._log is None:
                self._log = os.open(f"{self._path.resolve()}-wal", os.O_RDONLY | os.O_CLOEXEC)
            length = self.length
            os.fdatasync(self._log)
        except OSError as error:
            self._failed = error
            raise self._unwritable(self.length, error) from error
        self.synced = max(self.synced, length)

    def _write(self, stamp: float, payload: bytes, synchronous: str) -> Link:
        if self._failed is not None:
            raise self._unwritable(self.length + 1, self._failed) from self._failed
        sequence = self.length + 1
        link = Link(
            sequence, stamp, payload, self.head, link_hash(sequence, stamp, payload, self.head)
        )
        try:
            if synchronous != self._synchronous:
                self._connection.execute(f"PRAGMA synchronous={synchronous}")
                self._synchronous = synchronous
            self._insert(link)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & PRIMARY == sqlite3.SQLITE_IOERR:
                self._failed = error
            raise self._unwritable(sequence, error) from error
        self.length, self.head = sequence, link.hash
        if synchronous == "FULL":  # that has synced the log, and so what was noted before
            self.synced = sequence
        return link

    def links(self, after: int = 0) -> Iterator[Link]:
        """Yield every record past number *after* in order, as stored and unchecked."""
        try:
            yield from (
                Link(*row)
                for row in self._connection.execute(
                    f"SELECT sequence, stamp, payload, previous, hash FROM {self._table} "
                    "WHERE sequence > ? ORDER BY sequence",
                    (after,),
                )
            )
        except UNREADABLE as error:
            raise JournalBroken(f"{self.name}: not readable as a journal ({error})") from error

    def last_written(self) -> float | None:
        """Return when (wall time, seconds since 1970) the last record was made; None for none."""
        row = self._connection.execute(
            f"SELECT wall_time FROM {self._table} ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        return None if row is None or row[0] is None else float(row[0])

    def close(self) -> None:
        """Close the file; a writer sees to it that a copy of that one file is the whole record.

        SQLite does so by itself when nobody else has the file open; here readers may.
        """
        if self._writes:
            with suppress(JournalUnwritable):  # it was only noted
                self.sync()
            with suppress(sqlite3.DatabaseError):  # it stays whole with its log beside it
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if self._log is not None:
            os.close(self._log)
            self._log = None
        self._connection.close()

    def _unwritable(
        self, sequence: int, error: sqlite3.OperationalError | OSError
    ) -> JournalUnwritable:
        again = "`heliostat resume`" if self.length else "begin again"
        return JournalUnwritable(
            f"{self.name}: record {sequence} could not be written ({error}); nothing was lost: "
            f"free disk space or mend the file's permissions, then {again}"
        )

    def _insert(self, link: Link) -> None:
        values = (link.sequence, link.stamp, link.payload, link.previous, link.hash)
        beside = (time.time(), platform.node(), os.getpid())
        try:
            with self._connection:
                self._connection.execute(
                    f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values + beside
                )
        except sqlite3.IntegrityError as error:
            raise JournalRefused(
                f"{self.name}: another process has written record {link.sequence} meanwhile; "
                "this one stops here. Resume from what is on disk."
            ) from error


def verify(chain: Chain) -> tuple[int, str]:
    """Return (number of records, head hash); raise JournalBroken at the first wrong record."""
    length, head = 0, GENESIS
    for link in chain.links():
        reason = _fault(link, length, head)
        if reason:
            raise JournalBroken(f"{chain.name}: record {link.sequence}: {reason}")
        length, head = link.sequence, link.hash
    return length, head


def _fault(link: Link, length: int, head: str) -> str:
    if link.sequence != length + 1:
        return f"follows record {length}: there is a gap"
    if link.previous != head:
        return "doesn't continue the record before it: a fork, or a record was exchanged"
    if type(link.payload) is not bytes or type(link.stamp) is not float:
        return "is not of the journal's form"
    if link.hash != link_hash(link.sequence, link.stamp, link.payload, link.previous):
        return "has been changed: its hash doesn't fit its content"
    return ""


def require_sound(path: Path) -> None:
    """Raise JournalBroken when the SQLite file *path* is damaged where no chain looks: its indexes.

    Every read passes by them, the next write doesn't.
    """
    with closing(_connect_to_read(path)) as connection:
        try:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except UNREADABLE as error:
            raise JournalBroken(f"{path}: not readable as a journal ({error})") from error
    if found != "ok":
        raise JournalBroken(f"{path}: the file is damaged ({found}); restore a copy")


def tables(path: Path) -> list[str]:
    """Return the names of all tables in the SQLite file *path*; raise JournalBroken if none is."""
    with closing(_connect_to_read(path)) as connection:
        try:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return sorted(str(name) for (name,) in rows)
        except UNREADABLE as error:
            raise JournalBroken(f"{path}: not readable as a journal ({error})") from error


def peek(path: Path, table: str, after: int, count: int) -> list[Link]:
    """Return up to *count* records past number *after*, as stored and unchecked: to look at.

    Another process may append meanwhile. Raises JournalBroken for a file that is no journal.
    """
    with closing(_connect_to_read(path)) as connection:
        try:
            rows = connection.execute(
                f"SELECT sequence, stamp, payload, previous, hash FROM {table} "
                "WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, count),
            )
            return [Link(*row) for row in rows]
        except UNREADABLE as error:
            raise JournalBroken(f"{path}: not readable as a journal ({error})") from error


def in_one_file(path: Path) -> None:
    """Let SQLite take its log into the file *path*: a copy of that one file is the whole record.

    For when nobody writes any more: whoever did may have been killed. Where it can't be done
    (somebody reads for more than five seconds, the disk is full), the log stays beside the file.
    """
    place = f"{path.resolve().as_uri()}?mode=rw"  # one that isn't there isn't begun
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(place, uri=True, timeout=5.0)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(path: Path, table: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
        try:
            _begin(connection, table)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise JournalUnwritable(
            f"{path} ({table}): can't be opened for writing ({error}); nothing was lost: free disk "
            "space or mend the permissions of its folder, then call again"
        ) from error
    except UNREADABLE as error:
        raise JournalBroken(f"{path} ({table}): not readable as a journal ({error})") from error
    return connection


def _begin(connection: sqlite3.Connection, table: str) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":  # it says nothing else when it can't
        raise sqlite3.OperationalError(f"no write-ahead log can be begun: mode {mode!r}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} (sequence INTEGER PRIMARY KEY, "
        "stamp REAL NOT NULL, payload BLOB NOT NULL, previous TEXT NOT NULL UNIQUE, "
        "hash TEXT NOT NULL UNIQUE, wall_time REAL, host TEXT, pid INTEGER)"
    )


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that can't write; a file without a log beside it is taken as it stands.

    (A log in WAL mode needs its index, which SQLite makes in the folder when it isn't there.)
    """
    logged = path.with_name(f"{path.name}-wal").exists()
    place = f"{path.resolve().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
    try:
        return sqlite3.connect(place, uri=True, check_same_thread=False, timeout=5.0)
    except UNREADABLE as error:
        raise JournalBroken(f"{path}: can't be read ({error})") from error
