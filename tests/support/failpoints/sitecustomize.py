"""Kills a process of ours at chosen records of a chain; it stands on the path of the processes.

``FAILPOINT`` says where, ``ROLE:TABLE:RECORD:WHEN:MARK``, several behind each other with ``;``.
WHEN is ``before`` (nothing is written), ``within`` (written and not committed) or ``after``
(committed, and nobody told). MARK is a file that is made first, so that a process dies here once
and not again when it is started anew. ROLE is the name of a process (``controller``, ``gate``,
...), or ``inline``.
"""

import os
import signal
import sys
from pathlib import Path

Points = dict[tuple[str, str, int, str], Path]


def _role() -> str:
    """Return who we are now: a process that was forked has become somebody."""
    arguments = sys.orig_argv
    return arguments[3] if arguments[1:3] == ["-m", "controller.processes"] else "inline"


class _Connection:
    """Stands before a connection for the length of one append; dies before it commits."""

    def __init__(self, real: object, mark: Path) -> None:
        self._real = real
        self._mark = mark

    def __enter__(self) -> object:
        return self._real.__enter__()  # type: ignore[attr-defined]

    def __exit__(self, *error: object) -> object:
        return self._real.__exit__(*error)  # type: ignore[attr-defined]

    def execute(self, *arguments: object) -> object:
        self._real.execute(*arguments)  # type: ignore[attr-defined]
        _die(self._mark)


def _install(points: Points) -> None:
    from controller import chain

    original = chain.Chain._insert

    def insert(self: chain.Chain, link: chain.Link) -> None:
        here = {
            when: mark
            for (role, table, record, when), mark in points.items()
            if (role, table, record) == (_role(), self._table, link.sequence)
            if not mark.exists()
        }
        if "before" in here:
            _die(here["before"])
        if "within" in here:
            self._connection = _Connection(self._connection, here["within"])  # type: ignore[assignment]
        original(self, link)
        if "after" in here:
            _die(here["after"])

    chain.Chain._insert = insert  # type: ignore[method-assign]


def _die(mark: Path) -> None:
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def _points(text: str) -> Points:
    points = {}
    for point in filter(None, text.split(";")):
        role, table, record, when, mark = point.split(":", 4)
        points[role, table, int(record), when] = Path(mark)
    return points


_POINTS = _points(os.environ.get("FAILPOINT", ""))
if _POINTS:
    _install(_POINTS)
