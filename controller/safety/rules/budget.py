"""Budgets: reserved before the act, never given back, held and tripped before they are spent."""

from collections.abc import Mapping
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Budget, Per, Reaction
from controller.safety.rules.ledger import Ledger
from controller.safety.rules.watcher import Broken, Gauge, Scalar, Scene, Watcher, number, spread
from controller.safety.scene.values import scalar

_ANEW = {
    per: f"; `heliostat {per} NAME`, when another one is in place, begins it anew"
    for per in (Per.SAMPLE, Per.SPOT)
}


class BudgetWatcher(Watcher):
    """Holds at ``hold_at`` of what is allowed, trips at all of it, refuses what would reach that.

    Amounts and writes are charged when they are asked for, whatever becomes of them; safe ones are
    never refused, and charged where they change something. An integral is
    charged for the time between two looks at the larger of its values there, its worst case
    (``Interval.high``); what isn't known is charged as it was last known, and holds. A counter
    is charged by what it grew; that it falls only says where it goes on.
    """

    kind = "budget"
    spec: Budget

    def __init__(self, spec: Budget, quantities: Mapping[str, Quantity]) -> None:
        names = set(spec.writes) | {name for name in (spec.increase, spec.amounts) if name}
        if spec.integral is not None:
            names |= spec.integral.names
        super().__init__(spec, spread(names, quantities))
        self.ledger = Ledger(spec.per)
        self._looked: float | None = None
        self._rate = 0.0
        """What is used up each second, as it was last known."""
        self._counter: float | None = None
        self._now: float | None = None

    @property
    def minds_repeats(self) -> bool:
        """What is made safe again and again is charged once: nothing moves."""
        return False

    @property
    def hears(self) -> frozenset[str]:
        """The counter."""
        return frozenset({self.spec.increase} if self.spec.increase else ())

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse what it doesn't reach for."""
        amount = self._asked_for(signal, value)
        if amount is None:
            return f"{value!r:.40} is no amount that can be charged"
        used = self.ledger.used(after.when.campaign_s)
        if amount == 0.0 or used + amount < self.spec.at_most:
            return ""
        return (
            f"{amount:.6g} {self.spec.unit} more after {used:.6g}, allowed less than "
            f"{self.spec.at_most:g} {self.spec.unit} per {self.spec.per}"
        )

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Reserve it."""
        self.ledger.charge(self._asked_for(signal, value) or 0.0, scene.when.campaign_s)

    def heard(self, signal: str, value: Scalar | None, scene: Scene) -> None:
        """Charge by how much the counter grew."""
        if not isinstance(value, float):
            return
        if self._counter is not None:
            self.ledger.charge(value - self._counter, scene.when.campaign_s)
        self._counter = value

    def look(self, scene: Scene) -> Broken | None:
        """Charge the time that has passed; return how much is used where it holds or trips."""
        unknown = self._pass(scene)
        used = self.ledger.used(scene.when.campaign_s)
        at_most, unit = self.spec.at_most, self.spec.unit
        said = f"{used:.6g} {unit} of {at_most:g} {unit} per {self.spec.per} are used"
        if not used < at_most:
            return Broken(f"{said}{_ANEW.get(self.spec.per, '')}", Reaction.TRIP)
        if not used < self.spec.hold_at * at_most:
            held = f"{said}: it holds at {100.0 * self.spec.hold_at:g} %"
            return Broken(f"{held}{_ANEW.get(self.spec.per, '')}", Reaction.HOLD)
        return Broken(unknown, Reaction.HOLD) if unknown else None

    def resting(self) -> bool:
        """Whether time uses up nothing."""
        return not self.spec.wall_time and self._rate == 0.0

    def rested(self, until_s: float) -> None:
        """Count from *until_s* on."""
        self._looked = until_s if self._looked is None else max(self._looked, until_s)
        self._now = until_s if self._now is None else max(self._now, until_s)

    def settled(self, signal: str) -> bool:
        """Whether a counter that stands still uses up nothing: always."""
        return True

    def gauge(self, scene: Scene) -> Gauge:
        """Return what is left."""
        used = self.ledger.used(scene.when.campaign_s)
        return Gauge(self.spec.at_most - used, self.spec.unit, used / self.spec.at_most)

    def remember(self) -> dict[str, Any]:
        """Return the book, what is used each second, and where the counter was."""
        return {
            "book": self.ledger.remember(self._now),
            "rate": self._rate,
            "counter": self._counter,
        }

    def recall(self, data: Mapping[str, Any], gap_s: float) -> None:
        """Go on with the book; the gap is charged as it was last known."""
        book = data.get("book")
        self.ledger.recall(book if isinstance(book, dict) else {})
        rate, counter = scalar(data.get("rate")), scalar(data.get("counter"))
        if isinstance(rate, float) and rate > 0.0:
            self.ledger.charge(rate * gap_s, self._now)
            self._rate = max(self._rate, rate)
        if isinstance(counter, float):
            if self._counter is not None:  # it was heard before this was recalled
                self.ledger.charge(self._counter - counter, self._now)
            else:
                self._counter = counter

    # --- what is charged ------------------------------------------------------------------------

    def _asked_for(self, signal: str, value: Any) -> float | None:
        """Return what writing *value* uses up; None where *value* is no amount."""
        if signal == self.spec.amounts:
            amount = scalar(value)
            return abs(amount) if isinstance(amount, float) else None
        return 1.0 if signal in self.spec.writes else 0.0

    def _pass(self, scene: Scene) -> str:
        """Charge the time since the last look; return what isn't known, in words."""
        now = self._now = scene.when.campaign_s
        rate, unknown = self._rate, ""
        if self.spec.wall_time:
            rate = 1.0
        elif self.spec.integral is not None:
            value = number(self.spec.integral.interval(scene.known))
            if value is None:
                names = self.spec.integral.names
                unknown = f"what it uses can't be counted: {scene.told(names)}"
            else:
                rate = max(value.high, 0.0)
        elif self.spec.increase and scene.read(self.spec.increase) is None:
            unknown = f"what it uses can't be counted: {scene.told([self.spec.increase])}"
        if self._looked is not None:
            self.ledger.charge(max(rate, self._rate) * (now - self._looked), now)
        self._looked, self._rate = now, rate
        return unknown
