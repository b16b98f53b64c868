"""One run: the initial points, then one experiment at a time until the budget is spent."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.decisions.deciders import Decider, Foreseen
from benchmarks.decisions.problem import Outcome, Problem

NOISE_SEED = 77_000


@dataclass(frozen=True)
class Run:
    """What one agent did on one problem with one seed; ``curve`` as ``Problem.curve``.

    ``visited`` is the best noiseless merit of all points so far, where there is noise. Times
    are CPU seconds of an ask and a tell together. ``foreseen`` is what was expected of the first
    outcome, and what came.
    """

    agent: str
    problem: str
    seed: int
    n: int
    n_init: int
    optimum: float
    curve: tuple[float | None, ...]
    ask_tell_cpu_median: float
    ask_tell_cpu_total: float
    visited: tuple[float | None, ...] = ()
    foreseen: tuple[Foreseen, ...] = ()

    def line(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def read_run(line: dict[str, Any]) -> Run:
    """Return the run written as *line*, by this benchmark or by the peers' earlier scripts."""
    return Run(
        agent=line.get("agent") or line["peer"],
        problem=line["problem"],
        seed=int(line["seed"]),
        n=int(line["n"]),
        n_init=int(line["n_init"]),
        optimum=float(line["optimum"]),
        curve=tuple(line["curve"]),
        ask_tell_cpu_median=float(line["ask_tell_cpu_median"]),
        ask_tell_cpu_total=float(line["ask_tell_cpu_total"]),
        visited=tuple(line.get("visited") or line.get("best_true_visited") or ()),
        foreseen=tuple((mean, sigma, came) for mean, sigma, came in line.get("foreseen", ())),
    )


def run(label: str, problem: Problem, decider: Decider, seed: int) -> Run:
    """Return the run of *decider* on *problem*; a pool's run ends where its best is found."""
    frame = problem.frame
    chance = np.random.default_rng(NOISE_SEED + seed)
    points = list(problem.start(seed))
    seen: list[Outcome] = [problem.observe(point, chance) for point in points]
    truths = [problem.truth(point) for point in points]
    decider.tell(points, seen)
    costs: list[float] = []
    while len(points) < frame.budget and not _finished(problem, truths):
        before = decider.seconds
        [point] = decider.ask()
        outcome = problem.observe(point, chance)
        decider.tell([point], [outcome])
        costs.append(decider.seconds - before)
        points.append(dict(point))
        seen.append(outcome)
        truths.append(problem.truth(point))
    return Run(
        agent=label,
        problem=frame.name,
        seed=seed,
        n=len(points),
        n_init=frame.initial,
        optimum=frame.optimum,
        curve=tuple(problem.curve(seen, truths)),
        ask_tell_cpu_median=median(costs) if costs else 0.0,
        ask_tell_cpu_total=sum(costs),
        visited=tuple(problem.curve(truths, truths)) if frame.kind == "noisy" else (),
        foreseen=tuple(decider.foreseen),
    )


def _finished(problem: Problem, truths: list[Outcome]) -> bool:
    frame = problem.frame
    return frame.kind == "pool" and frame.regrets(problem.curve(truths, truths))[-1] <= 0
