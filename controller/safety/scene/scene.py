"""All that is known at one moment, or would be after a write, for expressions to look at.

A number is the hull of what it was last commanded, what is on its way, what is supposed and what
is read: one axis moves per command, so that the hull holds the whole way there. Of a word several
may be possible at once; a statement is then looked at for each.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Protocol

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.envelope import Envelope
from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Known, Term, Truth, Value
from controller.safety.scene.moment import Moment
from controller.safety.scene.truths import Truths
from controller.safety.scene.written import Scalar, Written

MOST_CASES = 64
"""How many combinations of words are looked at; beyond, nothing is known of them."""
_TOLD = 6
"""How many signals a sentence names."""
_MISSING = object()


class Source(Protocol):
    """What a scene is made of (the picture)."""

    envelope: Envelope
    memo: dict[str, Value | None]
    choices: dict[str, tuple[Scalar, ...]] | None
    truths: Truths

    def read(self, signal: str, real_s: float) -> Scalar | None: ...  # noqa: D102
    def why_unknown(self, signal: str, real_s: float) -> str: ...  # noqa: D102
    def written(self, signal: str) -> Written | None: ...  # noqa: D102
    def written_words(self) -> Iterable[str]: ...  # noqa: D102
    def term(self, signal: str) -> Term | None: ...  # noqa: D102
    def above(self, signal: str) -> Iterable[str]: ...  # noqa: D102


class Scene:
    """The latest moment seen; what was looked up once is kept as long as nothing changes it."""

    def __init__(self, source: Source, when: Moment, supposed: Mapping[str, Scalar | None]) -> None:
        self.when = when
        self._source = source
        self._supposed = supposed
        self._quantities = source.envelope.quantities
        self._choices: dict[str, tuple[Scalar, ...]] | None = None
        self._stays: bool | None = None
        self._memo = source.memo
        self._above: tuple[str, ...] = ()
        if supposed:
            self._memo = dict(source.memo)
            self._above = tuple(one for signal in supposed for one in source.above(signal))
            for name in self._above:
                self._memo.pop(name, None)

    def known(self, name: str) -> Value | None:
        """Return what the signal or quantity *name* may be; None when that isn't known."""
        found = self._memo.get(name, _MISSING)
        if found is _MISSING:
            quantity = self._quantities.get(name)
            value = self._signal(name) if quantity is None else self._quantity(quantity)
            self._memo[name] = value
            return value
        return found  # type: ignore[return-value]

    def read(self, signal: str) -> Scalar | None:
        """Return what *signal* itself says, while that counts."""
        return self._source.read(signal, self.when.real_s)

    def explains(self, signal: str, value: Scalar) -> bool | None:
        """Whether it is by us that *signal* says *value*; None while we have written nothing."""
        written = self._source.written(signal)
        if written is None or not written.touched:
            return None
        return written.explains(value, self.when.real_s)

    def truth(self, statement: Expression) -> Truth:
        """Return whether *statement* is so, whichever of the possible words hold."""
        truths = self._source.truths
        if self._supposed:
            decided = truths.decided(statement) if self.changes_nothing_sure else None
            return self._truth(statement) if decided is None else decided
        choices = self._words()
        plain = not choices or statement.names.isdisjoint(choices)
        return truths.of(statement, self.known, plain=plain, judge=lambda: self._truth(statement))

    @property
    def changes_nothing_sure(self) -> bool:
        """Whether what is surely so (or not) without what is supposed is so with it, too."""
        if self._stays is None:
            truths = self._source.truths
            self._stays = all(truths.stays(name, self.known(name)) for name in self._above)
        return self._stays

    def _truth(self, statement: Expression) -> Truth:
        choices = self._words()
        open_ones = [name for name in choices if name in statement.names] if choices else ()
        if not open_ones:
            return statement.truth(self.known)
        found = {statement.truth(known) for known in self._cases(open_ones, choices)}
        return found.pop() if len(found) == 1 else Truth.UNKNOWN

    def told(self, names: Iterable[str]) -> str:
        """Return what is known of *names*, in words: ``exhaust.flow is 1.2 L/min``."""
        ordered = sorted(names)
        said = [self._told(name) for name in ordered[:_TOLD]]
        return ", ".join(said) + (" …" if len(ordered) > _TOLD else "")

    def unit(self, name: str) -> str:
        """Return the unit of a signal or quantity; empty where it has none."""
        quantity = self._quantities.get(name)
        if quantity is not None:
            return quantity.unit
        term = self._source.term(name)
        return (term.unit or "") if term is not None else ""

    # --- numbers --------------------------------------------------------------------------------

    def _quantity(self, quantity: Quantity) -> Interval | None:
        if quantity.expression is not None:
            return quantity.expression.interval(self.known)
        read = self.read(quantity.readback)
        if not isinstance(read, float):
            return None
        setpoint = self._signal(quantity.setpoint)
        if not isinstance(setpoint, Interval):
            return None
        return Interval(min(setpoint.low, read), max(setpoint.high, read))

    def _signal(self, name: str) -> Value | None:
        """Return what *name* may be: what it says, and what it was or would be given."""
        if name not in self._supposed and self._source.written(name) is None:
            read = self.read(name)  # most signals are only ever read
            return Interval(read, read) if isinstance(read, float) else read
        values = list(self._possible(name))
        first = values[0] if values else None
        if isinstance(first, float):
            return _hull(values)
        return first if all(v == first for v in values) else None  # of words: see ``truth``

    def _possible(self, name: str) -> Iterator[Scalar | None]:
        """Yield all values that *name* may have; one None means that nobody knows."""
        read = self.read(name)
        written = self._source.written(name)
        if read is None and (written is None or self._source.term(name) is not None):
            yield None  # a declared signal must be heard, whatever we wrote
            return
        if read is not None:
            yield read
        given: list[Scalar | None] = []
        if written is not None and written.touched:
            given += written.possible()
        if name in self._supposed:
            given.append(self._supposed[name])
        term = self._source.term(name)
        yield from given if term is None else (fits(value, term) for value in given)

    # --- words ----------------------------------------------------------------------------------

    def _words(self) -> dict[str, tuple[Scalar, ...]]:
        """Return the written signals that may have one of several words, or be true or false."""
        if not self._supposed:
            if self._source.choices is None:
                self._source.choices = self._open(self._source.written_words())
            return self._source.choices
        if self._choices is None:
            supposed = [n for n, value in self._supposed.items() if not isinstance(value, float)]
            self._choices = self._open((*self._source.written_words(), *supposed))
        return self._choices

    def _open(self, names: Iterable[str]) -> dict[str, tuple[Scalar, ...]]:
        """Return those of *names* that may have one of several words, and which."""
        found: dict[str, tuple[Scalar, ...]] = {}
        for name in names:
            values = list(dict.fromkeys(self._possible(name)))
            words = tuple(v for v in values if isinstance(v, (str, bool)))
            if len(words) > 1 and len(words) == len(values):
                found[name] = words
        return found

    def _cases(
        self, names: Collection[str], choices: Mapping[str, tuple[Scalar, ...]]
    ) -> Iterator[Known]:
        cases = 1
        for name in names:
            cases *= len(choices[name])
        if cases > MOST_CASES:
            yield self.known
            return
        for words in product(*(choices[name] for name in names)):
            yield self._with(dict(zip(names, words, strict=True)))

    def _with(self, words: Mapping[str, Scalar]) -> Known:
        def known(name: str) -> Value | None:
            word = words.get(name)
            return word if isinstance(word, (str, bool)) else self.known(name)

        return known

    # --- sentences ------------------------------------------------------------------------------

    def _told(self, name: str) -> str:
        value = self.known(name)
        unit = self.unit(name)
        unit = f" {unit}" if unit else ""
        if isinstance(value, Interval):
            if value.low == value.high:
                return f"{name} is {value.low:.6g}{unit}"
            return f"{name} is between {value.low:.6g} and {value.high:.6g}{unit}"
        if value is not None:
            return f"{name} is {value}"
        words = self._words().get(name)
        if words is not None:
            return f"{name} is {' or '.join(str(word) for word in words)}"
        return f"{name} is unknown ({self._why(name)})"

    def _why(self, name: str) -> str:
        quantity = self._quantities.get(name)
        if quantity is None:
            return self._source.why_unknown(name, self.when.real_s) or "it wasn't read yet"
        if quantity.expression is not None:
            unknown = [n for n in sorted(quantity.expression.names) if self.known(n) is None]
            return f"{unknown[0]}: {self._why(unknown[0])}" if unknown else "it has no value"
        for signal in (quantity.readback, quantity.setpoint):
            why = self._source.why_unknown(signal, self.when.real_s)
            if why:
                return f"{signal}: {why}"
        return "it has no value"


def fits(value: Scalar | None, term: Term) -> Scalar | None:
    """Return *value* as *term* has it; None where it is no such thing."""
    if term.unit is not None:
        return value if isinstance(value, float) else None
    if term.words:
        return value if isinstance(value, str) and value in term.words else None
    if value in (0.0, 1.0) and isinstance(value, float):  # records of two states say numbers
        return bool(value)
    return value if isinstance(value, bool) else None


def _hull(values: list[Scalar | None]) -> Interval | None:
    """Return all between *values*; None where one of them is no number."""
    low, high = math.inf, -math.inf
    for value in values:
        if not isinstance(value, float):
            return None
        low, high = min(low, value), max(high, value)
    return Interval(low, high)
