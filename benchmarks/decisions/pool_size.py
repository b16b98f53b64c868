"""What a decision from a large recorded pool takes: CPU seconds and memory.

python -m benchmarks.decisions.pool_size [--sizes 5000 50000] [--told 100] [--decisions 3]
    [--agents bayesian] [--json FILE]

A made-up pool: two categorical parameters (one with descriptors) and four numbers, drawn at
random. An agent is told of some entries, then asked and told of one after the other. Memory is
the greatest that the process ever had, less what it had before the pool.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from agents.catalogue import build_agent
from agents.protocols import Goal, Measured, Objective, Observation, Parameters, Value
from agents.space import Categorical, Continuous, Space

LIGANDS, BASES = 40, 12


def pool_of(size: int) -> Space:
    """Return a space of *size* entries."""
    chance = np.random.default_rng(1)
    ligand = Categorical(
        "ligand",
        tuple(f"ligand {n}" for n in range(LIGANDS)),
        descriptors=tuple(map(tuple, chance.random((LIGANDS, 5)).tolist())),
    )
    base = Categorical("base", tuple(f"base {n}" for n in range(BASES)))
    numbers = [Continuous(name, 0.0, 1.0) for name in ("a", "b", "c", "d")]
    rows: list[dict[str, Value]] = [
        {"ligand": ligand.options[one], "base": base.options[other]}
        | dict(zip("abcd", row, strict=True))
        for one, other, row in zip(
            chance.integers(LIGANDS, size=size).tolist(),
            chance.integers(BASES, size=size).tolist(),
            chance.random((size, 4)).tolist(),
            strict=True,
        )
    ]
    return Space((ligand, base, *numbers), pool=tuple(rows))


def outcome(point: Parameters) -> float:
    """Return what *point* gives: smooth in the numbers, and another for each option."""
    numbers = np.array([float(point[name]) for name in "abcd"])
    which = len(str(point["ligand"])) + int(str(point["base"]).split()[1]) % 5
    return float(-np.square(numbers - 0.6).sum() + 0.1 * which)


def observed(number: int, point: Parameters) -> Observation:
    """Return the experiment at *point*."""
    return Observation(str(number), dict(point), {"yield": Measured(outcome(point), 0.01)})


def measure(agent: str, size: int, told: int, decisions: int) -> dict[str, Any]:
    """Return what decisions of *agent* take with a pool of *size*, *told* of so many entries."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    space = pool_of(size)
    made = time.process_time() - begun
    asked = build_agent(agent, {}, space, (Objective("yield", Goal.MAXIMIZE),), 1)
    points = list((space.pool or ())[:told])
    asked.tell([observed(number, point) for number, point in enumerate(points)])
    costs = []
    for number in range(decisions + 1):
        begun = time.process_time()
        [suggestion] = asked.ask(1)
        asked.tell([observed(told + number, suggestion.parameters)])
        costs.append(time.process_time() - begun)
    return {
        "agent": agent,
        "size": size,
        "told": told,
        "decisions": decisions,
        "pool_cpu_s": made,
        "first_cpu_s": costs[0],
        "cpu_s": median(costs[1:]),
        "cpu_s_most": max(costs[1:]),
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", nargs="*", default=["bayesian"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[5000, 50000])
    parser.add_argument("--told", type=int, default=100)
    parser.add_argument("--decisions", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    for agent in asked.agents:
        for size in asked.sizes:
            row = measure(agent, size, asked.told, asked.decisions)
            rows.append(row)
            print(
                f"{agent:9s} {size:6d} entries, {asked.told} known: a decision {row['cpu_s']:.2f} "
                f"CPU s (at most {row['cpu_s_most']:.2f}, the first {row['first_cpu_s']:.2f}); "
                f"the pool {row['pool_cpu_s']:.1f} CPU s; {row['memory_mb']:.0f} MB more",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
