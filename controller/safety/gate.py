"""The gate: the one place through which a value reaches a device.

Every write is judged against the envelope, recorded before it leaves and again when it
ended. A signal that the envelope doesn't name is not writable. The gate refuses and
never edits a value. It is a software layer beside the hardware's own interlocks, claims
no integrity level, and never replaces them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from controller.errors import JournalUnwritable, WriteRefused
from controller.safety.audit import Audit
from controller.safety.envelope import Envelope

T = TypeVar("T")


class Gate:
    """Judges, records and performs writes; each is judged at once, in the order of asking."""

    def __init__(self, envelope: Envelope, audit: Audit) -> None:
        self.envelope = envelope
        self._audit = audit
        self._violations: tuple[str, ...] = ()

    async def write(self, signal: str, value: Any, perform: Callable[[], Awaitable[T]]) -> T:
        """Do *perform* (which writes *value* to *signal*) if the envelope allows it.

        Raises WriteRefused, with nothing moved, when it doesn't, and JournalUnwritable when the
        record can't be made, unless *value* is the one that makes the signal safe.
        """
        reason = self.reason_against(signal, value)
        if reason:
            self._audit.refusal(signal, value, reason)
            raise WriteRefused(f"{signal}: asked for {value!r}: {reason}; nothing has moved")
        return await self._perform(signal, value, perform)

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may not be written to *signal* now, or an empty string."""
        if self.envelope.is_free(signal):
            return ""
        limit = self.envelope.limits.get(signal)
        if limit is None:
            return f"envelope {self.envelope.name!r} neither limits it nor lists it as free"
        return limit.refuses(value)

    def _is_safe(self, signal: str, value: Any) -> bool:
        limit = self.envelope.limits.get(signal)
        return limit is not None and limit.safe(value)

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

    async def _perform(self, signal: str, value: Any, perform: Callable[[], Awaitable[T]]) -> T:
        try:
            number = self._audit.intent(signal, value)
        except JournalUnwritable:
            if self._is_safe(signal, value):  # a full disk must not keep a heater on
                return await perform()
            raise
        try:
            result = await perform()
        except BaseException as error:
            self._audit.outcome(number, signal, error=repr(error))
            raise
        self._audit.outcome(number, signal)
        return result
