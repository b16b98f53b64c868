"""A small bench on paper for tests of rules: signals with units, a clock, what was heard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.safety.envelope.declared import Quantity, WatchedSignal
from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.envelope.specs import AnyRule
from controller.safety.language.binding import bind
from controller.safety.language.expression import Expression
from controller.safety.language.values import Term
from controller.safety.rules.findings import RuleReading
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import Rulebook
from controller.safety.scene.moment import Moment

ML, C = "mL/min", "degC"
SIGNALS: Mapping[str, Term] = {
    "furnace.setpoint": Term(C),
    "furnace.readback": Term(C),
    "furnace.ramp_rate": Term("K/min"),
    "h2.setpoint": Term(ML),
    "h2.readback": Term(ML),
    "o2.setpoint": Term(ML),
    "o2.readback": Term(ML),
    "he.setpoint": Term(ML),
    "he.readback": Term(ML),
    "exhaust.flow": Term("L/min"),
    "pump.volume": Term("uL"),
    "dose.accumulated": Term("kGy"),
    "shutter.command": Term(words=("Open", "Closed")),
    "hutch.searched": Term(),
}
QUANTITIES: Mapping[str, Quantity] = {
    "furnace.temperature": Quantity(C, "furnace.setpoint", "furnace.readback"),
    "gas.h2": Quantity(ML, "h2.setpoint", "h2.readback"),
    "gas.o2": Quantity(ML, "o2.setpoint", "o2.readback"),
    "gas.he": Quantity(ML, "he.setpoint", "he.readback"),
}
TERMS: Mapping[str, Term] = {
    **SIGNALS,
    **{name: Term(quantity.unit) for name, quantity in QUANTITIES.items()},
    "gas.total": Term(ML),
}
LIMITS: Mapping[str, Limit | Members] = {
    "furnace.setpoint": Limit(20.0, 850.0, C, 40.0),
    "furnace.ramp_rate": Limit(0.0, 100.0, "K/min"),
    "h2.setpoint": Limit(0.0, 20.0, ML, 0.0),
    "o2.setpoint": Limit(0.0, 20.0, ML, 0.0),
    "he.setpoint": Limit(0.0, 200.0, ML),
    "pump.volume": Limit(-1000.0, 1000.0, "uL", 0.0),
    "shutter.command": Members(("Open", "Closed"), "Closed"),
}
AT_REST: Mapping[str, Any] = {
    "furnace.setpoint": 40.0,
    "furnace.readback": 40.0,
    "furnace.ramp_rate": 10.0,
    "h2.setpoint": 0.0,
    "h2.readback": 0.0,
    "o2.setpoint": 0.0,
    "o2.readback": 0.0,
    "he.setpoint": 100.0,
    "he.readback": 100.0,
    "exhaust.flow": 5.0,
    "pump.volume": 0.0,
    "dose.accumulated": 0.0,
    "shutter.command": "Closed",
    "hutch.searched": True,
}
MAX_AGE_S = 5.0
MIX = "(gas.h2 / gas.total < 0.03 or gas.o2 / gas.total < 0.03) and gas.total >= 20 mL/min"


def said(text: str) -> Expression:
    """Return *text* as an expression over this bench."""
    return bind(text, TERMS)


def envelope_of(*rules: AnyRule, free: tuple[str, ...] = ()) -> Envelope:
    """Return an envelope of this bench with *rules*."""
    total = Quantity(ML, expression=said("gas.h2 + gas.o2 + gas.he"))
    return Envelope(
        "on paper",
        LIMITS,
        free=free,
        signals={name: WatchedSignal(term, MAX_AGE_S) for name, term in SIGNALS.items()},
        quantities={**QUANTITIES, "gas.total": total},
        rules=rules,
    )


@dataclass
class Asked:
    """Approvals by role."""

    approved: dict[str, frozenset[str]] = field(default_factory=dict)

    def who(self, role: str) -> frozenset[str]:
        """Return who has approved."""
        return self.approved.get(role, frozenset())


class Bench:
    """A rulebook whose bench is at rest; time passes when it is told to."""

    def __init__(self, *rules: AnyRule, rest: bool = True, envelope: Envelope | None = None):
        self.approvals = Asked()
        self.now = Moment(1000.0, 50.0)
        envelope = envelope_of(*rules) if envelope is None else envelope
        self.picture = Picture(envelope)
        self.rules = Rulebook(envelope, self.picture, self.approvals)
        if rest:
            self.hears(**AT_REST)

    def hears(self, **values: Any) -> None:
        """Hear *values* now; a double underscore stands for a dot."""
        for name, value in values.items():
            self.picture.heard(name.replace("__", "."), value, self.now)

    def passes(self, seconds: float, *, but: Iterable[str] = ()) -> None:
        """Let time pass on both clocks, all signals but *but* confirmed all along."""
        left = seconds
        while left > 0.0:
            part = min(left, 1.0)
            self.now = self.now.later(part)
            for name in SIGNALS:
                if name not in but and (value := self.picture.value(name)) is not None:
                    self.picture.heard(name, value, self.now)
            self.found()
            left -= part

    def refuses(self, signal: str, value: Any) -> str:
        """Return why *value* may not be written now, or an empty string."""
        refusal = self.rules.judge(signal, value, self.now)
        return "" if refusal is None else f"{refusal.rule}: {refusal.reason}"

    def asks(self, signal: str, value: Any) -> None:
        """Begin to write *value*."""
        self.rules.asked(signal, value, self.now)

    def writes(self, signal: str, value: Any, *, done: bool = True, echo: bool = True) -> None:
        """Write *value*: asked, ended, and read back at the setpoint."""
        self.asks(signal, value)
        self.rules.ended(signal, value, self.now, done=done)
        if echo:
            self.picture.heard(signal, value, self.now)

    def found(self) -> dict[str, str]:
        """Return what is broken now, by rule: its reaction and reason."""
        return {f.rule: f"{f.reaction}: {f.reason}" for f in self.rules.look(self.now)}

    def soon(self) -> dict[str, str]:
        """Return what is broken a moment later."""
        self.now = self.now.later(0.5)
        return self.found()

    def reading(self, rule: str) -> RuleReading:
        """Return how *rule* stands."""
        (found,) = [r for r in self.rules.readings(self.now) if r.name == rule]
        return found
