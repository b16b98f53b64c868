"""What is known of the bench: what each signal said and when, and what was written to it.

Unknown is what was never heard, isn't a finite number or one of its words, came with severity
INVALID, was lost, or wasn't confirmed for longer than it may be by the gate's own clock. Stamps of
records count only where the envelope says how often the server makes new ones: there a stamp must
change that often, and none may lie in the future. No clock is compared with another for
the first, so that a clock that jumps at the server changes nothing. Where the envelope says how
often a value changes at all (the noise of its sensor), one that doesn't for longer is unknown too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.language.values import Known, Term, Value
from controller.safety.rules.watcher import spread
from controller.safety.scene.moment import Moment
from controller.safety.scene.scene import Scene, fits
from controller.safety.scene.truths import Truths
from controller.safety.scene.values import scalar
from controller.safety.scene.written import Scalar, Written

MAX_AGE_S = 5.0
"""How long counts what a signal said that the envelope doesn't declare (real seconds)."""
AHEAD_S = 1.0
"""How far a stamp may be ahead of the gate's time: clocks of two machines differ (seconds)."""
INVALID = 3
"""The severity of Channel Access for a value that says nothing."""

Heard = Callable[[str, Scalar | None, Moment], bool]
"""Takes a value heard; returns whether the same value heard again would tell it nothing."""
_NEVER = float("-inf")
MARGIN = 1.0 / 16.0
"""The margin of a number with limits for which statements are judged, as a share of their range."""
_EARLY_S = 1e-3
"""So long before it might be stale a signal is looked at closely: sums of floats aren't exact."""


@dataclass(slots=True)
class _Signal:
    """What one signal said last."""

    term: Term | None
    max_age_s: float
    updates_every_s: float | None
    changes_every_s: float | None = None
    value: Scalar | None = None
    raw: Any = None
    heard_s: float = _NEVER
    stamp: float | None = None
    stamped_s: float = _NEVER
    changed_s: float = _NEVER
    why: str = "it was never heard"
    lapsed: bool = True
    """Whether nothing was known of it when it was looked at last."""
    quiet: bool = False
    """Whether nobody needs to be told that it says the same again."""

    def repeats(self, value: Any, severity: int) -> bool:
        """Whether it is known already that it says *value*."""
        return (
            severity == 0
            and not self.lapsed
            and self.updates_every_s is None
            and type(value) is type(self.raw)
            and isinstance(value, float | str | bool)
            and bool(value == self.raw)
        )

    def differs(self, value: Any) -> bool:
        """Whether *value* isn't exactly what it said last."""
        return self.changed_s == _NEVER or scalar(value) != scalar(self.raw)

    def fresh_until(self) -> float:
        """Return until when (real seconds) it counts what it said, if nothing more is heard."""
        until_s = self.heard_s + self.max_age_s
        if self.changes_every_s is not None:
            until_s = min(until_s, self.changed_s + self.changes_every_s)
        if self.updates_every_s is None:
            return until_s
        return min(until_s, self.stamped_s + self.updates_every_s + self.max_age_s)

    def stale(self, real_s: float) -> str:
        """Return why what it said doesn't count now, or an empty string."""
        if self.value is None:
            return self.why
        if not real_s - self.heard_s <= self.max_age_s:
            return f"not confirmed for {real_s - self.heard_s:.3g} s, allowed {self.max_age_s:g} s"
        same_s = real_s - self.changed_s
        if self.changes_every_s is not None and not same_s <= self.changes_every_s:
            return (
                f"stuck: exactly {self.value:.6g} for {same_s:.3g} s, where it changes every "
                f"{self.changes_every_s:g} s"
            )
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
            name: _Signal(w.term, w.max_age_s, w.updates_every_s, w.changes_every_s)
            for name, w in envelope.signals.items()
        }
        self._written: dict[str, Written] = {}
        self._words: dict[str, None] = {}
        self._hooks: dict[str, list[Heard]] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._above = _dependants(envelope.quantities)
        self.memo: dict[str, Value | None] = {}
        """What is known of names at the latest moment seen, as far as it was asked for."""
        self.choices: dict[str, tuple[Scalar, ...]] | None = None
        """The signals that may say one of several words then; None where nobody asked."""
        self.truths = Truths(_margins(envelope))
        """Which statements are so then, as far as it was asked for."""
        self._soonest_s = _NEVER
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
        if state.repeats(value, severity):
            state.heard_s = when.real_s
            if stamp != state.stamp:
                state.stamp, state.stamped_s = stamp, when.real_s
            if not state.quiet:
                self._tell(signal, state, when)
            return
        before = None if state.lapsed else state.value
        if state.changes_every_s is not None and state.differs(value):
            state.changed_s = when.real_s
        state.raw = value
        state.heard_s = when.real_s
        if stamp != state.stamp:
            state.stamp, state.stamped_s = stamp, when.real_s
        state.value, state.why = _seen(state, value, severity)
        ahead_s = 0.0 if stamp is None or wall is None else stamp - wall
        if state.updates_every_s is not None and not ahead_s <= AHEAD_S:
            state.value = None
            state.why = f"its time stamp is {ahead_s:.3g} s in the future"
        state.lapsed = bool(state.stale(when.real_s))
        if not state.lapsed:
            self._soonest_s = min(self._soonest_s, state.fresh_until() - _EARLY_S)
        after = None if state.lapsed else state.value
        if type(before) is not type(after) or before != after:
            self._changed(signal)
        self._tell(signal, state, when)

    def lost(self, signal: str) -> None:
        """Note that *signal* has no server: nothing is known until it is heard again."""
        state = self._of(signal)
        state.value, state.why, state.lapsed = None, "it is disconnected", True
        self._changed(signal)

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
        self._of(signal).quiet = False
        self._hooks.setdefault(signal, []).append(hook)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Have *listener* called with each signal of which something else is known than before."""
        self._listeners.append(listener)

    # --- what is known --------------------------------------------------------------------------

    def at(self, when: Moment) -> Moment:
        """Return *when*, or the latest moment seen where it lies before that."""
        if when.real_s > self._soonest_s:
            self._age(when.real_s)
        if when.campaign_s >= self._campaign_s and when.real_s >= self._real_s:
            self._campaign_s, self._real_s = when.campaign_s, when.real_s
            return when
        self._campaign_s = max(self._campaign_s, when.campaign_s)
        self._real_s = max(self._real_s, when.real_s)
        return Moment(self._campaign_s, self._real_s)

    def scene(self, when: Moment, supposing: Mapping[str, Any] | None = None) -> Scene:
        """Return what is known at *when*, or would be once *supposing* is written."""
        when = self.at(when)
        if self.truths.doubtful:
            self.truths.review(Scene(self, when, {}).known)
        supposed = {s: scalar(v) for s, v in supposing.items()} if supposing else {}
        return Scene(self, when, supposed)

    def known(self, when: Moment, supposing: Mapping[str, Any] | None = None) -> Known:
        """Return the same as a function of the name of a signal or quantity."""
        return self.scene(when, supposing).known

    def stale(self, when: Moment) -> tuple[str, ...]:
        """Return the declared signals of which nothing is known at *when*."""
        real_s = self.at(when).real_s
        return tuple(name for name in self.envelope.signals if self._signals[name].stale(real_s))

    def unheard(self, signals: Iterable[str]) -> bool:
        """Whether one of *signals* that the envelope declares has never said anything yet."""
        declared = self.envelope.signals
        return any(s in declared and self._signals[s].heard_s == _NEVER for s in signals)

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

    def above(self, signal: str) -> tuple[str, ...]:
        """Return the names of which other things are known when *signal* changes: its own too."""
        return self._above.get(signal, (signal,))

    def term(self, signal: str) -> Term | None:
        """Return what *signal* says: a number, words, true and false; None if undeclared."""
        state = self._signals.get(signal)
        return None if state is None else state.term

    def _of(self, signal: str) -> _Signal:
        return self._signals.setdefault(signal, _Signal(None, MAX_AGE_S, None))

    def _tell(self, signal: str, state: _Signal, when: Moment) -> None:
        """Let all who listen know what it says."""
        written = self._written.get(signal)
        value = state.value
        quiet = written is None
        if written is not None and value is not None:
            if written.settle(value, when.real_s):
                self._changed(signal)
            quiet = written.is_calm(value)
        for hook in self._hooks.get(signal, ()):
            quiet = hook(signal, value, when) and quiet
        state.quiet = quiet

    def _changed(self, signal: str) -> None:
        """Forget what was made of *signal*, and say so."""
        memo = self.memo
        for name in self.above(signal):
            memo.pop(name, None)
            self.truths.doubt(name)
        if signal in self._words:
            self.choices = None
        for listener in self._listeners:
            listener(signal)

    def _age(self, real_s: float) -> None:
        """Note which signals are known no longer at *real_s*, and when the next one may be."""
        soonest_s = float("inf")
        for name, state in self._signals.items():
            if state.lapsed:
                continue
            if state.stale(real_s):
                state.lapsed = True
                self._changed(name)
            else:
                soonest_s = min(soonest_s, state.fresh_until())
        self._soonest_s = soonest_s - _EARLY_S

    def _writes_of(self, signal: str) -> Written:
        """Return the writes of *signal*, which are about to change."""
        if signal in self._signals:
            self._signals[signal].quiet = False
        self._changed(signal)
        written = self._written.get(signal)
        if written is None:
            state = self._signals.get(signal)
            written = self._written[signal] = Written(None if state is None else state.value)
        return written


def _dependants(quantities: Mapping[str, Quantity]) -> dict[str, tuple[str, ...]]:
    """Return for each signal the names that depend on it: its own, and the quantities' above it."""
    found: dict[str, list[str]] = {}
    for name in quantities:
        for signal in spread([name], quantities):
            found.setdefault(signal, [signal]).append(name)
    return {signal: tuple(names) for signal, names in found.items()}


def _margins(envelope: Envelope) -> dict[str, float]:
    """Return the margins of what has limits: of signals, and of quantities by their setpoints."""
    found = {
        name: MARGIN * (limit.high - limit.low)
        for name, limit in envelope.limits.items()
        if isinstance(limit, Limit)
    }
    for name, quantity in envelope.quantities.items():
        if quantity.setpoint in found:
            found[name] = found[quantity.setpoint]
    return found


def _seen(state: _Signal, value: Any, severity: int) -> tuple[Scalar | None, str]:
    """Return what *value* says, and otherwise why it says nothing."""
    if not 0 <= severity < INVALID:
        return None, "its record says INVALID"
    found = scalar(value)
    fitting = found if state.term is None else fits(found, state.term)
    return fitting, "" if fitting is not None else f"it says {value!r:.40}"
