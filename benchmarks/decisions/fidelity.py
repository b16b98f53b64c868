"""Cost to target with cheap experiments beside dear ones, against dear ones alone.

python -m benchmarks.decisions.fidelity [--problems branin hartmann6] [--seeds 12] [--json FILE]

Two-fidelity versions of Branin's and Hartmann's function, moved as in BoTorch's AugmentedBranin and
AugmentedHartmann: a scan of 10 minutes gives the function itself, one of 1 minute that at fidelity
0.5 (Wu, Toscano-Palmerin, Frazier & Wilson, UAI 2019, appendix). An experiment costs 0.1 and a
minute 1. `with` may choose either (`fidelity`), `without` has the long scan alone. A run is solved
when a long scan has come within the tolerance of the best; what it has cost until then counts, the
first points included. A run that isn't solved counts with its whole budget.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.parameters import Continuous, Discrete, Parameter
from agents.protocols import Goal, Measured, Objective, Observation, Parameters
from agents.space import Space
from benchmarks.decisions.functions import BRANIN_BEST, HARTMANN6_BEST, branin, hartmann6
from benchmarks.spread import quartiles

LOSS = Objective("loss", Goal.MINIMIZE)
SHORT, LONG = 1.0, 10.0
EACH = 0.1
MINUTES = Discrete("minutes", (SHORT, LONG))
LOWER = 0.5


@dataclass(frozen=True)
class Fidelities:
    """A function of a point and a fidelity (1: the function itself), to be minimised."""

    parameters: tuple[Parameter, ...]
    function: Callable[[Parameters, float], float]
    best: float
    tolerance: float
    budget: float


def _branin(point: Parameters, fidelity: float) -> float:
    x, y = float(point["x"]), float(point["y"])
    return branin(x, y + 0.1 * (1 - fidelity) * x**2)


def _hartmann6(point: Parameters, fidelity: float) -> float:
    row = np.array([float(value) for name, value in sorted(point.items()) if name != "minutes"])
    exponent = (10 * (row[0] - 0.1312) ** 2 + 3 * (row[1] - 0.1696) ** 2) + (
        17 * (row[2] - 0.5569) ** 2 + 3.5 * (row[3] - 0.0124) ** 2
    )
    exponent += 1.7 * (row[4] - 0.8283) ** 2 + 8 * (row[5] - 0.5886) ** 2
    # the first of the four summits is lower by 0.1 (1 - fidelity)
    return hartmann6(row) + 0.1 * (1 - fidelity) * float(np.exp(-exponent))


PROBLEMS = {
    "branin": Fidelities(
        (Continuous("x", -5.0, 10.0), Continuous("y", 0.0, 15.0)), _branin, BRANIN_BEST, 0.1, 400.0
    ),
    "hartmann6": Fidelities(
        tuple(Continuous(f"x{i}", 0.0, 1.0) for i in range(6)),
        _hartmann6,
        HARTMANN6_BEST,
        0.3,
        600.0,
    ),
}


def cost_to_target(problem: Fidelities, seed: int, *, cheap: bool) -> tuple[float, bool]:
    """Return what a run has cost until it was solved (or its budget), and whether it was."""
    extra: tuple[Parameter, ...] = (MINUTES,) if cheap else ()
    options: dict[str, Any] = {}
    if cheap:
        options["costs"] = {"experiment": EACH, "measuring": {"minutes": 1.0}}
        options["fidelity"] = {"parameter": "minutes", "target": LONG}
    space = Space((*problem.parameters, *extra))
    agent = build_agent("bayesian", options, space, (LOSS,), seed)
    spent, number = 0.0, 0
    while spent < problem.budget:
        [asked] = agent.ask(1)
        minutes = float(asked.parameters.get("minutes", LONG))
        value = problem.function(asked.parameters, 1.0 if minutes == LONG else LOWER)
        spent, number = spent + EACH + minutes, number + 1
        if minutes == LONG and value <= problem.best + problem.tolerance:
            return spent, True
        measured = {"loss": Measured(value, 0.0)}
        agent.tell([Observation(str(number), asked.parameters, measured)])
    return problem.budget, False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=PROBLEMS)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    document: dict[str, dict[str, Any]] = {}
    for name in asked.problems:
        document[name] = {}
        for label, cheap in (("without", False), ("with", True)):
            runs = [
                cost_to_target(PROBLEMS[name], seed, cheap=cheap) for seed in range(asked.seeds)
            ]
            low, middle, high = quartiles([cost for cost, _ in runs])
            solved = sum(done for _, done in runs)
            document[name][label] = {
                "cost": [low, middle, high],
                "solved": solved,
                "runs": len(runs),
            }
            print(
                f"{name:10s} {label:8s} cost to target {middle:.0f} ({low:.0f} to {high:.0f}), "
                f"{solved} of {len(runs)} solved",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
