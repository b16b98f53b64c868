"""What a person has written in maintenance: to devices taken, by name, and recorded as such."""

from collections.abc import Callable
from typing import Any

from controller.errors import JournalError, NotAllowed
from controller.safety.envelope.envelope import Limit, is_finite
from controller.safety.gate.core import Core
from controller.safety.gate.releasing import require
from controller.safety.people.people import Principal, Scope
from controller.safety.states.machine import State


class ByHand:
    """Writes for people; *journal_failed* hears that nothing can be recorded."""

    def __init__(self, core: Core, journal_failed: Callable[[JournalError], None]) -> None:
        self._core = core
        self._journal_failed = journal_failed

    async def write(self, by: Principal, signal: str, value: float | str) -> None:
        """Write *value* to *signal* of a device that *by* has taken; returns once it is there.

        Rules judge it as they do any write. Raises NotAllowed, with nothing moved, when it may not
        be, JournalError when it can't be recorded, and EngineError when the device doesn't do it.
        """
        require(by, Scope.MAINTAIN)
        core = self._core
        self._require(by, signal, value)
        core.rules.asked(signal, value, core.now())
        try:
            core.recorder.now(lambda: None)
            intent = core.audit.intent(signal, value, rules=core.rules.remember(), by=by.name)
        except JournalError as error:
            core.rules.ended(signal, value, core.now(), done=False)
            self._journal_failed(error)
            raise
        try:
            await core.means.hands.put(signal, value, lambda: self._require_still(by, signal))
        except BaseException as error:
            self._ended(intent, signal, value, repr(error))
            raise
        core.disturb(f"{by.name} set {signal} to {value!r} by hand")
        self._ended(intent, signal, value)

    def _require(self, by: Principal, signal: str, value: Any) -> None:
        core = self._core
        self._require_still(by, signal)
        limit = core.envelope.limits.get(signal)
        if isinstance(limit, Limit) and not is_finite(value):
            raise NotAllowed(
                f"{signal}: {value} is no finite number; allowed {limit.accepts}; nothing has moved"
            )
        if refused := core.rules.judge(signal, value, core.now(), by_hand=True):
            raise NotAllowed(f"{signal}: asked for {value!r}: {refused.reason}; nothing has moved")

    def _require_still(self, by: Principal, signal: str) -> None:
        """Raise NotAllowed unless *by* has the device of *signal*, now."""
        core, device = self._core, signal.split(".", 1)[0]
        if core.state is not State.MAINTENANCE:
            raise NotAllowed(
                f"{signal}: the gate is {core.state.value}; a person writes in maintenance alone: "
                f"`heliostat take {device}` first; nothing has moved"
            )
        if core.means.hands.stopped:
            raise NotAllowed(f"{signal}: the bench is being made safe; nothing has moved")
        if (who := core.taken.get(device)) != by.name:
            has = f"{who} has it" if who else f"`heliostat take {device}` first"
            raise NotAllowed(f"{signal}: {by.name} hasn't taken {device}: {has}; nothing has moved")

    def _ended(self, intent: int, signal: str, value: Any, error: str = "") -> None:
        core = self._core
        core.rules.ended(signal, value, core.now(), done=not error)
        core.recorder.later(lambda: core.audit.outcome(intent, signal, error))
        core.recorder.catch_up()
