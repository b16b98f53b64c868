"""The storage ring that the beam comes from: its current, and when it is lost.

In top-up the current decays for a few minutes and is filled up again: a function of time alone.
Detectors see no more of it than the jitter of their intensity; a beam dump they do see.
"""

from collections.abc import Sequence
from math import exp

from simulators.copper.options import BeamDump, RingOptions


class Ring:
    """*dumps* are scheduled; others come by ``dump``. Times in s since the twin's start."""

    def __init__(self, options: RingOptions, dumps: Sequence[BeamDump]) -> None:
        self._options = options
        self._dumps = dumps
        self.dumped_until = 0.0

    def dump(self, now: float, seconds: float) -> None:
        """Lose the beam from *now* for *seconds*; 0 ends a loss that wasn't scheduled."""
        self.dumped_until = now + seconds

    def filled(self, now: float) -> bool:
        """Whether there is beam; while there is none, the front end is closed."""
        if now < self.dumped_until:
            return False
        return not any(dump.start_s <= now < dump.start_s + dump.duration_s for dump in self._dumps)

    def current_ma(self, now: float) -> float:
        """Return the current: I = I₀·exp(−t/τ) since the last fill, 0 without beam."""
        if not self.filled(now):
            return 0.0
        options = self._options
        since_fill = now % options.top_up_s
        return options.current_ma * exp(-since_fill / (3600.0 * options.lifetime_h))
