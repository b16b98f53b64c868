"""Whether statements can be so together: all that signals may say is halved until it is clear.

A statement that is false for all values of a part of it (intervals) is false in every point there.
Where each part has one, they are never so together, and that is proven. Where that takes too long
they are taken to be possible: nothing that can be so is ever called impossible.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.envelope.supposing import Supposed
from controller.safety.language.values import Interval, Known, Truth, Value

MOST_PARTS = 1000
"""How many parts are looked at: some tens for each comparison that matters."""
FARTHEST = 1e150
"""No instrument says more, in whatever unit; and no product of two is too large to compute with."""
Statement = Callable[[Known], Truth]
Box = Mapping[str, tuple[Value, ...] | Interval]
"""For each signal the words, or true and false, that it may say; or the numbers."""


def never_together(
    statements: Sequence[Statement], names: Iterable[str], envelope: Envelope
) -> bool:
    """Whether it is proven that no values within the limits make all of *statements* so.

    *names* are the signals and quantities that they name. A signal without limits says anything.
    """

    def so(box: Box) -> Truth:
        known = _known(box, envelope)
        truths = {statement(known) for statement in statements}
        if Truth.FALSE in truths:
            return Truth.FALSE
        return Truth.UNKNOWN if Truth.UNKNOWN in truths else Truth.TRUE

    waiting = [_box(envelope, signals_of(names, envelope))]
    for _ in range(MOST_PARTS):
        if not waiting:
            return True
        box = waiting.pop()
        if any(so(point) is Truth.TRUE for point in _points(box)):
            return False
        ways = [[(part, so(part)) for part in way] for way in _ways(box)]
        if not ways:  # one point, and not even there it is known
            return False
        best = max(ways, key=lambda way: sum(truth is Truth.FALSE for _, truth in way))
        if any(truth is Truth.TRUE for _, truth in best):
            return False
        waiting += [part for part, truth in best if truth is Truth.UNKNOWN]
    return False


def signals_of(names: Iterable[str], envelope: Envelope) -> frozenset[str]:
    """Return the signals of *names*, quantities taken apart."""
    found: set[str] = set()
    for name in names:
        quantity = envelope.quantities.get(name)
        if quantity is None:
            found.add(name)
        elif quantity.expression is not None:
            found |= signals_of(quantity.expression.names, envelope)
        else:
            found |= {quantity.setpoint, quantity.readback}
    return frozenset(found)


def _box(envelope: Envelope, signals: frozenset[str]) -> Box:
    return {signal: _all_of(envelope, signal) for signal in sorted(signals)}


def _all_of(envelope: Envelope, signal: str) -> tuple[Value, ...] | Interval:
    limit = envelope.limits.get(signal)
    match limit:
        case Limit():
            return Interval(limit.low, limit.high)
        case Members():
            return limit.options
    term = envelope.signals[signal].term
    if term.unit is not None:
        return Interval(-FARTHEST, FARTHEST)
    return term.words or (True, False)


def _known(box: Box, envelope: Envelope) -> Known:
    values = {
        signal: part if isinstance(part, Interval) else part[0]
        for signal, part in box.items()
        if isinstance(part, Interval) or len(part) == 1
    }
    return Supposed(envelope.quantities, values).known


def _points(box: Box) -> Iterator[Box]:
    """Yield both ends of *box*, and its middle: most rules are kept there."""
    for share in (0.0, 0.5, 1.0):
        yield {signal: _point(part, share) for signal, part in box.items()}


def _point(part: tuple[Value, ...] | Interval, share: float) -> tuple[Value, ...] | Interval:
    if not isinstance(part, Interval):
        return part
    number = part.low * (1.0 - share) + part.high * share
    return Interval(number, number)


def _ways(box: Box) -> list[list[Box]]:
    """Return the ways to part *box*: by a word, or by halving a number; the widest comes first."""
    for signal, part in box.items():
        if not isinstance(part, Interval) and len(part) > 1:
            return [[{**box, signal: (word,)} for word in part]]
    numbers = {signal: part for signal, part in box.items() if isinstance(part, Interval)}
    widest = sorted(numbers, key=lambda signal: -_count(numbers[signal]))
    return [
        [{**box, signal: half} for half in _halved(numbers[signal])]
        for signal in widest
        if _count(numbers[signal]) > 0
    ]


def _count(part: Interval) -> int:
    return _place(part.high) - _place(part.low)


def _halved(part: Interval) -> Iterator[Interval]:
    """Yield both halves of a number's values, counted as a computer has them: dense around 0."""
    low, high = _place(part.low), _place(part.high)
    middle = (low + high) // 2
    yield Interval(part.low, _at(middle))
    yield Interval(_at(middle + 1), part.high)


def _place(number: float) -> int:
    """Return which *number* it is, counted from 0, of all that a computer has."""
    (bits,) = struct.unpack("<q", struct.pack("<d", number))
    return int(bits) if bits >= 0 else -int(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _at(place: int) -> float:
    (number,) = struct.unpack("<d", struct.pack("<q", abs(place)))
    return float(number) if place >= 0 else -float(number)
