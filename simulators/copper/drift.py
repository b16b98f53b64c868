"""The monochromator's slow drift: a random walk with reflecting limits.

Its value is a function of seed and time alone: knot *k* comes from a generator keyed by
(seed, stream, k) and lies one normal step from knot *k − 1*; between knots it is linear.
"""

import numpy as np

from simulators.copper.options import BeamOptions

_STREAM = 1  # spectra have 2


class Drift:
    """Knot counter and the two knots around the present time, in eV."""

    def __init__(self, options: BeamOptions, seed: int) -> None:
        self._limit = options.drift_limit_ev
        self._sigma = options.drift_step_ev
        self._interval = options.drift_interval_s
        self.seed = seed
        self.knot = 0
        self.before = float(self._generator(0).uniform(-0.5, 0.5)) * self._limit
        self.after = self._step_from(self.before)

    def at(self, seconds: float) -> float:
        """Return true minus indicated energy (eV) at a time that is not before the last asked."""
        while seconds / self._interval - self.knot >= 1.0:
            self.knot += 1
            self.before, self.after = self.after, self._step_from(self.after)
        place = seconds / self._interval - self.knot
        return self.before + place * (self.after - self.before)

    def _step_from(self, value: float) -> float:
        step = float(self._generator(self.knot + 1).standard_normal()) * self._sigma
        return _reflected(value + step, self._limit)

    def _generator(self, knot: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAM, knot])


def _reflected(value: float, limit: float) -> float:
    """Fold *value* back into ± *limit*."""
    if limit == 0.0:
        return 0.0
    turned = (value + limit) % (4.0 * limit)
    return turned - limit if turned <= 2.0 * limit else 3.0 * limit - turned
