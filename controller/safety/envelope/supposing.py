"""What would be known if signals said certain things: quantities are worked out from them."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.safety.envelope.declared import Quantity
from controller.safety.language.values import Interval, Value


@dataclass(frozen=True, slots=True)
class Supposed:
    """*values* by signal; what isn't among them is unknown."""

    quantities: Mapping[str, Quantity]
    values: Mapping[str, Value]

    def known(self, name: str) -> Value | None:
        """Return what is known of the signal or quantity *name*."""
        quantity = self.quantities.get(name)
        if quantity is None:
            return self.values.get(name)
        if quantity.expression is not None:
            return quantity.expression.interval(self.known)
        ends = self.values.get(quantity.setpoint), self.values.get(quantity.readback)
        if not isinstance(ends[0], Interval) or not isinstance(ends[1], Interval):
            return None
        return Interval(min(ends[0].low, ends[1].low), max(ends[0].high, ends[1].high))


def exactly(value: float | str | bool) -> Value:
    """Return *value* as what is known of a signal that says it."""
    if isinstance(value, (str, bool)):
        return value
    return Interval(float(value), float(value))
