"""Signs of life: what the engine and the controller send the gate as long as they work."""

import os
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from controller.bus.delivery import Caller
from controller.bus.errors import BusError
from controller.bus.messages import Head, MakeSafe, Message, Release, Renew, WritesHead

PER_LEASE = 3
"""How often a lease is renewed within its time."""
OFTEN_S = 0.5
"""It is renewed as often as this (real seconds) at the least: a gate that was released after a trip
lets nothing be written before it has heard from everybody anew."""
LAST_WORD_S = 2.0
"""How long the gate is waited for when a holder ends in an orderly way (real seconds)."""
SAFE_S = 15.0
"""How long it is waited for until the bench is safe (real seconds)."""


def always() -> bool:
    """Say that whoever has a thread left that asks works."""
    return True


class LeaseKeeper:
    """Renews the lease of *holder* in a thread of its own, as long as *works* says so.

    *lease_s* is how long the gate waits for a sign of life (real seconds). The gate watches the
    process too: it needs no word to learn that it has died.
    """

    def __init__(
        self,
        gate: Caller,
        holder: str,
        campaign: str,
        lease_s: float,
        works: Callable[[], bool] = always,
    ) -> None:
        self._gate = gate
        self._renewal = Renew(holder=holder, pid=os.getpid(), campaign=campaign)
        self._every_s = min(lease_s / PER_LEASE, OFTEN_S)
        self._works = works
        self._ended = threading.Event()
        self._last: Future[Message] | None = None
        self._thread = threading.Thread(target=self._run, name=f"lease-{holder}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Renew no more, and tell the gate that nobody needs to miss us."""
        self.fall_silent()
        with suppress(BusError):
            self._gate.call(Release(holder=self._renewal.holder), LAST_WORD_S)

    def part(self, reason: str) -> None:
        """End in an orderly way, with the bench made safe if it may need that."""
        self.fall_silent()
        with suppress(BusError):
            head = self._gate.call(WritesHead(), LAST_WORD_S)
            if isinstance(head, Head) and head.armed:
                self._gate.call(MakeSafe(reason=reason), SAFE_S)
        self.close()

    def fall_silent(self) -> None:
        """Renew no more, and say nothing: the gate makes the bench safe."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            if self._works():
                self._renew()
            if self._ended.wait(self._every_s):
                return

    def _renew(self) -> None:
        if self._last is not None:
            self._last.cancel()  # a gate that is away needs the latest alone
        with suppress(BusError):
            self._last = self._gate.post(self._renewal)


class LoopAnswers:
    """Whether an event loop of another thread still does what it is asked."""

    def __init__(self, loop: AbstractEventLoop, within_s: float) -> None:
        self._loop = loop
        self._within_s = within_s
        self._asked = False
        self._answered = time.monotonic()

    def __call__(self) -> bool:
        """Ask again, and return whether it has answered within the time (real seconds)."""
        if not self._asked and not self._loop.is_closed():
            self._asked = True
            self._loop.call_soon_threadsafe(self._answer)
        return time.monotonic() - self._answered <= self._within_s

    def _answer(self) -> None:
        self._answered = time.monotonic()
        self._asked = False
