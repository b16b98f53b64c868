"""Watches the processes that hold leases: their death is known at once, not when a lease lapses."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Holder:
    pid: int
    descriptor: int


class Patrol:
    """Calls *died* with the name of a holder whose process has ended; all in one event loop."""

    def __init__(self, died: Callable[[str], None]) -> None:
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._holders: dict[str, _Holder] = {}

    def met(self, holder: str, pid: int) -> None:
        """Watch process *pid* of *holder*; another one than before takes its place."""
        known = self._holders.get(holder)
        if known is not None and known.pid == pid:
            return
        self.forget(holder)
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._died(holder)
            return
        self._holders[holder] = _Holder(pid, descriptor)
        self._loop.add_reader(descriptor, self._ended, holder)

    def forget(self, holder: str) -> None:
        """Watch *holder* no longer: it has said that it ends."""
        known = self._holders.pop(holder, None)
        if known is not None:
            self._loop.remove_reader(known.descriptor)
            os.close(known.descriptor)

    def close(self) -> None:
        """Watch nobody any more."""
        for holder in tuple(self._holders):
            self.forget(holder)

    def _ended(self, holder: str) -> None:
        self.forget(holder)
        self._died(holder)
