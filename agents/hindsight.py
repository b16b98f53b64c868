"""How predictions came true: each outcome against what the model said that didn't know it yet."""

import math
from dataclasses import dataclass

from agents.grounds import Calibration
from models.alarm import Alarm
from models.calibration import Calibrator, Coverage

BLOCK = 50
"""Between one and two times so many of the last outcomes count.

What was foretold longer ago says little of the model there is now; and whoever is told a long
campaign at once needs no models of the time before.
"""
LEAST = 4
"""With fewer outcomes known before, nothing is foretold that would be worth counting."""
LEVEL = 0.9
SETTLED = 10
"""With fewer outcomes foretold no alarm is heeded: a model that has hardly begun learns by itself,
and one extreme value among its first would cost as many experiments that fill space."""


def counted_from(count: int) -> int:
    """Return from which place on (from 0) outcomes count where *count* are known."""
    return BLOCK * max(0, count // BLOCK - 1)


@dataclass(frozen=True, slots=True)
class Foretold:
    """An *outcome*, and what one experiment had been expected to give; on the modelled scale."""

    mean: float
    sigma: float
    outcome: float

    @property
    def tells(self) -> bool:
        """Whether it can be counted."""
        finite = all(map(math.isfinite, (self.mean, self.sigma, self.outcome)))
        return finite and self.sigma > 0


class Hindsight:
    """What predictions of one outcome were worth, from those that were made one step ahead."""

    def __init__(self) -> None:
        self._foretold: dict[int, Foretold] = {}
        self._begin(0)

    def _begin(self, start: int) -> None:
        self._start = self._next = start
        self._calibrator = Calibrator()

    def note(self, place: int, foretold: Foretold) -> None:
        """Note what had been *foretold* of the outcome at *place* (from 0)."""
        if place >= LEAST and foretold.tells:
            self._foretold[place] = foretold

    def after(self, count: int) -> Calibrator:
        """Return what the outcomes up to *count* come to: the same, however they were told."""
        start = counted_from(count)
        if start != self._start:
            self._begin(start)
            self._foretold = {at: one for at, one in self._foretold.items() if at >= start}
        for place in range(self._next, count):
            if (one := self._foretold.get(place)) is not None:
                self._calibrator.observe(one.mean, one.sigma, one.outcome)
        self._next = max(self._next, count)
        return self._calibrator


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a model's sigmas can be trusted: widen them by *scale*; 90 % reach *reach* of them.

    They are never narrowed: a stated sigma stays what it is, and to be too careful costs little.
    """

    scale: float
    reach: float
    coverage: Coverage
    alarm: Alarm | None

    @property
    def calibration(self) -> Calibration | None:
        """The same as a decision's grounds carry it; None before anything was foretold."""
        seen = self.coverage
        if not seen.count:
            return None
        return Calibration(seen.count, seen.share, seen.low, seen.high, self.scale)


def trust_in(calibrator: Calibrator) -> Trust:
    """Return what *calibrator* says of the model now."""
    scale, reach = max(1.0, calibrator.scale), calibrator.factor(LEVEL)
    seen = calibrator.coverage(LEVEL)
    return Trust(scale, reach, seen, calibrator.alarm if seen.count >= SETTLED else None)


UNTRIED = Trust(1.0, 2.015, Coverage(LEVEL, 0, 0), None)
"""How far a model is trusted before anything it foretold was measured: Student's t, as if of 5."""
