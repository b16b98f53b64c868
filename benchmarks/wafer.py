"""How many patterns it takes to map the phases of a real wafer (Bi-Cu-V oxides, 307 spots).

    python -m benchmarks.wafer [--starts 20] [--json FILE]

The loop's agent, nothing known of phases, beside a raster (every k-th spot along the rows),
random spots, and the spot of which a plain Gaussian process of the patterns knows least; the last
and the agent begin at the same six spots. What all of them measured is mapped in the same way.
Two figures of each map, over all spots:

agreement  with the published map (a method's result that experts confirmed, not the truth): the
           part of all material that both put into the same phase, phases matched one to one
error      of the patterns foretold, root mean square, as a part of their scatter over the wafer

Then: how many patterns until the agreement (the median of three numbers of patterns in a row) is at
90 % and 95 % of that with all 307, and until the error is at 0.40 and 0.30.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Discrete, Space
from benchmarks.spread import quartiles
from models.series.agreement import adjusted_rand, overlap
from models.series.descriptor import binned, log_edges
from models.series.field import field_of
from models.series.phase_map import milestone, phase_map, steady_count, to_sum_one
from simulators.wafer.recorded import RecordedWafer, read_wafer

COUNTS = (*range(6, 40, 2), *range(40, 101, 5))
SHOWN = (10, 20, 30, 40, 60, 80, 100)
LEVELS = (0.40, 0.30)
"""Errors of the patterns foretold, to be reached."""
FIRST = 6


@dataclass(frozen=True)
class Mapped:
    """The wafer as its deciders see it: places (n x 2) in the unit cube, patterns (n x b)."""

    wafer: RecordedWafer
    space: Space
    places: np.ndarray
    patterns: np.ndarray

    @classmethod
    def of(cls, wafer: RecordedWafer) -> "Mapped":
        axes = [np.unique(wafer.places[:, k]).tolist() for k in (0, 1)]
        pool = tuple({"x": float(x), "y": float(y)} for x, y in wafer.places)
        names = zip(("x", "y"), axes, strict=True)
        space = Space(tuple(Discrete(name, tuple(axis), "mm") for name, axis in names), pool=pool)
        edges = log_edges(float(wafer.q[0]), float(wafer.q[-1]))
        return cls(wafer, space, space.encode(pool), binned(wafer.q, wafer.patterns, edges))

    def figures(self, chosen: Sequence[int], counted: dict[int, int]) -> tuple[float, ...]:
        """Agreement, adjusted Rand index of dominant phases, and error, by the *chosen* spots.

        *counted* keeps the numbers of components of one run, by milestone.
        """
        known, reached = self.patterns[list(chosen)], milestone(len(chosen))
        if reached not in counted:
            counted[reached] = steady_count(known)
        found = phase_map(self.places[list(chosen)], known, counted[reached])
        shares, true = found.shares(self.places), self.wafer.published
        expected, patterns = found.patterns(self.places), to_sum_one(self.patterns)
        scatter = np.linalg.norm(patterns - patterns.mean(0))
        return (
            overlap(shares, true),
            adjusted_rand(shares.argmax(1), true.argmax(1)),
            float(np.linalg.norm(expected - patterns) / scatter),
        )


def by_agent(mapped: Mapped, seed: int, most: int) -> list[int]:
    agent = build_agent("phase_mapping", {}, mapped.space, (Objective("q", Goal.MAXIMIZE),), seed)
    chosen: list[int] = []
    rows = {mapped.space.key(point): row for row, point in enumerate(mapped.space.pool or ())}
    while len(chosen) < most:
        [suggestion] = agent.ask(1)
        row = rows[mapped.space.key(suggestion.parameters)]
        pattern = mapped.patterns[row]
        values = {f"pattern_{k:03d}": Measured(float(v), 0.0) for k, v in enumerate(pattern)}
        agent.tell([Observation(str(len(chosen)), suggestion.parameters, values)])
        chosen.append(row)
    return chosen


def by_variance(mapped: Mapped, seed: int, most: int) -> list[int]:
    """The first spots are those that the agent begins with."""
    chosen = by_agent(mapped, seed, FIRST)
    scaled = to_sum_one(mapped.patterns)
    while len(chosen) < most:
        field = field_of(mapped.places[chosen], scaled[chosen])
        unknown = np.diag(field.covariance(mapped.places)).copy()
        unknown[chosen] = -1.0
        chosen.append(int(unknown.argmax()))
    return chosen


def at_random(mapped: Mapped, seed: int, most: int) -> list[int]:
    order = np.random.default_rng(seed).permutation(len(mapped.places))
    return [int(row) for row in order[:most]]


def by_raster(mapped: Mapped, seed: int, most: int) -> list[int]:
    """As evenly along the rows of the wafer as can be at every number (van der Corput)."""
    x, y = mapped.wafer.places.T
    path = np.lexsort((x, np.round(y, 2)))
    start = np.random.default_rng(seed).integers(len(path))
    chosen: list[int] = []
    turn = 0
    while len(chosen) < most:
        share, half, left = 0.0, 0.5, turn
        while left:
            share, half, left = share + half * (left & 1), half / 2, left >> 1
        row = int(path[(int(share * len(path)) + start) % len(path)])
        chosen += [] if row in chosen else [row]
        turn += 1
    return chosen


DECIDERS: dict[str, Callable[[Mapped, int, int], list[int]]] = {
    "agent": by_agent,
    "raster": by_raster,
    "random": at_random,
    "GP variance": by_variance,
}


def reached(scores: Sequence[float], wanted: float, counts: Sequence[int]) -> float:
    """The first number of patterns at which the scores' running median is *wanted*."""
    middle = [float(np.median(scores[max(0, k - 1) : k + 2])) for k in range(len(scores))]
    for count, score in zip(counts, middle, strict=True):
        if score >= wanted:
            return float(count)
    return float(counts[-1] + 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--deciders", nargs="*", default=list(DECIDERS))
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="patterns")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    counts = [count for count in COUNTS if count <= asked.most]
    mapped = Mapped.of(read_wafer())
    whole = mapped.figures(range(len(mapped.places)), {})
    print(
        f"all {len(mapped.places)} patterns: agreement {whole[0]:.3f}, adjusted Rand index "
        f"{whole[1]:.3f}, error {whole[2]:.3f}; one phase everywhere would agree to "
        f"{mapped.wafer.published.mean(0).max():.3f}"
    )
    document: dict[str, Any] = {"whole": whole, "counts": counts, "starts": asked.starts}
    for name in asked.deciders:
        runs = []
        for seed in range(asked.starts):
            chosen, counted = DECIDERS[name](mapped, seed, counts[-1]), {}
            runs.append([mapped.figures(chosen[:count], counted) for count in counts])
        curves = np.array(runs)
        document[name] = {"curves": curves.tolist(), **_summary(name, curves, whole, counts)}
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _summary(
    name: str, curves: np.ndarray, whole: Sequence[float], counts: Sequence[int]
) -> dict[str, Any]:
    """Print and return the spread of *curves* (starts x counts x figures)."""
    found: dict[str, Any] = {}
    for part in (0.90, 0.95):
        numbers = [reached(run[:, 0], part * whole[0], counts) for run in curves]
        found[f"patterns to {part:.0%}"] = quartiles(numbers)
    for level in LEVELS:
        numbers = [reached(-run[:, 2], -level, counts) for run in curves]
        found[f"patterns to error {level:.2f}"] = quartiles(numbers)
    parts = ", ".join(
        f"{key} {middle:.0f} ({low:.0f} to {high:.0f})"
        for key, (low, middle, high) in found.items()
    )
    print(f"{name:12s} {parts}")
    for figure, label in ((0, "agreement"), (1, "Rand index"), (2, "error")):
        middle = dict(zip(counts, np.median(curves[:, :, figure], axis=0), strict=True))
        row = "  ".join(f"{n}: {middle[n]:.3f}" for n in SHOWN if n in middle)
        print(f"{'':12s} {label:10s} {row}", flush=True)
    return found


if __name__ == "__main__":
    main()
