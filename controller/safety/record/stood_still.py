"""A clock that stands still: of a campaign that nobody runs, whose record is looked at."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class StoodStill:
    """Says the same time always; nothing can wait by it."""

    virtual = True
    standing = True
    loop: asyncio.AbstractEventLoop
    """Never there."""

    def __init__(self, stamp: float) -> None:
        self._stamp = stamp

    def now(self) -> float:
        """Return the time at which it stands."""
        return self._stamp

    def monotonic(self) -> float:
        """Return the time at which it stands."""
        return self._stamp

    async def run(self, function: Callable[[], T]) -> T:
        """Run nothing; RuntimeError."""
        raise RuntimeError("nobody runs this campaign")
