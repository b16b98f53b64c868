"""An expression of a rule, read, and checked for its units: what it says of what is known."""

from typing import Protocol

from controller.safety.language.values import Interval, Known, Margin, Truth


class Expression(Protocol):
    """A sum or a statement over named signals; made by ``controller.safety.language.bind``."""

    @property
    def text(self) -> str:
        """How it stands in the file."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """The signals and quantities that it names."""
        ...

    @property
    def unit(self) -> str | None:
        """The unit of a number; None for a statement."""
        ...

    def truth(self, known: Known) -> Truth:
        """Return whether it is so for all that may be (TRUE), for none (FALSE), or neither."""
        ...

    def interval(self, known: Known) -> Interval | None:
        """Return all values that it may have; None when it isn't known."""
        ...

    def margin(self, known: Known) -> float | None:
        """Return how far a statement is from not being so, in the unit compared, at the worst.

        Negative where it isn't; of several comparisons the one that decides. None when unknown.
        """
        ...

    def measured(self, known: Known) -> Margin | None:
        """Return the margin with its unit; None when unknown, or where no number is compared."""
        ...
