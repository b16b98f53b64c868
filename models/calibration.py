"""Calibration in the loop: how wide intervals must be so that they hold as often as they say.

Every experiment was predicted before it was made. Its residual z = (outcome - mean) / sigma is
kept in order, and the next interval is mean ± r sigma with the r that past residuals ask for:

- a temperature first: s² = (n0 + Σ w z²) / (n0 + Σ w) tempers sigma, as if n0 residuals of a
  perfect model had been seen before, so that few points change little (the mean of a conjugate
  prior on the variance; each z² counts CAP² at most);
- then conformal: |z| is compared with the past ones, weighted by age (Barber, Candès, Ramdas &
  Tibshirani, "Conformal prediction beyond exchangeability", Ann. Stat. 51, 2023, eq. 11), where
  the n0 assumed residuals follow Student's t with n0 + Σ w degrees of freedom, scaled by s:
  F(r) = (n0 T(r / s) + Σ w 1[|z| <= r]) / (n0 + Σ w); an interval of a level has F(r) = level.

With few points this is a tempered t interval, with many it is the conformal one. Residuals of
points that an agent chose aren't exchangeable with the next: there is no guarantee, so the
coverage reached is counted, with its own uncertainty, and watched (``models.alarm``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.alarm import Alarm, Watch

Array = NDArray[np.float64]

CAP = 4.0
"""A residual beyond so many sigma says no more about the scale of the others than this one."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of *count* outcomes were *inside* their intervals of *level*.

    ``low`` and ``high`` hold the true coverage in 95 % of cases: Clopper & Pearson (Biometrika
    26, 1934), exact for independent outcomes.
    """

    level: float
    inside: int
    count: int

    @property
    def share(self) -> float:
        """The part that was inside; NaN before the first outcome."""
        return self.inside / self.count if self.count else math.nan

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval of the true coverage."""
        from scipy.special import betaincinv

        missed = self.count - self.inside
        return float(betaincinv(self.inside, missed + 1, 0.025)) if self.inside else 0.0

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval of the true coverage."""
        from scipy.special import betaincinv

        missed = self.count - self.inside
        return float(betaincinv(self.inside + 1, missed, 0.975)) if missed else 1.0

    def __str__(self) -> str:
        if not self.count:
            return f"no outcome yet to count {self.level:.0%} intervals by"
        return (
            f"{self.share:.0%} of {self.count} outcomes inside their {self.level:.0%} intervals "
            f"(true coverage {self.low:.0%} to {self.high:.0%})"
        )


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """How residuals are used; the defaults are explained in docs/uncertainty.md.

    *prior* is n0, the number of residuals of a perfect model that is assumed; *memory* the age
    (in residuals) at which one counts half, infinite for never. *level* is that of the intervals
    that are watched: an alarm is raised when more than *slack* times the due part of them misses
    or when residuals are more than *excess* times the scale, and falsely so in at most
    *false_alarms* of campaigns. It is withdrawn once *settled* of *recovery* later outcomes were
    inside.
    """

    prior: float = 5.0
    memory: float = math.inf
    level: float = 0.9
    slack: float = 1.2
    excess: float = 1.2
    false_alarms: float = 0.05
    recovery: int = 10
    settled: int = 8

    def __post_init__(self) -> None:
        if not (self.prior > 0 and self.memory > 0):
            raise ValueError("calibration: prior and memory must be more than 0")
        if not 0 < self.level < 1 or not 1 <= self.slack < 1 / (1 - self.level):
            raise ValueError(
                f"calibration: level must lie between 0 and 1 and slack from 1 to below "
                f"1/(1 - level), got level {self.level:g} and slack {self.slack:g}"
            )
        if not (0 < self.false_alarms < 1 and self.excess >= 1):
            raise ValueError("calibration: false_alarms lies between 0 and 1, excess from 1 up")
        if not 0 < self.settled <= self.recovery:
            raise ValueError("calibration: settled must be 1 to recovery")


@dataclass(frozen=True, slots=True)
class Residual:
    """One prediction and what came of it: ``error`` is (outcome - mean) / sigma.

    ``rank`` is the least level of an interval, as given then, that would have held the outcome.
    """

    mean: float
    sigma: float
    outcome: float
    error: float
    rank: float


class Calibrator:
    """Learns from predictions and their outcomes, in order, how far sigma can be trusted.

    The same outcomes in the same order give the same intervals. Of one objective, on any scale,
    as long as *mean*, *sigma* and *outcome* of one call are on the same.
    """

    def __init__(self, options: CalibrationOptions | None = None) -> None:
        self.options = options or CalibrationOptions()
        self.reset()

    def reset(self) -> None:
        """Forget everything: for a model of another kind, or a bench that isn't the same."""
        self._residuals: list[Residual] = []
        self._errors: list[float] = []
        self._begin_watching()

    def _begin_watching(self) -> None:
        options = self.options
        missed = (1 - options.level) * options.slack
        self._watch = Watch(missed, options.excess, options.false_alarms)
        self._alarm: Alarm | None = None

    def prime(self, errors: Sequence[float] | Array) -> None:
        """Take in standardised *errors* (n) of points predicted without themselves, as past ones.

        Cross-conformal prediction (Vovk, Ann. Math. Artif. Intell. 74, 2015): each fold's points
        predicted by a model of the others. They shape intervals, and aren't counted as coverage.
        """
        for error in errors:
            self._errors.append(_finite("error", float(error)))

    def observe(self, mean: float, sigma: float, outcome: float) -> None:
        """Take in that *outcome* came where *mean* ± *sigma* had been predicted before.

        Raises ValueError, and takes nothing in, where one isn't finite or sigma isn't positive.
        """
        for name, value in (("mean", mean), ("sigma", sigma), ("outcome", outcome)):
            _finite(name, value)
        if sigma <= 0:
            raise ValueError(f"calibration: sigma must be more than 0, got {sigma:g}")
        error = (outcome - mean) / sigma
        residual = Residual(mean, sigma, outcome, error, self.rank(error))
        scale = self.scale
        self._residuals.append(residual)
        self._errors.append(error)
        if self._alarm is None:
            self._judge(residual, error / scale)
        elif self._recovered():
            self._begin_watching()

    @property
    def residuals(self) -> tuple[Residual, ...]:
        """All predictions and outcomes so far, in order."""
        return tuple(self._residuals)

    @property
    def count(self) -> int:
        """The number of outcomes observed."""
        return len(self._residuals)

    @property
    def scale(self) -> float:
        """The temperature: what sigma is to be multiplied by; 1 before the first outcome."""
        errors, weights = self._past()
        prior = self.options.prior
        square = float(weights @ np.minimum(np.square(errors), CAP**2))
        return math.sqrt((prior + square) / (prior + float(weights.sum())))

    def rank(self, error: float) -> float:
        """Return the level of the interval that just holds a residual of *error* sigma: F(|z|)."""
        return float(self._shares(np.array([abs(error)]))[0])

    def factor(self, level: float) -> float:
        """Return how many sigma an interval of *level* reaches to either side: least r of F."""
        if not 0 < level < 1:
            raise ValueError(f"calibration: a level lies between 0 and 1, got {level:g}")
        low, high = 0.0, 1.0
        while self._shares(np.array([high]))[0] < level:
            low, high = high, 2 * high
        for _ in range(8):  # the bracket becomes 32 times narrower each time
            grid = np.linspace(low, high, 33)
            place = int(np.argmax(self._shares(grid[1:]) >= level))
            low, high = float(grid[place]), float(grid[place + 1])
        return high

    def interval(self, mean: float, sigma: float, level: float = 0.9) -> tuple[float, float]:
        """Return the ends of the interval that should hold an outcome with probability *level*."""
        reach = self.factor(level) * sigma
        return mean - reach, mean + reach

    def coverage(self, level: float = 0.9) -> Coverage:
        """Return how often the intervals of *level*, each as given then, held their outcome."""
        inside = sum(residual.rank <= level for residual in self._residuals)
        return Coverage(level, inside, self.count)

    def raw_coverage(self, level: float = 0.9) -> Coverage:
        """Return the same of the normal intervals of the sigma predicted, uncalibrated."""
        from scipy.special import ndtri

        reach = float(ndtri(0.5 + level / 2))
        inside = sum(abs(residual.error) <= reach for residual in self._residuals)
        return Coverage(level, inside, self.count)

    @property
    def alarm(self) -> Alarm | None:
        """Why intervals are not to be trusted now, or None.

        When one is raised, only the last residuals are kept to calibrate by; when it has been
        withdrawn, the watch begins anew.
        """
        return self._alarm

    @property
    def evidence(self) -> float:
        """What speaks against the intervals (1 at the beginning; an alarm at 1/false_alarms)."""
        return self._watch.evidence

    def _judge(self, residual: Residual, scaled: float) -> None:
        options = self.options
        self._watch.see(residual.rank <= options.level, scaled)
        if self._watch.raised:
            last = self._residuals[-options.recovery :]
            missed = sum(each.rank > options.level for each in last)
            if self._watch.by_misses:
                reason = f"{missed} of the last {len(last)} outcomes lie outside their "
                reason += f"{options.level:.0%} intervals"
            else:
                reason = f"the last outcome lies {abs(scaled):.3g} calibrated sigma from its "
                reason += f"prediction, and {missed} of the last {len(last)} outside"
            self._alarm = Alarm(self.count - 1, reason, self._watch.evidence)
            self._errors = self._errors[-options.recovery :]

    def _recovered(self) -> bool:
        options, alarm = self.options, self._alarm
        if alarm is None or self.count - 1 - alarm.since < options.recovery:
            return False
        last = self._residuals[-options.recovery :]
        return sum(each.rank <= options.level for each in last) >= options.settled

    def _past(self) -> tuple[Array, Array]:
        """Return absolute residuals (n) and their weights (n), the newest of weight 1."""
        errors = np.abs(np.array(self._errors))
        ages = np.arange(len(errors))[::-1]
        return errors, np.exp2(-ages / self.options.memory)

    def _shares(self, reaches: Array) -> Array:
        """Return F at *reaches* (m)."""
        from scipy.special import stdtr

        errors, weights = self._past()
        prior, total = self.options.prior, float(weights.sum())
        assumed = 2 * stdtr(prior + total, reaches / self.scale) - 1
        order = np.argsort(errors)
        below = np.concatenate([[0.0], np.cumsum(weights[order])])
        seen = below[np.searchsorted(errors[order], reaches, side="right")]
        return np.asarray((prior * assumed + seen) / (prior + total))


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"calibration: {name} is {value}; leave failed experiments out")
    return value
