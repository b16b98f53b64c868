"""What an earlier campaign is worth: regret with one that was alike, a misleading one, and none.

python -m benchmarks.decisions.transfer [--seeds 12] [--experiments 25] [--json FILE]

Branin's function. The earlier campaign of each seed has 30 Sobol points: `alike`, of the function
moved by 0.5 in both parameters, scaled by 1.5 and shifted by 20; `misleading`, of its mirror image
upside down, whose best points are the worst ones here. Regret is that of the best point measured so
far, after so many experiments; medians and quartiles over the seeds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.parameters import Continuous
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Space
from agents.transfer_options import EarlierCampaign, EarlierExperiment
from benchmarks.decisions.functions import BRANIN_BEST, branin
from benchmarks.spread import quartiles

SPACE = Space((Continuous("x", -5.0, 10.0), Continuous("y", 0.0, 15.0)))
LOSS = Objective("loss", Goal.MINIMIZE)
KNOWN = 30
MARKS = (5, 8, 10, 15, 20, 25)


def alike(x: float, y: float) -> float:
    """Return Branin's function as it may have been another day."""
    return 1.5 * branin(x + 0.5, y - 0.5) + 20.0


def misleading(x: float, y: float) -> float:
    """Return something of which the best is worst for Branin's function."""
    return -branin(5.0 - x, y)


SOURCES = {"none": None, "alike": alike, "misleading": misleading}


def earlier(name: str, seed: int) -> list[dict[str, Any]]:
    """Return the earlier campaign *name* of a *seed* as an option; empty for none."""
    function = SOURCES[name]
    if function is None:
        return []
    experiments = tuple(
        EarlierExperiment(parameters=p, values={"loss": (function(p["x"], p["y"]), 0.0)})  # type: ignore[arg-type]
        for p in SPACE.sample(KNOWN, 1000 + seed)
    )
    return [EarlierCampaign.of(name, name, experiments).model_dump(mode="json")]


def regrets(name: str, seed: int, experiments: int) -> list[float]:
    """Return the regret after each experiment of a campaign that knows the earlier one *name*."""
    agent = build_agent("bayesian", {"transfer": earlier(name, seed)}, SPACE, (LOSS,), seed)
    values: list[float] = []
    for number in range(experiments):
        [asked] = agent.ask(1)
        point = asked.parameters
        values.append(branin(float(point["x"]), float(point["y"])))
        agent.tell([Observation(str(number), point, {"loss": Measured(values[-1], 0.0)})])
    return (np.minimum.accumulate(values) - BRANIN_BEST).tolist()


def figures(name: str, seeds: int, experiments: int) -> dict[str, Any]:
    """Return quartiles of the regret after each of MARKS experiments."""
    curves = [regrets(name, seed, experiments) for seed in range(seeds)]
    marks = [mark for mark in MARKS if mark <= experiments]
    return {str(mark): quartiles([curve[mark - 1] for curve in curves]) for mark in marks}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--experiments", type=int, default=25)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    document = {}
    for name in SOURCES:
        document[name] = figures(name, asked.seeds, asked.experiments)
        parts = [
            f"{mark}: {middle:.2g} ({low:.2g} to {high:.2g})"
            for mark, (low, middle, high) in document[name].items()
        ]
        print(f"{name:10s} {'; '.join(parts)}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
