"""Records that wait for nothing and that nothing waits for: made as soon as the disk lets them."""

import logging
from collections import deque
from collections.abc import Callable

from controller.errors import JournalError

MOST_WAITING = 1000
"""So many records of trips and safe writes wait for a disk that takes none."""
_log = logging.getLogger("heliostat.gate")


class Recorder:
    """Keeps the order of records of which some must not be waited for."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque(maxlen=MOST_WAITING)
        self.failure: JournalError | None = None
        """Why the last record could not be made."""

    def later(self, make: Callable[[], object]) -> None:
        """Let *make* append a record when it can; see ``catch_up``."""
        self._waiting.append(make)

    @property
    def behind(self) -> bool:
        """Whether records wait."""
        return bool(self._waiting)

    def catch_up(self) -> bool:
        """Append what waits; return whether nothing waits any more."""
        while self._waiting:
            try:
                self._waiting[0]()
            except JournalError as error:
                if self.failure is None:
                    _log.error("can't be recorded: %s", error)
                self.failure = error
                return False
            self._waiting.popleft()
            self.failure = None
        return True

    def now(self, make: Callable[[], object]) -> None:
        """Append what waits and then *make*'s; raises JournalError."""
        if not self.catch_up() and self.failure is not None:
            raise self.failure
        try:
            make()
        except JournalError as error:
            self.failure = error
            raise
        self.failure = None
