"""The safe sequence, from its start to its end, and that what it reached stays so."""

import asyncio
import logging

from controller.errors import ControllerError
from controller.safety.gate.core import Core
from controller.safety.hands.safing import Safed
from controller.safety.states.machine import State

KEEP_S = 2.0
"""How often it is looked whether everything is still safe, after a trip (real seconds)."""
AGAIN_S = 0.1
"""How soon again where something isn't: each look waits for servers that are away, and writes
what isn't safe as soon as one is back."""
_log = logging.getLogger("heliostat.gate")


class Safekeeping:
    """Begins safe sequences, and hears how they end."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ended: asyncio.Future[Safed] | None = None
        self._last = Safed()
        self._looked_s = float("-inf")
        self._keeping: asyncio.Task[None] | None = None

    def begin(self, why: str) -> None:
        """Begin the safe sequence, unless it is going on: then its end is for this call as well."""
        core = self._core
        if self._ended is None or self._ended.done():
            self._ended = asyncio.get_running_loop().create_future()
        core.means.hands.start_safing(core.stages, why, self._reached)
        for stage in core.stages:
            for signal, value in stage.writes.items():
                core.rules.asked(signal, value, core.now())

    async def ended(self) -> Safed:
        """Return how the sequence in progress ended, or the last one; at once where none is."""
        if self._ended is not None and not self._ended.done():
            await asyncio.shield(self._ended)
        return self._last

    def keep(self) -> None:
        """After a trip: look now and then whether all is still safe, and write it again if not."""
        core = self._core
        now_s = core.now().real_s
        every_s = AGAIN_S if core.course.trip.failed else KEEP_S
        busy = self._keeping is not None and not self._keeping.done()
        if core.state is not State.LATCHED or busy or now_s - self._looked_s < every_s:
            return
        self._looked_s = now_s
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        core = self._core
        try:
            kept = await core.means.hands.keep_safe(core.stages)
        except ControllerError as error:
            _log.error("whether the bench is still safe can't be seen: %s", error)
            return
        if kept.reached:
            again = list(kept.reached)
            core.recorder.later(lambda: core.audit.event("made safe again", signals=again))
        core.course.kept(kept)
        core.recorder.catch_up()

    def _note(self, safed: Safed) -> None:
        """Let the rules know how the writes ended: that it was us who wrote them."""
        core = self._core
        for stage in core.stages:
            for signal, value in stage.writes.items():
                core.rules.ended(signal, value, core.now(), done=signal not in safed.failed)

    def _reached(self, safed: Safed) -> None:
        if self._ended is None or self._ended.done():
            return
        self._last = safed
        self._note(safed)
        self._core.course.reached(safed)
        self._core.recorder.catch_up()
        self._looked_s = self._core.now().real_s
        self._ended.set_result(safed)
