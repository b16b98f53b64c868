"""Hands in the gate's own event loop: what is put and what makes safe wait for each other there."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.errors import ControllerError, EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.hands.hands import Reached
from controller.safety.hands.puts import Actuator, Still, always
from controller.safety.hands.safing import Safed, StageSafed, keep_once, make_safe

REACH_S = 120.0
"""How long arming waits for servers that don't answer: an IOC that starts again (real seconds)."""
_log = logging.getLogger("heliostat.gate")


class LoopHands:
    """Acts through *actuators*, by signal."""

    def __init__(self, actuators: Mapping[str, Actuator]) -> None:
        self._actuators = actuators
        self._safing: asyncio.Task[None] | None = None
        self._waiting: list[Reached] = []
        self.stopped = False

    def allow(self) -> None:
        """Let puts pass again."""
        self.stopped = False

    def start_safing(self, stages: Sequence[Stage], why: str, done: Reached) -> None:
        """Begin to make the bench safe, unless that goes on."""
        self.stopped = True
        self._waiting.append(done)
        if self._safing is None or self._safing.done():
            _log.info("making the bench safe: %s", why)
            self._safing = asyncio.get_running_loop().create_task(self._make_safe(stages))

    async def unready(self) -> Mapping[str, str]:
        """Wait for servers that don't answer."""
        names = list(self._actuators)
        ends = await asyncio.gather(
            *(self._actuators[name].reach(REACH_S) for name in names), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, ControllerError):
                raise end
        return {n: str(e) for n, e in zip(names, ends, strict=True) if isinstance(e, Exception)}

    async def put(self, signal: str, value: Any, still: Still = always) -> None:
        """Write *value* to *signal*."""
        if signal not in self._actuators:
            raise EngineError(f"{signal}: the station has no such signal that can be written")
        await self._actuators[signal].put(value, wait=False, still=still)

    async def keep_safe(self, stages: Sequence[Stage]) -> StageSafed:
        """Write again what isn't safe any more."""
        values = {s: v for stage in stages for s, v in stage.writes.items()}
        there = {s: v for s, v in values.items() if s in self._actuators}
        kept = await keep_once(there, self._actuators)
        never = {s: "the station has no such signal" for s in values if s not in there}
        return replace(kept, failed={**kept.failed, **never})

    async def positions(self, devices: Sequence[str]) -> Mapping[str, Any]:
        """Return what the setpoints of *devices* are."""
        found: dict[str, Any] = {}
        for signal, actuator in self._actuators.items():
            if signal.split(".", 1)[0] in devices:
                try:
                    value = await actuator.read(None)
                except EngineError as error:
                    _log.warning("%s: can't be read: %s", signal, error)
                    continue
                found[signal] = getattr(value, "value", value)
        return found

    async def _make_safe(self, stages: Sequence[Stage]) -> None:
        try:
            safed = await make_safe(stages, self._actuators)
        except Exception as error:  # whatever an actuator raises: the bench may not be safe
            _log.exception("the safe sequence failed")
            safed = Safed((), {signal: repr(error) for stage in stages for signal in stage.writes})
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(safed)
