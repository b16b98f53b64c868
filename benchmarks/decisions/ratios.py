"""How many experiments one method needs of those of another, paired by seed.

The ratio of a problem is the geometric mean over its seeds of (experiments of the one) /
(experiments of the other); the pooled ratio is the geometric mean over problems, each counting
alike. Intervals: percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over seeds
within problems. Pairs in which the shared initial points solve the problem decide nothing and
are left out. Runs that never solve it enter with budget + 1, so both ends of a ratio are bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
COVERAGE = 0.95

FEW = 10
"""With fewer pairs on a problem the bootstrap's interval is too narrow to be believed."""

Counts = Mapping[int, int]
"""Experiments to the target by seed."""


@dataclass(frozen=True)
class Ratio:
    """A geometric mean ratio with the ends of its interval, from so many pairs.

    ``fewest`` is the number of pairs on the problem that has fewest.
    """

    value: float
    low: float
    high: float
    pairs: int
    fewest: int

    def __str__(self) -> str:
        few = "" if self.fewest >= FEW else f"; as few as {self.fewest} on a problem"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f}) from {self.pairs} pairs{few}"


def paired_logs(ours: Counts, theirs: Counts) -> np.ndarray:
    """Return log(ours / theirs) for the seeds that both have and that weren't solved at once."""
    shared = [seed for seed in sorted(ours) if seed in theirs and ours[seed] and theirs[seed]]
    return np.log([ours[seed] / theirs[seed] for seed in shared])


def pooled(samples: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0) -> Ratio:
    """Return the ratio over problems, given each one's logs of ratios; a ValueError without any.

    One problem's ratio is the pooled one of that problem alone.
    """
    samples = [logs for logs in samples if len(logs)]
    if not samples:
        raise ValueError("no seed was run by both: nothing can be compared")
    chance = np.random.default_rng(seed)
    drawn = [
        logs[chance.integers(len(logs), size=(resamples, len(logs)))].mean(axis=1)
        for logs in samples
    ]
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(np.mean(drawn, axis=0), [tail, 100 - tail])
    middle = float(np.mean([logs.mean() for logs in samples]))
    sizes = [len(logs) for logs in samples]
    value, low, high = (float(np.exp(log)) for log in (middle, low, high))
    return Ratio(value, low, high, sum(sizes), min(sizes))


def best_of(found: Mapping[str, Mapping[str, Counts]]) -> str:
    """Return the one method (of *found*[method][problem]) that needs the fewest over all problems.

    Only methods that tried every problem of the set that most have tried are looked at, on the
    seeds that all of these share. A ValueError without any.
    """
    if not found:
        raise ValueError("no peer has a run: nothing can be the reference")
    widest = max(len(problems) for problems in found.values())
    complete = {name: problems for name, problems in found.items() if len(problems) == widest}
    names = set.intersection(*(set(problems) for problems in complete.values()))
    totals = dict.fromkeys(complete, 0.0)
    for problem in sorted(names):
        shared = set.intersection(*(set(problems[problem]) for problems in complete.values()))
        for name, problems in complete.items():
            counts = [problems[problem][seed] for seed in sorted(shared)]
            if counts:
                totals[name] += float(np.mean(np.log(np.maximum(counts, 1))))
    return min(totals, key=lambda name: totals[name])
