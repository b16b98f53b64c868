"""Rates: how fast something may change, how it is told to, and how that is seen.

The slope of the readback is seen robustly. Of what was heard one sample is kept in each fifteenth
of the time over which the rate is measured (and at least nine, where there are fewer). The slope is
the difference between the medians of the last and of the first third of them, divided by that
between the medians of their times: a spike shorter than a tenth or so of that time moves it by
nothing, and samples at unequal times do no harm. From its amount is taken what it may be wrong
by: the smallest step that was seen (the quantum of the record; half of the rate allowed at most,
so that a jump is none) and three times the scatter of a median. The scatter is that of samples
about the line through their neighbours (1.4826 × median absolute deviation), which neither slopes
nor jumps change. So a device that ramps at just the rate allowed doesn't trip, and a run-away
does: its rise is no scatter. One that rises k times too fast is found after (1/6 + 2/(3 k)) of the
time over which the rate is measured, a jump after a quarter of it.
"""

import math
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import Rate
from controller.safety.rules.watcher import Broken, Gauge, Scalar, Scene, Watcher, number, spread
from controller.safety.scene.values import scalar

CELLS = 15
"""Samples kept over the time in which a rate is measured: five in a third stand two outliers."""
FEWEST = 9
"""Without so many nothing is said: three in a third stand one."""
_MAD = 1.4826
"""Standard deviations in a median absolute deviation of a normal distribution."""
_SLACK = 1.0 + 1e-6
"""Records of single precision are that exact."""


class Track:
    """The slope of what was heard; times in campaign seconds."""

    def __init__(self, over_s: float, per_s: float) -> None:
        self._over_s = over_s
        self._per_s = per_s
        self._cell_s = over_s / CELLS
        self._samples: deque[tuple[float, float]] = deque()
        self._cell = float("-inf")
        self._slope: tuple[float, float] | None = None
        self._fresh = False

    def add(self, when_s: float, value: float) -> None:
        """Note that it was *value* at *when_s*."""
        if when_s - self._cell >= self._cell_s or not self._samples:
            self._cell = when_s
            self._samples.append((when_s, value))
        else:  # the last one in a cell counts
            self._samples[-1] = (when_s, value)
        while len(self._samples) > FEWEST and when_s - self._samples[0][0] > self._over_s:
            self._samples.popleft()
        self._fresh = False

    def slope(self) -> tuple[float, float] | None:
        """Return the change per second and what it may be wrong by; None while nothing is said.

        0 stands for what it may be wrong by where it is no faster than allowed anyway.
        """
        if not self._fresh:
            self._slope = self._measured()
            self._fresh = True
        return self._slope

    def _measured(self) -> tuple[float, float] | None:
        samples = list(self._samples)
        if len(samples) < FEWEST:
            return None
        third = len(samples) // 3
        first, last = samples[:third], samples[-third:]
        span = median([t for t, _ in last]) - median([t for t, _ in first])
        if not span > 0.0:
            return None
        slope = (median([y for _, y in last]) - median([y for _, y in first])) / span
        if abs(slope) <= self._per_s:  # kept, however wrong it is
            return slope, 0.0
        quantum = min(_quantum(samples), 0.5 * self._per_s * span)
        # A median of n has sqrt(pi / 2 n) of the standard deviation; here are two.
        scatter = 3.0 * _deviation(samples) * math.sqrt(math.pi / third)
        return slope, (quantum + scatter) / span


def _quantum(samples: list[tuple[float, float]]) -> float:
    return min((abs(b[1] - a[1]) for a, b in pairwise(samples) if b[1] != a[1]), default=0.0)


def _deviation(samples: list[tuple[float, float]]) -> float:
    """Return the standard deviation of single samples about the line through their neighbours."""
    off = []
    for (t0, y0), (t1, y1), (t2, y2) in zip(samples, samples[1:], samples[2:], strict=False):
        share = (t1 - t0) / (t2 - t0) if t2 > t0 else 0.5
        expected = y0 + share * (y2 - y0)
        off.append(abs(y1 - expected) / math.sqrt(1.0 + share**2 + (1.0 - share) ** 2))
    return _MAD * median(off)


class RateWatcher(Watcher):
    """Broken while the readback changes faster than it may; refuses what would make it do so."""

    kind = "rate"
    spec: Rate

    def __init__(self, spec: Rate, quantities: Mapping[str, Quantity]) -> None:
        quantity = quantities.get(spec.of)
        self._heard_of = quantity.readback if quantity and quantity.readback else spec.of
        self._looks = quantity is not None and quantity.expression is not None
        named = {name for name in (spec.target, spec.ramp_rate) if name}
        super().__init__(spec, spread(named | {spec.of}, quantities))
        self._track = Track(spec.over_s, spec.per_s)
        self._steps: deque[tuple[float, float]] = deque()

    @property
    def hears(self) -> frozenset[str]:
        """The readback."""
        return frozenset() if self._looks else frozenset({self._heard_of})

    def heard(self, signal: str, value: Scalar | None, scene: Scene) -> None:
        """Keep what the readback says."""
        if isinstance(value, float):
            self._track.add(scene.when.campaign_s, value)

    def judge(self, signal: str, value: Any, after: Scene) -> str:
        """Refuse a target before its rate is confirmed, and steps that are too large."""
        if signal == self.spec.ramp_rate and self.spec.ramp_at_most > 0.0:
            return self._of_ramp(value, after)
        if signal != self.spec.target:
            return ""
        if self.spec.ramp_rate and (reason := self._unconfirmed(after)):
            return reason
        return self._of_step(value, after) if self.spec.step > 0.0 else ""

    def asked(self, signal: str, value: Any, scene: Scene) -> None:
        """Count the step."""
        if signal != self.spec.target or self.spec.step <= 0.0:
            return
        now = scene.when.campaign_s
        while self._steps and now - self._steps[0][0] >= self.spec.over_s:
            self._steps.popleft()
        given = number(scene.known(signal))  # with what is on its way: the whole step
        if given is not None:
            self._steps.append((now, given.high - given.low))

    def begin_anew(self) -> None:
        """Measure from the next reading on."""
        self._track = Track(self.spec.over_s, self.spec.per_s)
        self._steps.clear()

    def look(self, scene: Scene) -> Broken | None:
        """Return how fast it changes where that is too fast, or isn't known."""
        value = number(scene.known(self.spec.of))
        if value is None:
            return Broken(f"it can't be seen how fast it changes: {scene.told([self.spec.of])}")
        if self._looks:
            self._track.add(scene.when.campaign_s, 0.5 * (value.low + value.high))
        found = self._track.slope()
        if found is None or abs(found[0]) - found[1] <= self.spec.per_s * _SLACK:
            return None
        unit = scene.unit(self.spec.of)
        return Broken(
            f"{self.spec.of} changes by {60.0 * found[0]:.4g} {unit}/min, allowed "
            f"{60.0 * self.spec.per_s:.4g} {unit}/min (over {self.spec.over_s:g} s)"
        )

    def resting(self) -> bool:
        """Whether only what is heard counts."""
        return not self._looks

    def gauge(self, scene: Scene) -> Gauge:
        """Return how much faster it might change, per second."""
        found = self._track.slope()
        unit = f"{scene.unit(self.spec.of)}/s"
        if found is None:
            return Gauge(unit=unit)
        return Gauge(
            self.spec.per_s - abs(found[0]),
            unit,
            abs(found[0]) / self.spec.per_s if self.spec.per_s > 0.0 else None,
        )

    # --- writes ---------------------------------------------------------------------------------

    def _of_ramp(self, value: Any, after: Scene) -> str:
        at_most, unit = self.spec.ramp_at_most, after.unit(self.spec.ramp_rate)
        given = scalar(value)
        if isinstance(given, float) and 0.0 < given <= at_most * _SLACK:
            return ""
        return f"allowed more than 0 and at most {at_most:g} {unit}"

    def _unconfirmed(self, after: Scene) -> str:
        """Return why the device isn't surely set to ramp slowly enough (0 is no ramp at all)."""
        name, at_most = self.spec.ramp_rate, self.spec.ramp_at_most
        given = number(after.known(name)) if isinstance(after.read(name), float) else None
        if given is not None and given.low > 0.0 and given.high <= at_most * _SLACK:
            return ""
        unit = after.unit(name)
        return (
            f"{name} must be confirmed by its readback to be more than 0 and at most {at_most:g} "
            f"{unit} first; {after.told([name])}"
        )

    def _of_step(self, value: Any, after: Scene) -> str:
        """Return why *value* is too far from where it is, or too soon after the last step."""
        target, unit = self.spec.target, after.unit(self.spec.target)
        given = number(after.known(target))  # with the value itself: the whole step
        if given is None:
            return f"it isn't known from where it would step; {after.told([target])}"
        step = given.high - given.low
        if not step <= self.spec.step * _SLACK:
            return f"a step of {step:.6g} {unit}, allowed {self.spec.step:g} {unit} in one write"
        now = after.when.campaign_s
        recent = sum(s for t, s in self._steps if now - t < self.spec.over_s)
        allowed = max(self.spec.step, self.spec.per_s * self.spec.over_s)
        if not recent + step <= allowed * _SLACK:
            return (
                f"{recent + step:.6g} {unit} in {self.spec.over_s:g} s, allowed {allowed:.6g} "
                f"{unit} in that time"
            )
        return ""
