"""What was written to a signal: what counts, what is on its way, what nobody is sure of."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

Scalar = float | str | bool

ECHO_S = 2.0
"""How long after a write was done a monitor may still tell of the value before (real seconds): a
server sends in order, but what is on its way is on its way."""
KEPT = 64
"""How many writes of one signal may be on their way or in doubt; the oldest are joined."""


def same(one: Scalar, other: Scalar) -> bool:
    """Whether two values are one: numbers to what a record of single precision keeps."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return type(one) is type(other) and one == other


@dataclass(slots=True)
class Written:
    """The writes of one signal. Each has a number: a later one that was done ends all doubts."""

    ours: Scalar | None = None
    """The last that was done (or read, where none was ever made by us); None: nobody knows."""
    _number: int = 0
    _done: int = 0
    _in_flight: dict[int, Scalar | None] = field(default_factory=dict)
    _doubts: dict[int, Scalar | None] = field(default_factory=dict)
    _former: list[tuple[Scalar, float]] = field(default_factory=list)
    _anything_until: float = float("-inf")
    _doubted_s: float = float("-inf")

    def asked(self, value: Scalar | None) -> None:
        """Note that *value* is on its way."""
        self._number += 1
        self._in_flight[self._number] = value
        if len(self._in_flight) > KEPT:
            oldest = min(self._in_flight)
            self._doubts[oldest] = self._in_flight.pop(oldest)

    def ended(self, value: Scalar | None, real_s: float, *, done: bool) -> None:
        """Note that a write of *value* has ended; not *done* means that nobody knows."""
        number = next((n for n, v in self._in_flight.items() if _alike(v, value)), None)
        if number is None:
            return
        del self._in_flight[number]
        if number < self._done:  # a later one was done before: this one no longer counts
            return
        if not done:
            self._doubts[number] = value
            self._doubted_s = real_s
            return
        before = (self.ours, *self._doubts.values())
        self._former = [(v, t) for v, t in self._former if t >= real_s][-KEPT:]
        self._former += [(v, real_s + ECHO_S) for v in before if v is not None]
        if self.ours is None:  # nobody knew what it was: whatever it was may still be told
            self._anything_until = real_s + ECHO_S
        self.ours, self._done = value, number
        self._doubts = {n: v for n, v in self._doubts.items() if n > number}

    def adopt(self, value: Scalar | None) -> None:
        """Take *value*, which was read, for what counts: what we wrote before doesn't any more."""
        self.ours = value
        self._doubts.clear()
        self._former.clear()
        self._anything_until = float("-inf")

    def settle(self, value: Scalar, real_s: float) -> bool:
        """Note that the signal reads *value*: that ends doubts once nothing is on its way.

        Returns whether it has changed what it may have been given.
        """
        if self._in_flight or not (self._doubts or self._number == 0):
            return False
        late = real_s - self._doubted_s > ECHO_S
        if self._number == 0 or (late and self.explains(value, real_s)):
            self.ours = value
            self._doubts.clear()
            return True
        return False

    def is_calm(self, value: Scalar) -> bool:
        """Whether that the signal reads *value* is explained, or isn't, whatever the time."""
        if self._number == 0:
            return True
        busy = self._in_flight or self._doubts
        return not busy and self.ours is not None and same(self.ours, value)

    @property
    def touched(self) -> bool:
        """Whether a write of ours counts, is on its way or in doubt."""
        return self._number > 0

    def possible(self) -> Iterator[Scalar | None]:
        """Yield all values that it may have been given; None where that isn't one value."""
        yield self.ours
        yield from self._in_flight.values()
        yield from self._doubts.values()

    def explains(self, value: Scalar, real_s: float) -> bool:
        """Whether it is by us that the signal reads *value* now."""
        if self.ours is None or real_s <= self._anything_until:
            return True
        if any(v is not None and same(v, value) for v in self.possible()):
            return True
        return any(real_s <= until and same(v, value) for v, until in self._former)


def _alike(one: Scalar | None, other: Scalar | None) -> bool:
    if one is None or other is None:
        return one is other
    return type(one) is type(other) and one == other
