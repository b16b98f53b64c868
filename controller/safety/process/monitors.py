"""What the gate hears of the bench: every change at once, and every signal again and again.

Monitors of Channel Access tell of changes alone, and of a frozen server after half a minute: so
every signal is read too, more often than twice within the time for which it counts.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol

from aioca import FORMAT_TIME, CANothing, caget, camonitor
from epicscorelibs.ca import dbr
from ophyd_async.core import SignalR

from controller.errors import EngineError
from controller.safety.language.values import Term
from controller.safety.process.actuators import SignalActuator
from controller.safety.process.connections import Watched

PER_AGE = 2.5
"""How often each signal is read within the time for which it counts."""
RETRY_S = 10.0
"""How long one attempt takes to connect what isn't Channel Access (real seconds)."""
LATE_S = 1.0
"""How much later than expected a reading may end (real seconds)."""
_log = logging.getLogger("heliostat.gate")


class Ears(Protocol):
    """Who is told; both are called in the loop of the monitors."""

    def heard(self, signal: str, value: Any, severity: int, stamp: float | None) -> None:
        """*signal* says *value*; *stamp* is the record's time, in seconds since 1970."""
        ...

    def lost(self, signal: str) -> None:
        """*signal* has no server any more."""
        ...


class Monitors:
    """Watches *watched* (by dotted signal) and tells *ears*; ``run`` ends when it is cancelled."""

    def __init__(self, watched: Mapping[str, Watched], ears: Ears) -> None:
        self._watched = watched
        self._ears = ears
        self._due: dict[float, float] = {}

    @property
    def answers(self) -> bool:
        """Whether every reading has come to its end in time, whatever it has read."""
        now = asyncio.get_running_loop().time()
        return all(now <= due for due in self._due.values())

    async def run(self) -> None:
        """Monitor all, and read all."""
        groups: dict[float, list[str]] = defaultdict(list)
        subscriptions = []
        async with asyncio.TaskGroup() as group:
            try:
                for signal, watched in self._watched.items():
                    if isinstance(watched.source, str):
                        subscriptions.append(self._monitor(signal, watched.source, watched.term))
                        groups[watched.max_age_s].append(signal)
                    else:
                        group.create_task(self._follow(signal, watched.source, watched.max_age_s))
                for max_age_s, signals in groups.items():
                    group.create_task(self._poll(signals, max_age_s / PER_AGE))
                await asyncio.get_running_loop().create_future()
            finally:
                for subscription in subscriptions:
                    subscription.close()

    # --- Channel Access -------------------------------------------------------------------------

    def _monitor(self, signal: str, pv: str, term: Term) -> Any:
        return camonitor(
            pv,
            lambda value: self._take(signal, value),
            datatype=_kind(term),
            format=FORMAT_TIME,
            count=1,
            notify_disconnect=True,
        )

    async def _poll(self, signals: list[str], period_s: float) -> None:
        """Read all *signals* every *period_s*: asked for together, answered within the period."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._due[period_s] = loop.time() + 2.0 * period_s + LATE_S
            values = await asyncio.gather(*(self._get(s, period_s) for s in signals))
            for signal, value in zip(signals, values, strict=True):
                if value.ok:  # that one doesn't answer shows by its age
                    self._take(signal, value)
            due = max(due + period_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _get(self, signal: str, timeout_s: float) -> Any:
        watched = self._watched[signal]
        kind = _kind(watched.term)
        return await caget(
            watched.source,
            datatype=kind,
            format=FORMAT_TIME,
            count=1,
            timeout=timeout_s,
            throw=False,
        )

    def _take(self, signal: str, value: Any) -> None:
        if isinstance(value, CANothing):
            self._ears.lost(signal)
            return
        plain = value[0] if getattr(value, "shape", ()) else +value
        said = str(plain) if isinstance(plain, str) else float(plain)
        self._ears.heard(signal, said, int(value.severity), float(value.timestamp))

    # --- everything else ------------------------------------------------------------------------

    async def _follow(self, signal: str, leaf: SignalR[Any], max_age_s: float) -> None:
        """Hear and read a leaf of another transport."""

        def hear(readings: Mapping[str, Any]) -> None:
            reading = next(iter(readings.values()))
            value = getattr(reading["value"], "value", reading["value"])
            self._ears.heard(
                signal, value, int(reading.get("alarm_severity", 0)), float(reading["timestamp"])
            )

        while not await _connected(signal, leaf):
            continue
        leaf.subscribe_reading(hear)
        while True:
            try:
                async with asyncio.timeout(max_age_s / PER_AGE):
                    hear({signal: await leaf._connector.backend.get_reading()})
            except (TimeoutError, CANothing, EngineError) as error:  # shows by its age
                _log.debug("%s was not read: %r", signal, error)
            await asyncio.sleep(max_age_s / PER_AGE)


def _kind(term: Term) -> Any:
    """Return what is asked for: the word of an enumeration where rules speak of words."""
    return dbr.DBR_ENUM_STR if term.words else None


async def _connected(signal: str, leaf: SignalR[Any]) -> bool:
    try:
        await SignalActuator(leaf).connect(RETRY_S)
    except EngineError as error:
        _log.warning("%s can't be watched: %s", signal, error)
        return False
    return True
