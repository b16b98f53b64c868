"""What keeps the gate going in its process: it hears, ticks, and learns what the stopper did."""

import asyncio
import os
import pwd
from collections.abc import Callable

from controller.clock import Clock
from controller.processes.gate import News
from controller.processes.telling import Telling
from controller.safety.gate.gate import Gate
from controller.safety.hands.halting import Pulses
from controller.safety.hands.stopper import Why
from controller.safety.people.people import Principal, Role
from controller.safety.states.causes import Cause, CauseKind

TICK_S = 0.05
"""How often rules, leases, disk and time are looked at (real seconds)."""


class Rounds:
    """All its methods but ``wake`` are called in the gate's event loop.

    ``failed`` ends with what went wrong where nobody waits for an answer: the process must end.
    """

    def __init__(self, gate: Gate, clock: Clock, telling: Telling, news: News) -> None:
        self._gate = gate
        self._clock = clock
        self._telling = telling
        self._news = news
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        news.wake = self.wake
        self.wake()

    def heard(self, signal: str, value: object, severity: int, stamp: float | None) -> None:
        """Hand on that *signal* says *value*."""
        wall = self._clock.now()
        self._do(lambda: self._gate.heard(signal, value, severity=severity, stamp=stamp, wall=wall))

    def lost(self, signal: str) -> None:
        """Hand on that *signal* has no server any more."""
        self._do(lambda: self._gate.lost(signal))

    def wake(self) -> None:
        """Take in what the stopper has done by itself; in any thread."""
        self._loop.call_soon_threadsafe(lambda: self._do(self._take_news))

    async def tick(self, pulses: Pulses, devices_answer: Callable[[], bool]) -> None:
        """Tick for ever, and note that rules and devices answer."""
        while True:
            self._gate.tick()
            self._telling.look()
            pulses.beat("rules")
            if devices_answer():
                pulses.beat("devices")
            await asyncio.sleep(TICK_S)

    def _take_news(self) -> None:
        while self._news.waiting:
            why, who, seen = self._news.waiting.popleft()
            if why is Why.PERSON:
                self._gate.stop(_principal(who))
            else:
                self._gate.trip(Cause(CauseKind.PROCESS, who))
            seen()

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
            self._telling.look()
        except Exception as error:
            if not self.failed.done():
                self.failed.set_exception(error)


def _principal(who: str) -> Principal:
    """Return the user of this machine whom the stopper calls ``user 1000``."""
    uid = int(who.rpartition(" ")[2]) if who.startswith("user ") else os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = who
    return Principal(name, frozenset({Role.VIEWER}), who)
