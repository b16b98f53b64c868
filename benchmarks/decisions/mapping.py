"""How well a map or a boundary is known after so many experiments, beside space-filling points.

python -m benchmarks.decisions.mapping [--problems branin ...] [--seeds 5] [--json FILE]

Both choose points; what they told is then learned by the same Gaussian process. A map's error
is the root mean square one over 1,000 points spread over the space (over all entries of a
recorded table), as a part of the standard deviation there; a boundary's the share of these
points on the wrong side.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.knowledge import Knowledge
from agents.protocols import Goal, Measured, Objective, Observation, Parameters
from agents.space import Space
from benchmarks.decisions.problem import Problem
from benchmarks.decisions.recorded import IN_REPOSITORY, from_folder
from benchmarks.decisions.synthetic import branin, gramacy
from benchmarks.spread import quartiles

COUNTS = (10, 15, 20, 30, 40)
GRID = 1000


@dataclass(frozen=True)
class Charted:
    """What is to be learned of *problem*: its *outcome*, or where that crosses *level*."""

    problem: Problem
    outcome: str
    level: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def space(self) -> Space:
        """Where it is learned."""
        return Space(self.problem.frame.parameters, pool=self.problem.pool)

    def error(self, told: Sequence[Observation], points: Sequence[Parameters]) -> float:
        """Return the error at *points* of what a process learns from *told*."""
        outcome = Objective(self.outcome, Goal.MAXIMIZE)
        knowledge = Knowledge(self.space, [outcome], warp=True)
        knowledge.tell(told)
        found = np.array([p[self.outcome].mean for p in knowledge.predictions(points)])
        true = np.array([self.problem.truth(point)[self.outcome] for point in points])
        if self.level is not None:
            return float(np.mean((found > self.level) != (true > self.level)))
        return float(np.sqrt(np.mean(np.square(found - true))) / true.std())


def charted(folder: Path) -> dict[str, Callable[[], Charted]]:
    """Return what there is to learn; a recorded table from *folder*."""

    def recorded() -> Charted:
        problem = from_folder(folder / "pvlab_crossed_barrel")
        return Charted(problem, problem.frame.wanted[0].name)

    return {
        "branin": lambda: Charted(branin(), "y"),
        "gramacy boundary": lambda: Charted(gramacy(), "c1", 0.0, {"level": 0.0}),
        "branin boundary": lambda: Charted(branin(), "y", 20.0, {"level": 20.0}),
        "crossed_barrel": recorded,
    }


def errors(chart: Charted, agent: str, seed: int) -> list[float]:
    """Return the error after each of COUNTS experiments that *agent* chose."""
    space = chart.space
    options = {"outcome": chart.outcome, **chart.options} if agent == "mapping" else {}
    objectives = (Objective(chart.outcome, Goal.MAXIMIZE),)
    asked = build_agent(agent, options, space, objectives, seed)
    points = space.listed or space.sample(GRID, 999)
    told: list[Observation] = []
    found = []
    while len(told) < COUNTS[-1]:
        [suggestion] = asked.ask(1)
        value = chart.problem.truth(suggestion.parameters)[chart.outcome]
        values = {chart.outcome: Measured(value, 0.0)}
        told.append(Observation(str(len(told)), suggestion.parameters, values))
        asked.tell(told[-1:])
        if len(told) in COUNTS:
            found.append(chart.error(told, points))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--problems", nargs="*")
    parser.add_argument("--agents", nargs="*", default=["mapping", "sobol"])
    parser.add_argument("--data", type=Path, default=IN_REPOSITORY)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    known = charted(asked.data)
    if unknown := [name for name in asked.problems or () if name not in known]:
        parser.error(f"unknown problem {unknown[0]!r}; known: {', '.join(known)}")
    document: dict[str, dict[str, Any]] = {}
    for name in asked.problems or known:
        chart = known[name]()
        document[name] = {}
        for agent in asked.agents:
            runs = np.array([errors(chart, agent, seed) for seed in range(asked.seeds)])
            rows = {str(n): quartiles(runs[:, at].tolist()) for at, n in enumerate(COUNTS)}
            document[name][agent] = {"seeds": asked.seeds, "errors": rows}
            print(
                f"{name:17s} {agent:8s} "
                + "  ".join(f"{n}: {b:.3f} ({a:.3f} to {c:.3f})" for n, (a, b, c) in rows.items()),
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
