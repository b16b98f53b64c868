"""What a decision costs: CPU seconds of an ask and a tell, by the number of known points.

python -m benchmarks.decisions.latency [--agents bayesian] [--peers optuna_gp --venvs PREFIX]
    [--sizes 10 50 200 500 1000] [--batches 1 4] [--json FILE]

Hartmann's function of six numbers. For each size a fresh agent is told that many Sobol points, then
asked for a batch and told what it gave, several times; the median counts, the least and most stand
beside it. The very first ask is counted: it is what a resumed campaign waits for ("first"). CPU
seconds of the whole process, one thread.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.decisions.deciders import Named, decider_for
from benchmarks.decisions.peers.venvs import VENVS
from benchmarks.decisions.problem import Problem
from benchmarks.decisions.synthetic import hartmann6

REPEATS, FEWER, MANY = 5, 3, 200
"""So many repeats, and fewer where more than MANY points are known."""
SEED = 5


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one ask and tell of *batch* points with *known* points told."""

    agent: str
    known: int
    batch: int
    median: float
    least: float
    most: float
    first: float


def points(problem: Problem, count: int) -> list[dict[str, float]]:
    """Return *count* scrambled Sobol points of *problem*, a box."""
    from scipy.stats import qmc

    engine = qmc.Sobol(len(problem.frame.parameters), scramble=True, seed=SEED)
    lows = np.array([parameter.low for parameter in problem.frame.parameters])
    highs = np.array([parameter.high for parameter in problem.frame.parameters])
    rows = lows + engine.random_base2((count - 1).bit_length())[:count] * (highs - lows)
    return [dict(zip(problem.frame.names, row, strict=True)) for row in rows.tolist()]


def measure(named: Named, known: int, batch: int) -> Cost:
    """Return what a decision of *named* costs."""
    problem = hartmann6()
    start = points(problem, known)
    decider = decider_for(named, problem, 0)
    decider.tell(start, [problem.truth(point) for point in start])
    costs = []
    for _ in range(REPEATS if known <= MANY else FEWER):
        before = decider.seconds
        asked = decider.ask(batch)
        decider.tell(asked, [problem.truth(point) for point in asked])
        costs.append(decider.seconds - before)
    middle, first = median(costs), costs[0]
    return Cost(named.label, known, batch, middle, min(costs), max(costs), first)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", nargs="*", default=["bayesian"])
    parser.add_argument("--options", default="{}", help="JSON, for every one of --agents")
    parser.add_argument("--peers", nargs="*", default=[], choices=sorted(VENVS))
    parser.add_argument("--venvs", default="", help="prefix of the peers' environments")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10, 50, 200, 500, 1000])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    who = [Named(agent, agent=agent, options=asked.options) for agent in asked.agents]
    for peer in asked.peers:
        python = f"{asked.venvs}{VENVS[peer].name}/bin/python"
        who.append(Named(peer, peer=peer, python=python))
    costs = []
    for named in who:
        measure(named, min(asked.sizes), 1)  # imports and first calls are not counted
        for batch in asked.batches:
            for known in asked.sizes:
                cost = measure(named, known, batch)
                costs.append(cost)
                print(
                    f"{cost.agent:12s} n = {known:5d}, q = {batch}: {cost.median:.3f} CPU s "
                    f"({cost.least:.3f} to {cost.most:.3f}; the first {cost.first:.3f})",
                    flush=True,
                )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")


if __name__ == "__main__":
    main()
