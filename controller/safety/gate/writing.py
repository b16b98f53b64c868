"""How the gate writes: judged at once and in the order of asking, recorded before and after."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from controller.errors import JournalError, JournalUnwritable, NotArmed, WriteRefused
from controller.safety.envelope.specs import Budget
from controller.safety.gate.core import Core
from controller.safety.scene.values import plain
from controller.safety.states.holds import JOURNAL

T = TypeVar("T")


class Writes(Protocol):
    """What stands before a device's every way to write: the gate, or the way to its process."""

    async def write(
        self, signal: str, value: Any, perform: Callable[[], Awaitable[T]], *, local: bool = False
    ) -> T:
        """Do *perform*, which writes *value* to *signal*, if that is allowed.

        *local* says that it has its effect in this process alone (a soft or a derived signal).
        Raises WriteRefused, with nothing moved, when it isn't allowed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Permit:
    """That *value* may be written to *signal*; *intent* is None where nothing can be recorded."""

    signal: str
    value: Any
    intent: int | None
    safe: bool = False


class Writing:
    """Judges, records and performs writes; *journal_failed* hears that nothing can be recorded."""

    def __init__(self, core: Core, journal_failed: Callable[[JournalError], None]) -> None:
        self._core = core
        self._journal_failed = journal_failed
        self._counted = _counted_by_budgets(core)

    def judge(self, signal: str, value: Any) -> None:
        """Raise WriteRefused, and record that, when *value* may not be written to *signal* now.

        The hard limits come first, then the state (NotArmed, Held, Latched), then the rules. What
        makes a signal safe passes all but the limits, unless a person has its device.
        """
        core = self._core
        if reason := core.envelope.reason_against(signal, value):
            self._refuse(signal, value, WriteRefused(reason))
        if core.envelope.is_safe(signal, value):
            if theirs := core.in_custody(signal):
                self._refuse(signal, value, theirs)
            return
        self._require_journal(signal)
        if not_now := core.not_now(signal):
            self._refuse(signal, value, not_now)
        if refused := core.rules.judge(signal, value, core.now()):
            self._refuse(signal, value, WriteRefused(refused.reason))

    def admit(self, signal: str, value: Any, request: str = "") -> Permit:
        """Judge a write and record it as intended; *request* is the id of who asked elsewhere.

        Raises as ``judge`` does, and JournalUnwritable when nothing can be recorded, unless *value*
        is what makes the signal safe.
        """
        self.judge(signal, value)
        core, safe = self._core, self._core.envelope.is_safe(signal, value)
        core.rules.asked(signal, value, core.now())
        rules = core.rules.remember() if signal in self._counted else None
        try:
            core.recorder.now(lambda: None)
            intent = core.audit.intent(signal, value, request, rules)
        except JournalUnwritable as error:
            if not safe:
                core.rules.ended(signal, value, core.now(), done=False)
            self._journal_failed(error)
            if not safe:  # a full disk must not keep a heater on
                raise
            return Permit(signal, value, None, safe)
        return Permit(signal, value, intent, safe)

    def require_still(self, permit: Permit) -> None:
        """Raise when what *permit* allows may not be put any more: right before it would be."""
        core, signal = self._core, permit.signal
        not_now = core.in_custody(signal) if permit.safe else core.not_now(signal)
        if not_now is None and not permit.safe and core.means.hands.stopped:
            not_now = NotArmed("the bench is being made safe")
        if not_now is not None:
            raise type(not_now)(refusal(permit.signal, permit.value, str(not_now)))

    async def carry_out(self, permit: Permit, perform: Callable[[], Awaitable[T]]) -> T:
        """Do *perform*, which writes what *permit* allows, and record how it ended."""
        try:
            self.require_still(permit)
            result = await perform()
        except BaseException as error:
            self._ended(permit, repr(error))
            raise
        self._ended(permit)
        return result

    def _ended(self, permit: Permit, error: str = "") -> None:
        core = self._core
        core.rules.ended(permit.signal, permit.value, core.now(), done=not error)
        intent = permit.intent
        if intent is None:
            return
        if permit.safe:  # it is done; that it can't be noted undoes nothing
            core.recorder.later(lambda: core.audit.outcome(intent, permit.signal, error))
            core.recorder.catch_up()
            return
        try:
            core.recorder.now(lambda: core.audit.outcome(intent, permit.signal, error))
        except JournalUnwritable as failure:
            self._journal_failed(failure)
            raise

    def _refuse(self, signal: str, value: Any, why: WriteRefused) -> None:
        reason = str(why)
        try:
            self._core.recorder.now(lambda: self._core.audit.refusal(signal, value, reason))
        except JournalUnwritable as failure:
            self._journal_failed(failure)
            if not isinstance(why, NotArmed):  # that nothing can be written now is told in any case
                raise
        raise type(why)(refusal(signal, value, reason))

    def _require_journal(self, signal: str) -> None:
        """Raise what stands against recording: then nothing is written but safe values."""
        if self._core.holds.has(JOURNAL) and (failure := self._core.recorder.failure):
            raise type(failure)(f"{signal}: nothing has moved: {failure}")


def _counted_by_budgets(core: Core) -> frozenset[str]:
    found: set[str] = set()
    for spec in core.envelope.rules:
        if isinstance(spec, Budget):
            found.update(spec.writes)
            if spec.amounts:
                found.add(spec.amounts)
    return frozenset(found)


def refusal(signal: str, value: Any, reason: str) -> str:
    """Return what whoever asked for a write is told when it is refused."""
    return f"{signal}: asked for {plain(value)!r}: {reason}; nothing has moved"
