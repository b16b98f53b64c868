"""What every rule does when it is watched: judge a write, note what happens, say how it stands.

Watchers are pure: all they know is what they were told, and the scene that they are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Reaction, RuleSpec
from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Truth, Value
from controller.safety.scene.moment import Moment

Scalar = float | str | bool


class Scene(Protocol):
    """All that is known at one moment, or would be after a write."""

    @property
    def when(self) -> Moment:
        """The moment, never before one that was seen."""
        ...

    def known(self, name: str) -> Value | None:
        """Return what a signal or quantity may be; None when that isn't known."""
        ...

    def read(self, signal: str) -> Scalar | None:
        """Return what *signal* itself says, while that counts."""
        ...

    def explains(self, signal: str, value: Scalar) -> bool | None:
        """Whether it is by us that *signal* says *value*; None while we have written nothing."""
        ...

    def truth(self, statement: Expression) -> Truth:
        """Return whether *statement* is so, whichever of the possible words hold."""
        ...

    def told(self, names: Iterable[str]) -> str:
        """Return what is known of *names*, in words."""
        ...

    def unit(self, name: str) -> str:
        """Return the unit of a signal or quantity; empty where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a rule is broken, and what it asks for where that isn't its own reaction."""

    reason: str
    reaction: Reaction | None = None
    over: bool = False
    """Whether it is kept again, and only hasn't cleared yet."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """How far a rule is from broken, and how much is used up."""

    margin: float | None = None
    unit: str = ""
    used: float | None = None


def gauged(statement: Expression, scene: Scene, *, sign: float = 1.0) -> Gauge:
    """Return how far *statement* is from not being so; *sign* -1: from being so."""
    margin = statement.measured(scene.known)
    return Gauge() if margin is None else Gauge(sign * margin.value, margin.unit)


class Watcher:
    """Base of all: does nothing of what a rule needn't do."""

    kind = ""

    def __init__(self, spec: RuleSpec, signals: frozenset[str]) -> None:
        self.spec = spec
        self.signals = signals
        """All signals that it names, quantities taken apart: writes of these it judges."""

    @property
    def judges_all(self) -> bool:
        """Whether it judges each write, whatever the signal."""
        return False

    @property
    def minds_repeats(self) -> bool:
        """Whether it is told of a safe write of just what was written last, too."""
        return True

    @property
    def hears(self) -> frozenset[str]:
        """The signals of which it is told each value that is heard."""
        return frozenset()

    @property
    def statements(self) -> tuple[Expression, ...]:
        """While it rests, nothing but whether these are so counts: for looks and for judgements.

        Empty where something else counts too.
        """
        return ()

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Return why *value* may not be written to *signal*, or an empty string.

        *after* is the scene once it is written, the way there included.
        """
        return ""

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Note that *value* is being written to *signal* (one that it judges)."""

    def ended(self, signal: str, value: Any, scene: Scene, *, done: bool) -> None:
        """Note how that ended."""

    def heard(self, signal: str, value: Scalar | None, scene: Scene) -> None:
        """Note that *signal* says *value*; None for nothing that counts."""

    def settled(self, signal: str) -> bool:
        """Whether hearing again of *signal* what was heard last would tell it nothing."""
        return False

    def look(self, scene: Scene) -> Broken | None:
        """Return why it is broken now, or None; time that has passed is counted."""
        return None

    def resting(self) -> bool:
        """Whether a look would find and count nothing until something it names changes.

        Asked after a look that found it kept; a rule that rests isn't looked at.
        """
        return False

    def rested(self, until_s: float) -> None:
        """Note that it needed no look up to *until_s* (campaign seconds)."""

    def gauge(self, scene: Scene) -> Gauge:
        """Return how it stands."""
        return Gauge()

    def begin_anew(self) -> None:
        """Forget the way so far: a person had the device, and what it reads next is the start."""

    def remember(self) -> dict[str, Any]:
        """Return what a restart must not forget, as JSON."""
        return {}

    def recall(self, data: Mapping[str, Any], gap_s: float) -> None:
        """Take up what a former one remembered *gap_s* campaign seconds ago."""


def spread(names: Iterable[str], quantities: Mapping[str, Quantity]) -> frozenset[str]:
    """Return the signals that *names* stand for, quantities taken apart."""
    found: set[str] = set()
    for name in names:
        quantity = quantities.get(name)
        if quantity is None:
            found.add(name)
        elif quantity.expression is None:
            found |= {quantity.setpoint, quantity.readback}
        else:
            found |= spread(quantity.expression.names, quantities)
    return frozenset(found)


def may_be(statement: Expression | None, scene: Scene) -> bool:
    """Whether *statement* isn't surely false (without one: always)."""
    return statement is None or scene.truth(statement) is not Truth.FALSE


def surely(statement: Expression, scene: Scene) -> bool:
    """Whether *statement* is true for all that may be."""
    return scene.truth(statement) is Truth.TRUE


def number(value: Value | None) -> Interval | None:
    """Return *value* where it is a number."""
    return value if isinstance(value, Interval) else None


def duration(seconds: float) -> str:
    """Return *seconds* as people say it: 90 s, 12 min, 2.5 h."""
    if seconds < 120.0:
        return f"{seconds:.3g} s"
    return f"{seconds / 60.0:.3g} min" if seconds < 7200.0 else f"{seconds / 3600.0:.3g} h"
