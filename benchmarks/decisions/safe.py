"""How often experiments break a hidden limit, and the regret paid for keeping it.

python -m benchmarks.decisions.safe [--problems gramacy ...] [--seeds 20] [--agents safe bayesian]
    [--bound 0.05] [--json FILE]

Both agents start from the same few points that keep all limits (drawn evenly among those that
do); `bayesian` with the limits as `outcome_constraints`: expected improvement times the
probability of keeping them. An experiment counts as a violation where an outcome without noise
breaks its limit. The interval holds the true frequency in 95 % of cases, were experiments
independent (Clopper and Pearson). A run that stands still keeps the regret that it has.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.protocols import Measured, Objective, Observation, Value
from agents.space import Space
from benchmarks.decisions.constrained import CONSTRAINED
from benchmarks.decisions.problem import Outcome, Problem
from benchmarks.spread import quartiles
from models.calibration import Coverage


@dataclass(frozen=True)
class Kept:
    """One run: *experiments* that the agent chose, *broken* ones, the *regret* at the end."""

    experiments: int
    broken: int
    regret: float
    at_start: float
    seconds: float


def keeps(problem: Problem, outcome: Outcome) -> bool:
    """Return whether *outcome* is within all limits."""
    return all(outcome[name] <= 0 for name in problem.frame.constraints)


def start_of(problem: Problem, seed: int) -> list[dict[str, Value]]:
    """Return points that keep all limits, spread at random; the same for the same *seed*."""
    chance = np.random.default_rng(5000 + seed)
    lows = np.array([parameter.low for parameter in problem.frame.parameters])
    highs = np.array([parameter.high for parameter in problem.frame.parameters])
    found: list[dict[str, Value]] = []
    while len(found) < problem.frame.initial:
        row = lows + chance.random(len(lows)) * (highs - lows)
        point: dict[str, Value] = dict(zip(problem.frame.names, row.tolist(), strict=True))
        if keeps(problem, problem.truth(point)):
            found.append(point)
    return found


def run(name: str, problem: Problem, seed: int, bound: float) -> Kept:
    """Return what the agent *name* comes to on *problem*."""
    frame = problem.frame
    options: dict[str, Any] = {
        "outcome_constraints": [{"outcome": each, "at_most": 0.0} for each in frame.constraints]
    }
    options |= {"bound": bound} if name == "safe" else {"initial": frame.initial}
    objectives = tuple(Objective(wanted.name, wanted.goal) for wanted in frame.wanted)
    begun = time.process_time()
    agent = build_agent(name, options, Space(frame.parameters), objectives, seed)
    outcomes: list[Outcome] = []
    for point in start_of(problem, seed):
        outcomes.append(problem.truth(point))
        agent.tell([_observed(len(outcomes), point, outcomes[-1])])
    while len(outcomes) < frame.budget and (asked := agent.ask(1)):
        outcomes.append(problem.truth(asked[0].parameters))
        agent.tell([_observed(len(outcomes), dict(asked[0].parameters), outcomes[-1])])
    regrets = frame.regrets(problem.curve(outcomes, outcomes))
    chosen = outcomes[frame.initial :]
    return Kept(
        len(chosen),
        sum(not keeps(problem, outcome) for outcome in chosen),
        float(regrets[-1]),
        float(regrets[frame.initial - 1]),
        time.process_time() - begun,
    )


def _observed(number: int, point: dict[str, Value], outcome: Outcome) -> Observation:
    values = {name: Measured(value, 0.0) for name, value in outcome.items()}
    return Observation(str(number), point, values)


def summary(runs: list[Kept]) -> dict[str, Any]:
    """Return violations with their interval, quartiles of the regret, and what it cost."""
    experiments, broken = sum(r.experiments for r in runs), sum(r.broken for r in runs)
    kept = Coverage(0.95, experiments - broken, experiments)
    low, middle, high = quartiles([r.regret for r in runs])
    return {
        "runs": len(runs),
        "experiments": experiments,
        "broken": broken,
        "per_1000": 1000 * broken / experiments,
        "per_1000_low": 1000 * (1 - kept.high),
        "per_1000_high": 1000 * (1 - kept.low),
        "runs_without": sum(r.broken == 0 for r in runs),
        "regret_at_start": quartiles([r.at_start for r in runs])[1],
        "regret": middle,
        "regret_low": low,
        "regret_high": high,
        "cpu_s_per_experiment": sum(r.seconds for r in runs) / max(experiments, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--problems", nargs="*", default=list(CONSTRAINED), choices=CONSTRAINED)
    parser.add_argument("--agents", nargs="*", default=["safe", "bayesian"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--bound", type=float, default=0.05)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    document: dict[str, dict[str, Any]] = {}
    for name in asked.problems:
        problem = CONSTRAINED[name]()
        document[name] = {}
        for agent in asked.agents:
            runs = [run(agent, problem, seed, asked.bound) for seed in range(asked.seeds)]
            row = document[name][agent] = summary(runs)
            print(
                f"{name:16s} {agent:9s} {row['per_1000']:5.1f} violations per 1,000 "
                f"({row['per_1000_low']:.1f} to {row['per_1000_high']:.1f}; "
                f"{row['broken']} of {row['experiments']}, none in {row['runs_without']} of "
                f"{row['runs']} runs); regret {row['regret']:.3g} ({row['regret_low']:.3g} to "
                f"{row['regret_high']:.3g}), {row['regret_at_start']:.3g} at the start; "
                f"{row['cpu_s_per_experiment']:.2f} CPU s an experiment",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
