"""The exhaust of the gas cabinet: a fan that draws steadily, with a flow meter's noise.

The noise is a function of seed and time alone, from a stream of its own, a minute of it at a time;
nothing else in the twin depends on it.
"""

from collections.abc import Sequence

import numpy as np

from simulators.copper.options import ExhaustOptions, ExhaustStop

_STREAM = 3  # the drift has 1, spectra have 2
_BLOCK_S = 60


class Exhaust:
    """*stops* are scheduled; others come by ``halt``. Times in s since the twin's start."""

    def __init__(self, options: ExhaustOptions, stops: Sequence[ExhaustStop], seed: int) -> None:
        self._options = options
        self._stops = stops
        self.seed = seed
        self.stopped_until = 0.0
        self._block = (-1, -1)
        self._noise: list[float] = []

    def halt(self, now: float, seconds: float) -> None:
        """Stand still from *now* for *seconds*; 0 ends a stop that wasn't scheduled."""
        self.stopped_until = now + seconds

    def runs(self, now: float) -> bool:
        """Whether the fan turns."""
        if now < self.stopped_until:
            return False
        return not any(stop.start_s <= now < stop.start_s + stop.duration_s for stop in self._stops)

    def flow_l_min(self, now: float) -> float:
        """Return what the flow meter shows in L/min, never below 0."""
        if not self.runs(now):
            return 0.0
        block, second = divmod(int(now), _BLOCK_S)
        if self._block != (self.seed, block):
            rng = np.random.default_rng([self.seed, _STREAM, block])
            self._noise = rng.standard_normal(_BLOCK_S).tolist()
            self._block = (self.seed, block)
        return max(0.0, self._options.flow_l_min + self._options.noise_l_min * self._noise[second])
