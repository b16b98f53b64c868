"""States of a bench that keep or break a rule: found by trying, the same ones every time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from controller.commissioning.rig import Values
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.specs import Arrival
from controller.safety.envelope.supposing import Supposed, exactly
from controller.safety.language.expression import Expression
from controller.safety.language.values import Truth

TRIES = 4000
"""So many states are tried before a rule counts as one that can't be driven."""
_MAGNITUDES = [10.0**power for power in range(-3, 7)]
_OPEN = [0.0, *_MAGNITUDES, *(-value for value in _MAGNITUDES)]
_STEPS = 16
_HALVINGS = 60
FINE = 1e-6
"""How near to its limit, as a part of it, a signal is taken on both sides."""
Candidate = float | str | bool


@dataclass(frozen=True, slots=True)
class Edge:
    """One *signal* that takes a rule over its limit, all others as in *kept*."""

    kept: Values
    signal: str
    inside: Candidate
    outside: Candidate


class States:
    """Looks for states of the bench of *envelope*; *known* are what signals read that are there."""

    def __init__(self, envelope: Envelope, known: Values | None = None) -> None:
        self.envelope = envelope
        self._pairs = dict(_pairs(envelope))
        self._rng = Random(0)
        self.start = {**self._at_rest(), **(known or {})}

    def truth(self, expression: Expression, values: Values) -> Truth:
        """Return what *expression* is where signals read *values*."""
        said = {signal: exactly(value) for signal, value in values.items()}
        return expression.truth(Supposed(self.envelope.quantities, said).known)

    def number(self, expression: Expression, values: Values) -> float | None:
        """Return the value of *expression* where signals read *values*; None for none."""
        said = {signal: exactly(value) for signal, value in values.items()}
        found = expression.interval(Supposed(self.envelope.quantities, said).known)
        return None if found is None else found.high

    def signals_of(self, *expressions: Expression | None) -> tuple[str, ...]:
        """Return the signals that *expressions* name, quantities taken apart."""
        names = [name for e in expressions if e is not None for name in sorted(e.names)]
        return tuple(dict.fromkeys(signal for name in names for signal in self._apart(name)))

    def find(
        self, signals: tuple[str, ...], wanted: Callable[[Values], bool], start: Values
    ) -> Values | None:
        """Return *start* with *signals* changed so that it is as *wanted*; None if none is found.

        Setpoints take their readbacks with them, as they do in the long run.
        """
        if wanted(start):
            return dict(start)
        for _ in range(TRIES):
            values = dict(start)
            for signal in signals:
                if self._rng.random() < 0.6:  # else as it was: most rules break by little
                    self.put(values, signal, self._rng.choice(self.candidates(signal)))
            if wanted(values):
                return values
        return None

    def edges(
        self, signals: tuple[str, ...], kept: Values, holds: Callable[[Values], bool]
    ) -> Iterator[Edge]:
        """Yield, for each of *signals* that can break it alone, where it stops to hold."""
        for signal in signals:
            for value in sorted(self.candidates(signal), key=str):
                if not holds({**kept, signal: value}):
                    yield self._edge(signal, kept, value, holds)
                    break

    def put(self, values: Values, signal: str, value: Candidate) -> None:
        """Let *signal* be *value*, and what follows it too."""
        values[signal] = value
        readback = self._pairs.get(signal)
        if readback is not None:
            values[readback] = value

    def candidates(self, signal: str) -> list[Candidate]:
        """Return what *signal* may read: its words, its limits and between, or any magnitude."""
        limit = self.envelope.limits.get(signal)
        setpoint = next((s for s, r in self._pairs.items() if r == signal), signal)
        limit = limit or self.envelope.limits.get(setpoint)
        if isinstance(limit, Limit):
            width = limit.high - limit.low
            inside = [limit.low + width * i / _STEPS for i in range(_STEPS + 1)]
            beyond = [limit.low - width, limit.high + width] if signal != setpoint else []
            return [*inside, *beyond]
        if limit is not None:
            return list(limit.options)
        watched = self.envelope.signals.get(signal)
        if watched is not None and watched.term.words:
            return list(watched.term.words)
        if watched is not None and watched.term.unit is None:
            return [False, True]
        return list(_OPEN)

    def _edge(
        self, signal: str, kept: Values, value: Candidate, holds: Callable[[Values], bool]
    ) -> Edge:
        inside, outside = kept[signal], value
        if isinstance(inside, float) and isinstance(outside, float):
            for _ in range(_HALVINGS):
                middle = (inside + outside) / 2.0
                if abs(outside - inside) <= FINE * max(abs(outside), abs(inside)):
                    break
                if holds({**kept, signal: middle}):
                    inside = middle
                else:
                    outside = middle
        return Edge(kept, signal, inside, outside)

    def _at_rest(self) -> Values:
        """Return the bench as the safe sequence leaves it, as far as that says."""
        safe, values = self.envelope.safe_values(), Values()
        for signal, limit in self.envelope.limits.items():
            rest = limit.low if isinstance(limit, Limit) else limit.options[0]
            self.put(values, signal, safe.get(signal, rest))
        for signal in self.envelope.signals:
            values.setdefault(signal, self.candidates(signal)[0])
        return values

    def _apart(self, name: str) -> tuple[str, ...]:
        quantity = self.envelope.quantities.get(name)
        if quantity is None:
            return (name,)
        if quantity.expression is not None:
            return self.signals_of(quantity.expression)
        return quantity.setpoint, quantity.readback


def _pairs(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Yield each setpoint with what reads it back."""
    for quantity in envelope.quantities.values():
        if quantity.setpoint:
            yield quantity.setpoint, quantity.readback
    for rule in envelope.rules:
        if isinstance(rule, Arrival):
            yield rule.setpoint, rule.readback
