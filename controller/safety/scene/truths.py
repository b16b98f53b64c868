"""Which statements of rules are so, and how much may change before that must be judged anew.

A statement is judged for boxes: what is known of each number in it, and a margin on either side.
Interval arithmetic is inclusion isotonic (Moore, *Interval Analysis*, 1966), rounding included:
what is surely so for a box is so for all within it. While what is known stays within the boxes, it
need not be judged again, neither as the bench changes nor for what a write would make of it. What
isn't decided for the boxes is judged for just what is known, whenever that changes.
"""

from collections.abc import Callable, Mapping

from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Known, Truth, Value

SHARE = 0.125
"""The margin of a number without a margin of its own, as a share of it."""
_NOT_A_NUMBER = Interval(float("nan"), float("nan"))
"""The box of what isn't a number (now): nothing is within it."""


class Truths:
    """Remembers truths by the identity of statements; *margins* are those of names."""

    def __init__(self, margins: Mapping[str, float] | None = None) -> None:
        self._margins = margins or {}
        self._boxes: dict[str, Interval] = {}
        self._wide: dict[int, Truth] = {}
        self._exact: dict[int, Truth] = {}
        self._undecided: set[int] = set()
        """What needn't be judged for the boxes as they are."""
        self._statements: dict[int, Expression] = {}
        self._naming: dict[str, set[int]] = {}
        self._doubtful: set[str] = set()
        self._listeners: list[Callable[[int], None]] = []

    def on_forgotten(self, listener: Callable[[int], None]) -> None:
        """Have *listener* called with the identity of a statement that must be judged anew."""
        self._listeners.append(listener)

    def doubt(self, name: str) -> None:
        """Note that something else may be known of *name*; ``review`` sees what."""
        if name in self._naming:
            self._doubtful.add(name)

    def review(self, known: Known) -> None:
        """Forget what doesn't follow any more from what is *known*."""
        doubtful, self._doubtful = self._doubtful, set()
        for name in doubtful:
            if self.stays(name, known(name)):
                for key in self._exact.keys() & self._naming[name]:
                    self._forget(key, self._exact)
                continue
            self._boxes.pop(name, None)
            for key in self._naming[name]:
                self._undecided.discard(key)
                self._forget(key, self._exact)
                self._forget(key, self._wide)

    @property
    def doubtful(self) -> bool:
        """Whether there is something to review."""
        return bool(self._doubtful)

    def stays(self, name: str, value: Value | None) -> bool:
        """Whether what is sure would be so as well if *name* were *value*."""
        box = self._boxes.get(name)
        if box is None:
            return True
        return isinstance(value, Interval) and box.low <= value.low and value.high <= box.high

    def sure(self, keys: frozenset[int]) -> bool:
        """Whether the statements of the identities *keys* all are decided for the boxes."""
        return self._wide.keys() >= keys

    def decided(self, statement: Expression) -> Truth | None:
        """Return whether *statement* is so wherever in the boxes; None where that isn't known."""
        return self._wide.get(id(statement))

    def of(
        self, statement: Expression, known: Known, *, plain: bool, judge: Callable[[], Truth]
    ) -> Truth:
        """Return whether *statement* is so for what is *known*: what *judge* says of it.

        *plain* says that it needs no more than what is *known*: no choice between words.
        """
        key = id(statement)
        found = self._wide.get(key) or self._exact.get(key)
        if found is not None:
            return found
        self._meet(statement)
        if plain and key not in self._undecided:
            boxes = {name: self._box(name, known) for name in statement.names}
            found = statement.truth(boxes.__getitem__)
            if found is not Truth.UNKNOWN:
                self._wide[key] = found
                return found
            self._undecided.add(key)
        found = self._exact[key] = judge()
        return found

    def _box(self, name: str, known: Known) -> Value | None:
        """Return the box of *name*; of what isn't a number, what is known of it."""
        value = known(name)
        if not isinstance(value, Interval):
            self._boxes[name] = _NOT_A_NUMBER
            return value
        box = self._boxes.get(name)
        if box is None:
            margin = self._margins.get(name)
            if margin is None:
                margin = SHARE * max(abs(value.low), abs(value.high))
            box = self._boxes[name] = Interval(value.low - margin, value.high + margin)
        return box

    def _meet(self, statement: Expression) -> None:
        """Keep *statement*, lest another one has its identity."""
        if id(statement) not in self._statements:
            self._statements[id(statement)] = statement
            for name in statement.names:
                self._naming.setdefault(name, set()).add(id(statement))

    def _forget(self, key: int, where: dict[int, Truth]) -> None:
        if where.pop(key, None) is not None:
            for listener in self._listeners:
                listener(key)
