"""Whether the model's predictions deserved their uncertainties: predicted against measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, pstdev

from matplotlib.axes import Axes

from controller.outcome.wording import short_unit
from controller.reporting.figures import (
    BLUE,
    GREEN,
    MUTED,
    Picture,
    drawing,
    new_figure,
    svg,
)
from controller.reporting.story import Story

TITLE = "Predictions against outcomes"
LEVELS = tuple(level / 20 for level in range(1, 20))
FEW = 10
"""Fewer predictions than these say little about coverage."""


@dataclass(frozen=True, slots=True)
class Check:
    """One prediction and what was measured, in the objective's unit; sigma is that of one value."""

    experiment: int
    mean: float
    sigma: float
    measured: float
    measured_sigma: float

    @property
    def z(self) -> float:
        """By how many sigma the outcome missed the prediction."""
        return (self.measured - self.mean) / self.sigma


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of *count* outcomes fell into the central interval of probability *level*."""

    level: float
    inside: int
    count: int

    def __str__(self) -> str:
        share = self.inside / self.count
        return f"{self.inside} of {self.count} ({share:.0%}) in the {self.level:.0%} interval"


def checks_of(story: Story) -> list[Check]:
    """Return each usable outcome of the first objective that a model had predicted.

    The sigma of a prediction is that of one experiment: epistemic and aleatoric together.
    """
    name = story.state.terms.objectives[0].name
    found = []
    number = 0
    for decision in story.decisions:
        number += bool(decision.experiment)
        expected, observation = decision.expected(name), decision.observation
        if expected is None or observation is None or not observation.usable:
            continue
        value = observation.values.get(name)
        sigma = math.hypot(expected.epistemic, expected.aleatoric)
        if value is not None and sigma > 0:
            found.append(Check(number, expected.mean, sigma, value.mean, value.sigma))
    return found


def coverage(checks: Sequence[Check], level: float) -> Coverage:
    """Return how often the central interval of probability *level* held the outcome."""
    half = NormalDist().inv_cdf(0.5 + level / 2)
    return Coverage(level, sum(abs(check.z) <= half for check in checks), len(checks))


def words(checks: Sequence[Check]) -> str:
    """Return what the checks come to, in words; empty where there are none."""
    if not checks:
        return ""
    zs = [check.z for check in checks]
    sentence = (
        f"{coverage(checks, 0.5)}, {coverage(checks, 0.9)}; "
        f"z-scores: mean {fmean(zs):+.2f}, standard deviation {pstdev(zs):.2f} "
        "(0 and 1 where predictions are honest)."
    )
    few = f" With {len(checks)} predictions this says little." if len(checks) < FEW else ""
    return sentence + few


def picture(story: Story) -> Picture:
    """Return both figures: predicted against measured, and coverage at every level."""
    checks = checks_of(story)
    if not checks:
        return Picture(TITLE, "", missing=_why_none(story))
    with drawing():
        figure = new_figure(8.2, 3.5)
        left, right = figure.subplots(1, 2)
        _against(left, checks, story)
        _levels(right, checks)
        image = svg(figure, "Predicted against measured, and coverage of the intervals")
    caption = (
        "Left: what the model expected before each experiment (± σ of one experiment) and what "
        "came (± its own σ); honest predictions scatter around the line. Right: the share of "
        "outcomes inside the central interval of each probability; the band is where 90 % of "
        f"honest models would be with so few. {words(checks)}"
    )
    return Picture(TITLE, caption, (image,))


def _why_none(story: Story) -> str:
    if any(decision.suggestion.predictions for decision in story.decisions):
        return "No experiment that a model had predicted gave a usable value."
    return "No decision carried a prediction: all points were space-filling."


def _against(axes: Axes, checks: Sequence[Check], story: Story) -> None:
    objective = story.state.terms.objectives[0]
    unit = short_unit(objective.unit)
    shown = f"{objective.name}{f' ({unit})' if unit else ''}"
    ends = [*(c.mean for c in checks), *(c.measured for c in checks)]
    axes.axline((min(ends), min(ends)), slope=1, color=MUTED, lw=1, linestyle="--")
    axes.errorbar(
        [check.measured for check in checks],
        [check.mean for check in checks],
        xerr=[check.measured_sigma for check in checks],
        yerr=[check.sigma for check in checks],
        fmt="o",
        markersize=4.5,
        color=BLUE,
        elinewidth=0.7,
    )
    axes.set_xlabel(f"measured {shown}")
    axes.set_ylabel(f"predicted {shown}")


def _levels(axes: Axes, checks: Sequence[Check]) -> None:
    count = len(checks)
    bands = [_honest(count, level) for level in LEVELS]
    axes.fill_between(
        LEVELS, [b[0] for b in bands], [b[1] for b in bands], color=GREEN, alpha=0.15, lw=0
    )
    axes.plot((0, 1), (0, 1), color=MUTED, lw=1, linestyle="--")
    shares = [coverage(checks, level).inside / count for level in LEVELS]
    axes.plot(LEVELS, shares, "o-", color=BLUE, markersize=3.5)
    axes.set_xlabel("probability of the interval")
    axes.set_ylabel(f"share of {count} outcomes inside")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)


def _honest(count: int, level: float) -> tuple[float, float]:
    """Return between which shares 90 % of honest models' coverage lies: binomial quantiles."""
    shares, total = [], 0.0
    for inside in range(count + 1):
        total += math.comb(count, inside) * level**inside * (1 - level) ** (count - inside)
        shares.append(total)
    low = next(k for k, p in enumerate(shares) if p >= 0.05)
    high = next((k for k, p in enumerate(shares) if p >= 0.95), count)
    return low / count, high / count
