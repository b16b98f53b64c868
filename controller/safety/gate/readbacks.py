"""Limits on readbacks: that one is outside is recorded; what is done about it is for a rule."""

from typing import Any

from controller.safety.envelope.envelope import Limit
from controller.safety.gate.core import Core


class Readbacks:
    """Keeps what reads outside its limits, and records each change of that."""

    def __init__(self, core: Core) -> None:
        self._core = core
        limits = core.envelope.limits
        self._limits = {s: one for s, one in limits.items() if isinstance(one, Limit)}
        self._outside: dict[str, str] = {}

    @property
    def violations(self) -> tuple[str, ...]:
        """What is outside now, in words and in the order of the limits."""
        return tuple(
            self._outside[signal]
            for signal in self._core.envelope.limits
            if signal in self._outside
        )

    def heard(self, signal: str, value: Any) -> None:
        """Take in that *signal* reads *value*."""
        limit = self._limits.get(signal)
        if limit is None:
            return
        reason = limit.refuses(value)
        if not reason and signal not in self._outside:
            return
        before = self.violations
        if reason:
            shown = f"{value:g}" if isinstance(value, float | int) else repr(value)
            self._outside[signal] = f"{signal} reads {shown}: {reason}"
        else:
            self._outside.pop(signal, None)
        if self.violations != before:
            self._record(self.violations)

    def _record(self, violations: tuple[str, ...]) -> None:
        recorder = self._core.recorder
        recorder.later(lambda: self._core.audit.violations(violations))
        recorder.catch_up()
