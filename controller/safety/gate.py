"""The gate: the one place through which a value reaches a device.

Every write is judged against the envelope, recorded before it leaves and again when it
ended. A signal that the envelope doesn't name is not writable. The gate refuses and
never edits a value. It is a software layer beside the hardware's own interlocks, claims
no integrity level, and never replaces them.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from controller.errors import JournalUnwritable, NotArmed, WriteRefused
from controller.safety.audit import Audit
from controller.safety.envelope import Envelope
from controller.safety.values import plain

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


class Gate:
    """Judges, records and performs writes; each is judged at once, in the order of asking."""

    def __init__(self, envelope: Envelope, audit: Audit) -> None:
        self.envelope = envelope
        self._audit = audit
        self._violations: tuple[str, ...] = ()

    async def write(
        self, signal: str, value: Any, perform: Callable[[], Awaitable[T]], *, local: bool = False
    ) -> T:
        """Do *perform* (which writes *value* to *signal*) if the envelope allows it.

        Raises WriteRefused, with nothing moved, when it doesn't, and JournalUnwritable when the
        record can't be made, unless *value* is the one that makes the signal safe.
        """
        return await self.carry_out(self.admit(signal, value), perform)

    def admit(self, signal: str, value: Any, *, request: str = "", not_now: str = "") -> Permit:
        """Judge a write and record it as intended; *request* is the id of who asked elsewhere.

        *not_now* is why nothing may be written at present but what makes a signal safe; the
        limits come first. Raises as ``write`` does.
        """
        self.judge(signal, value, not_now=not_now)
        try:
            return Permit(signal, value, self._audit.intent(signal, value, request))
        except JournalUnwritable:
            if self.envelope.is_safe(signal, value):  # a full disk must not keep a heater on
                return Permit(signal, value, None)
            raise

    def judge(self, signal: str, value: Any, *, not_now: str = "") -> None:
        """Raise WriteRefused, and record that, when *value* may not be written to *signal* now.

        NotArmed is raised for *not_now*, the reason why nothing may be but safe values.
        """
        reason = self.reason_against(signal, value)
        if reason:
            self._audit.refusal(signal, value, reason)
            raise WriteRefused(refusal(signal, value, reason))
        if not_now and not self.envelope.is_safe(signal, value):
            self._audit.refusal(signal, value, not_now)
            raise NotArmed(refusal(signal, value, not_now))

    async def carry_out(self, permit: Permit, perform: Callable[[], Awaitable[T]]) -> T:
        """Do *perform*, which writes what *permit* allows, and record how it ended."""
        try:
            result = await perform()
        except BaseException as error:
            self._ended(permit, repr(error))
            raise
        self._ended(permit)
        return result

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may not be written to *signal* now, or an empty string."""
        return self.envelope.reason_against(signal, value)

    def watch(self, readings: Mapping[str, float]) -> tuple[str, ...]:
        """Return what *readings* violate of the limits on readbacks; changes are recorded."""
        violations = tuple(
            f"{signal} reads {readings[signal]:g}: {reason}"
            for signal, limit in self.envelope.limits.items()
            if signal in readings and (reason := limit.refuses(readings[signal]))
        )
        if violations != self._violations:
            self._violations = violations
            self._audit.violations(violations)
        return violations

    def _ended(self, permit: Permit, error: str = "") -> None:
        if permit.intent is None:
            return
        if self.envelope.is_safe(permit.signal, permit.value):
            with suppress(JournalUnwritable):  # it is done; that it can't be noted undoes nothing
                self._audit.outcome(permit.intent, permit.signal, error)
            return
        self._audit.outcome(permit.intent, permit.signal, error)


def refusal(signal: str, value: Any, reason: str) -> str:
    """Return what whoever asked for a write is told when it is refused."""
    return f"{signal}: asked for {plain(value)!r}: {reason}; nothing has moved"
