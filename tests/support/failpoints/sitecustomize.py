"""Kills a process of ours at a chosen record of a chain; it stands on the path of the processes.

``FAILPOINT`` says where: ``ROLE:TABLE:RECORD:WHEN:MARK``. WHEN is ``before`` (nothing is written),
``within`` (written and not committed) or ``after`` (committed, and nobody told). MARK is a file
that is made first, so that a process dies here once and not again when it is started anew.
ROLE is the name of a process (``controller``, ``gate``, ...), or ``inline``.
"""

import os
import signal
import sys
from pathlib import Path


def _role() -> str:
    arguments = sys.orig_argv
    return arguments[3] if arguments[1:3] == ["-m", "controller.processes"] else "inline"


def _install(table: str, record: int, when: str, mark: Path) -> None:
    from controller import chain

    class Connection:
        """Stands before a connection for the length of one append."""

        def __init__(self, real: object) -> None:
            self._real = real

        def __enter__(self) -> object:
            return self._real.__enter__()  # type: ignore[attr-defined]

        def __exit__(self, *error: object) -> object:
            return self._real.__exit__(*error)  # type: ignore[attr-defined]

        def execute(self, *arguments: object) -> object:
            cursor = self._real.execute(*arguments)  # type: ignore[attr-defined]
            _die(mark)
            return cursor

    original = chain.Chain._insert

    def insert(self: chain.Chain, link: chain.Link) -> None:
        if self._table != table or link.sequence != record or mark.exists():
            original(self, link)
            return
        if when == "before":
            _die(mark)
        if when == "within":
            self._connection = Connection(self._connection)  # type: ignore[assignment]
        original(self, link)
        _die(mark)

    chain.Chain._insert = insert  # type: ignore[method-assign]


def _die(mark: Path) -> None:
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


_POINT = os.environ.get("FAILPOINT", "")
if _POINT:
    _wanted, _table, _record, _when, _mark = _POINT.split(":", 4)
    if _wanted == _role():
        _install(_table, int(_record), _when, Path(_mark))
