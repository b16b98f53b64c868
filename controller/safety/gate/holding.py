"""What is written when the bench holds: the values that the envelope declares for that."""

import asyncio
import logging

from controller.errors import ControllerError
from controller.safety.gate.core import Core
from controller.safety.states.machine import State

_log = logging.getLogger("heliostat.gate")


class Holding:
    """Writes hold values; judged by limits and rules as every other write is."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Begin to write what the envelope declares."""
        for signal, value in self._core.envelope.hold.items():
            task = asyncio.get_running_loop().create_task(self._write(signal, value))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _present(self, signal: str) -> tuple[object, ...]:
        """Return what *signal* says, and what was written to it last."""
        picture = self._core.picture
        written = picture.written(signal)
        return picture.value(signal), None if written is None else written.ours

    async def _write(self, signal: str, value: float | str) -> None:
        core = self._core
        refused = core.rules.judge(signal, value, core.now())
        against = core.envelope.reason_against(signal, value) or (refused and refused.reason)
        try:
            if against:
                core.recorder.now(lambda: core.audit.refusal(signal, value, str(against)))
                return
            intent = core.audit.intent(signal, value)
            changes = value not in self._present(signal)
            core.rules.asked(signal, value, core.now())
            if core.state is not State.HOLD or core.means.hands.stopped:
                against = "it doesn't hold any more"
            else:
                await core.means.hands.put(signal, value)
                if changes:
                    core.disturb(f"{signal} was set to {value!r} because the bench held")
        except ControllerError as error:
            against = str(error)
            _log.error("%s = %r, to hold: %s", signal, value, error)
        core.rules.ended(signal, value, core.now(), done=not against)
        core.recorder.later(lambda: core.audit.outcome(intent, signal, str(against or "")))
        core.recorder.catch_up()
