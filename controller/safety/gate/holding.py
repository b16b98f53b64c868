"""What is written when the bench holds: the values that the envelope declares for that."""

import asyncio
import logging

from controller.errors import ControllerError, JournalError, NotArmed
from controller.safety.gate.core import Core
from controller.safety.states.machine import HOLDS

_log = logging.getLogger("heliostat.gate")
TOLD_S = 2.0
"""How long what refuses a hold value is waited for before it is told (real seconds)."""

Written = tuple[str, float | str]
"""A signal, and the hold value that was written to it."""


class Holding:
    """Writes hold values; judged by limits and rules as every other write is."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tasks: set[asyncio.Task[Written | None]] = set()

    def begin(self) -> None:
        """Begin to write what the envelope declares."""
        self.forget()
        for signal, value in self._core.envelope.hold.items():
            task = asyncio.get_running_loop().create_task(self._write(signal, value))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self) -> None:
        """Forget what wasn't written at an earlier hold."""
        self._core.hold_failed = {}

    async def failed(self) -> dict[str, str]:
        """Return what of it isn't written, and why, as far as that is known within ``TOLD_S``."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=TOLD_S)
        return dict(self._core.hold_failed)

    async def written(self) -> dict[str, float | str]:
        """Wait for what is being written; return what of it is there."""
        ends = await asyncio.gather(*self._tasks)
        return dict(end for end in ends if end is not None)

    def _present(self, signal: str) -> tuple[object, ...]:
        """Return what *signal* says, and what was written to it last."""
        picture = self._core.picture
        written = picture.written(signal)
        return picture.value(signal), None if written is None else written.ours

    async def _write(self, signal: str, value: float | str) -> Written | None:
        core = self._core
        try:
            intent = self._intended(signal, value)
        except ControllerError as error:
            self._not_written(signal, value, str(error))
            return None
        changes, failed = value not in self._present(signal), ""
        core.rules.asked(signal, value, core.now())
        try:
            self._require_still()
            await core.means.hands.put(signal, value, self._require_still)
            if changes:
                core.disturb(f"{signal} was set to {value!r} because the bench held")
        except ControllerError as error:
            failed = str(error)
            self._not_written(signal, value, failed)
        core.rules.ended(signal, value, core.now(), done=not failed)
        if intent is not None:
            core.recorder.later(lambda: core.audit.outcome(intent, signal, failed))
            core.recorder.catch_up()
        return None if failed else (signal, value)

    def _not_written(self, signal: str, value: float | str, why: str) -> None:
        self._core.hold_failed[signal] = why
        _log.error("hold value of %s (%r) NOT written: %s", signal, value, why)

    def _intended(self, signal: str, value: float | str) -> int | None:
        """Return the record that it is intended; None where a safe value can't be recorded.

        Raises NotArmed where limits or rules are against it, JournalError as the record does.
        """
        core = self._core
        if refused := core.rules.judge(signal, value, core.now()):
            core.recorder.now(lambda: core.audit.refusal(signal, value, refused.reason))
            raise NotArmed(refused.reason)
        try:
            return core.audit.intent(signal, value)
        except JournalError:
            if not core.envelope.is_safe(signal, value):
                raise
            return None

    def _require_still(self) -> None:
        if self._core.state not in HOLDS or self._core.means.hands.stopped:
            raise NotArmed("it doesn't hold any more")
