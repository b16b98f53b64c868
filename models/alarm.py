"""When to stop trusting intervals: a sequential test whose false alarms are bounded.

A bet against the hypothesis "the intervals hold as often as they should" that can't be expected
to win: as long as the hypothesis is true, the wealth ever reaches 1/δ with a probability of at
most δ, however often one looks (Ville 1939; Shafer, J. R. Stat. Soc. A 184, 2021; Ramdas et al.,
Stat. Sci. 38, 2023). Bets begin at every step with a share 1/(t (t + 1)) of the stake, so that a
model that was right for long is still found out soon after it goes wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISS_RATES = (0.25, 0.4, 0.6, 0.8, 1.0)
"""What the bets on misses hope for; each has the same stake."""
STAKES = (0.03, 0.1, 0.2, 0.4)
"""Parts of the wealth that are bet on residuals being too large."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Intervals are not to be trusted: since which step (from 0), why, and how sure that is.

    ``evidence`` is the wealth of the bet; with δ the rate of false alarms it is at least 1/δ.
    """

    since: int
    reason: str
    evidence: float


class Bets:
    """The wealth of bets that begin at every step, with one stake on each of their kinds."""

    def __init__(self, kinds: int) -> None:
        self._running: NDArray[np.float64] = np.zeros(kinds)
        self._steps = 0

    @property
    def wealth(self) -> float:
        """What one unit has become: at most 1 on average while the hypothesis is true."""
        return float(self._running.mean()) + 1.0 / (self._steps + 1)

    def settle(self, factors: Sequence[float] | NDArray[np.float64]) -> None:
        """Multiply what is staked by *factors* (kinds), each at most 1 on average, after a step."""
        self._steps += 1
        begun = 1.0 / (self._steps * (self._steps + 1))
        grown = (self._running + begun) * np.asarray(factors)
        self._running = np.minimum(grown, 1e100)


class Watch:
    """Tests that at most *missed* of the outcomes fall outside, and that residuals are in scale.

    The hypothesis: whatever went before, the next outcome falls outside its interval with a
    probability of at most *missed*, and its squared residual is at most *excess*² on average.
    While it is true an alarm is ever raised with a probability of at most *false_alarms*.
    """

    def __init__(self, missed: float, excess: float, false_alarms: float) -> None:
        self._missed, self._excess, self._wanted = missed, excess, 1.0 / false_alarms
        self._misses, self._sizes = Bets(len(MISS_RATES)), Bets(len(STAKES))

    @property
    def evidence(self) -> float:
        """The wealth of both bets together, from one unit at the beginning."""
        return 0.5 * (self._misses.wealth + self._sizes.wealth)

    @property
    def raised(self) -> bool:
        """Whether there is as much evidence as an alarm needs."""
        return self.evidence >= self._wanted

    @property
    def by_misses(self) -> bool:
        """Whether it is the number of misses, rather than their size, that speaks most."""
        return self._misses.wealth >= self._sizes.wealth

    def see(self, held: bool, residual: float) -> None:
        """Take in whether an outcome was held, and its residual over the scale given before."""
        q = self._missed
        rates = np.array(MISS_RATES)
        self._misses.settle((1 - rates) / (1 - q) if held else rates / q)
        # 1 + λ (z²/τ² - 1) is never negative and at most 1 on average if E z² <= τ²
        square = min((residual / self._excess) ** 2, 1e100)
        self._sizes.settle(1 + np.array(STAKES) * (square - 1))
