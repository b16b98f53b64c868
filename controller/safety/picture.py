"""What is known of the bench: what each signal said and when, and what was written to it.

Unknown is what was never heard, isn't a finite number or one of its words, came with severity
INVALID, was lost, or wasn't confirmed for longer than it may be by the gate's own clock. Stamps of
records count only where the envelope says how often the server makes new ones: there a stamp must
change that often, and none may lie in the future. No clock is compared with another for
the first, so that a clock that jumps at the server changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.safety.envelope import Envelope
from controller.safety.language.values import Known, Term
from controller.safety.moment import Moment
from controller.safety.scene import Scene, fits
from controller.safety.values import scalar
from controller.safety.written import Scalar, Written

MAX_AGE_S = 5.0
"""How long counts what a signal said that the envelope doesn't declare (real seconds)."""
AHEAD_S = 1.0
"""How far a stamp may be ahead of the gate's time: clocks of two machines differ (seconds)."""
INVALID = 3
"""The severity of Channel Access for a value that says nothing."""

Heard = Callable[[str, Scalar | None, Moment], None]
_NEVER = float("-inf")


@dataclass(slots=True)
class _Signal:
    """What one signal said last."""

    term: Term | None
    max_age_s: float
    updates_every_s: float | None
    value: Scalar | None = None
    raw: Any = None
    heard_s: float = _NEVER
    stamp: float | None = None
    stamped_s: float = _NEVER
    why: str = "it was never heard"

    def stale(self, real_s: float) -> str:
        """Return why what it said doesn't count now, or an empty string."""
        if self.value is None:
            return self.why
        if not real_s - self.heard_s <= self.max_age_s:
            return f"not confirmed for {real_s - self.heard_s:.3g} s, allowed {self.max_age_s:g} s"
        if self.updates_every_s is None:
            return ""
        silent_s = real_s - self.stamped_s
        if silent_s <= self.updates_every_s + self.max_age_s:  # read twice per age, not at once
            return ""
        return f"its server has made no new value for {silent_s:.3g} s"


class Picture:
    """Keeps what was heard and what was written; all in one thread."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self._signals: dict[str, _Signal] = {
            name: _Signal(w.term, w.max_age_s, w.updates_every_s)
            for name, w in envelope.signals.items()
        }
        self._written: dict[str, Written] = {}
        self._words: dict[str, None] = {}
        self._hooks: dict[str, list[Heard]] = {}
        self._campaign_s = self._real_s = _NEVER

    # --- what comes in --------------------------------------------------------------------------

    def heard(
        self,
        signal: str,
        value: Any,
        when: Moment,
        *,
        severity: int = 0,
        stamp: float | None = None,
        wall: float | None = None,
    ) -> None:
        """Note that *signal* says *value* (an enumeration's as its word), or that it still does.

        *stamp* is the record's own time and *wall* the gate's, both in seconds since 1970.
        """
        when = self.at(when)
        state = self._of(signal)
        state.raw = value
        state.heard_s = when.real_s
        if stamp != state.stamp:
            state.stamp, state.stamped_s = stamp, when.real_s
        state.value, state.why = _seen(state, value, severity)
        ahead_s = 0.0 if stamp is None or wall is None else stamp - wall
        if state.updates_every_s is not None and not ahead_s <= AHEAD_S:
            state.value = None
            state.why = f"its time stamp is {ahead_s:.3g} s in the future"
        written = self._written.get(signal)
        if written is not None and state.value is not None:
            written.settle(state.value, when.real_s)
        for hook in self._hooks.get(signal, ()):
            hook(signal, state.value, when)

    def lost(self, signal: str) -> None:
        """Note that *signal* has no server: nothing is known until it is heard again."""
        state = self._of(signal)
        state.value, state.why = None, "it is disconnected"

    def asked(self, signal: str, value: Any) -> None:
        """Note that *value* is on its way to *signal*."""
        value = scalar(value)
        if not isinstance(value, float):
            self._words[signal] = None
        self._writes_of(signal).asked(value)

    def ended(self, signal: str, value: Any, when: Moment, *, done: bool) -> None:
        """Note how that ended; not *done* means that nobody knows."""
        self._writes_of(signal).ended(scalar(value), self.at(when).real_s, done=done)

    def adopt(self, signal: str, now: Any = None) -> Scalar | None:
        """Take what *signal* reads for what it was given: a person has moved it, or has seen it.

        *now* is what it was just read to be, and is returned as rules see it; None when it isn't
        what is heard of the signal (a word for a number).
        """
        heard, read = self._of(signal).value, scalar(now)
        known = read is not None and (heard is None or type(read) is type(heard))
        self._writes_of(signal).adopt(read if known else heard)
        return read if known else None

    def listen(self, signal: str, hook: Heard) -> None:
        """Have *hook* called with each value heard of *signal*; None for one that says nothing."""
        self._of(signal)
        self._hooks.setdefault(signal, []).append(hook)

    # --- what is known --------------------------------------------------------------------------

    def at(self, when: Moment) -> Moment:
        """Return *when*, or the latest moment seen where it lies before that."""
        if when.campaign_s >= self._campaign_s and when.real_s >= self._real_s:
            self._campaign_s, self._real_s = when.campaign_s, when.real_s
            return when
        self._campaign_s = max(self._campaign_s, when.campaign_s)
        self._real_s = max(self._real_s, when.real_s)
        return Moment(self._campaign_s, self._real_s)

    def scene(self, when: Moment, supposing: Mapping[str, Any] | None = None) -> Scene:
        """Return what is known at *when*, or would be once *supposing* is written."""
        supposed = {s: scalar(v) for s, v in supposing.items()} if supposing else {}
        return Scene(self, self.at(when), supposed)

    def known(self, when: Moment, supposing: Mapping[str, Any] | None = None) -> Known:
        """Return the same as a function of the name of a signal or quantity."""
        return self.scene(when, supposing).known

    def stale(self, when: Moment) -> tuple[str, ...]:
        """Return the declared signals of which nothing is known at *when*."""
        real_s = self.at(when).real_s
        return tuple(name for name in self.envelope.signals if self._signals[name].stale(real_s))

    def value(self, signal: str) -> Any:
        """Return what *signal* said last, as it said it; None before that."""
        state = self._signals.get(signal)
        return None if state is None else state.raw

    def read(self, signal: str, real_s: float) -> Scalar | None:
        """Return what *signal* says, while that counts at *real_s*."""
        state = self._signals.get(signal)
        return None if state is None or state.stale(real_s) else state.value

    def why_unknown(self, signal: str, real_s: float) -> str:
        """Return why nothing is known of *signal*, or an empty string."""
        state = self._signals.get(signal)
        return "it was never heard" if state is None else state.stale(real_s)

    def written(self, signal: str) -> Written | None:
        """Return what was written to *signal*; None when nothing was."""
        return self._written.get(signal)

    def written_words(self) -> tuple[str, ...]:
        """Return the signals to which a word, true or false was ever written."""
        return tuple(self._words)

    def term(self, signal: str) -> Term | None:
        """Return what *signal* says: a number, words, true and false; None if undeclared."""
        state = self._signals.get(signal)
        return None if state is None else state.term

    def _of(self, signal: str) -> _Signal:
        return self._signals.setdefault(signal, _Signal(None, MAX_AGE_S, None))

    def _writes_of(self, signal: str) -> Written:
        written = self._written.get(signal)
        if written is None:
            state = self._signals.get(signal)
            written = self._written[signal] = Written(None if state is None else state.value)
        return written


def _seen(state: _Signal, value: Any, severity: int) -> tuple[Scalar | None, str]:
    """Return what *value* says, and otherwise why it says nothing."""
    if not 0 <= severity < INVALID:
        return None, "its record says INVALID"
    found = scalar(value)
    fitting = found if state.term is None else fits(found, state.term)
    return fitting, "" if fitting is not None else f"it says {value!r:.40}"
