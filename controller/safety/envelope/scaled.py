"""A number in another unit: what a budget counts, where the file gives it in litres, not mL/min."""

from dataclasses import dataclass

from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Known, Margin, Truth


@dataclass(frozen=True, slots=True)
class Scaled:
    """*of* times *factor*, which is in *unit*; it reads as *of* does."""

    of: Expression
    factor: float
    unit: str | None

    @property
    def text(self) -> str:
        """How it stands in the file."""
        return self.of.text

    @property
    def names(self) -> frozenset[str]:
        """The signals and quantities that it names."""
        return self.of.names

    def truth(self, known: Known) -> Truth:
        """Return that a number is neither true nor false."""
        return Truth.UNKNOWN

    def interval(self, known: Known) -> Interval | None:
        """Return all values that it may have."""
        found = self.of.interval(known)
        if found is None:
            return None
        return Interval(found.low * self.factor, found.high * self.factor)

    def margin(self, known: Known) -> float | None:
        """Return that a number keeps no distance from anything."""
        return None

    def measured(self, known: Known) -> Margin | None:
        """Return that a number keeps no distance from anything."""
        return None
