"""Experiments to the best structures of a recorded table: agent, random and published curves.

python -m benchmarks.crossed_barrel [--seeds 20] [--experiments 100] [--agents bayesian sobol]
    [--data FOLDER] [--published FOLDER] [--means] [--json]

Each experiment draws one of the point's replicates by seed (``--means``: gives their mean, as in
the published protocol); points are ranked by the mean of their replicates. A run that doesn't
find what is asked for within its experiments counts as "> experiments".
"""

import argparse
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.catalogue import build_agent
from agents.protocols import Agent, Goal, Measured, Objective, Observation
from agents.space import Space
from controller.spaces import column_parameter
from simulators.recorded import RecordedTable, read_table

RECORDED = Path(__file__).parents[1] / "simulators" / "data" / "recorded"
MARKS = (10, 20, 30, 50, 75, 100)
TOP = 0.05
NEVER = 10**9


@dataclass(frozen=True)
class Run:
    """The points of the table that were tried, in order, and the CPU seconds of the decisions."""

    order: list[int]
    seconds: float


def space_of(table: RecordedTable) -> Space:
    columns = tuple(column_parameter(column) for column in table.parameters)
    return Space(columns, pool=tuple(table.pool))


def agent_for(name: str, table: RecordedTable, space: Space, seed: int) -> Agent:
    objectives = tuple(
        Objective(result.name, Goal(result.goal), result.unit, result.target)
        for result in table.objectives
    )
    return build_agent(name, {}, space, objectives, seed)


def measured(table: RecordedTable, point: int, draw: tuple[int, int], means: bool) -> dict:
    names = [objective.name for objective in table.objectives]
    if means:
        return {name: Measured(table.mean(point, name), 0.0) for name in names}
    seed, number = draw
    outcome = table.outcome(point, seed, number)
    return {name: Measured(outcome[name], 0.0) for name in names}


def search(agent: Agent, table: RecordedTable, seed: int, asked: argparse.Namespace) -> Run:
    """Ask one, tell one, until the experiments or the table are used up."""
    order: list[int] = []
    seconds = 0.0
    for number in range(min(asked.experiments, len(table.pool))):
        start = time.process_time()
        suggestions = agent.ask(1)
        seconds += time.process_time() - start
        point = suggestions[0].parameters
        order.append(table.index_of(point))
        values = measured(table, order[-1], (seed, number), asked.means)
        agent.tell([Observation(str(number), point, values)])
    return Run(order, seconds)


def first(order: list[int], wanted: set[int]) -> int:
    """Return the number of experiments until one of *wanted* was tried; NEVER if none was."""
    return next((n for n, point in enumerate(order, 1) if point in wanted), NEVER)


def quartiles(counts: list[int], experiments: int) -> str:
    """Return "median (quartiles)" of *counts* of experiments, those beyond the last censored."""
    low, middle, high = np.percentile(counts, [25, 50, 75], method="higher")
    shown = [f"{n:.0f}" if n < NEVER else f"> {experiments}" for n in (middle, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def summary(name: str, runs: list[Run], table: RecordedTable, experiments: int) -> dict:
    scores = np.array(table.scores())
    ranked = np.argsort(-scores, kind="stable")
    best = set(np.flatnonzero(scores == scores.max()).tolist())
    top = set(ranked[: table.top_count(TOP)].tolist())
    to_top = [first(run.order, top) for run in runs]
    to_best = [first(run.order, best) for run in runs]
    curve = {
        mark: float(np.mean([len(top & set(run.order[:mark])) / len(top) for run in runs]))
        for mark in MARKS
        if mark <= min(experiments, len(scores))
    }
    return {
        "agent": name,
        "seeds": len(runs),
        "to_top5percent": quartiles(to_top, experiments),
        "to_best": quartiles(to_best, experiments),
        "best_found": sum(n < NEVER for n in to_best),
        "to_best_each": [n if n < NEVER else None for n in to_best],
        "top_fraction": curve,
        "cpu_seconds_per_ask": sum(run.seconds for run in runs) / sum(len(r.order) for r in runs),
    }


def published(folder: Path) -> dict:
    """Return the same figures of the published runs (they don't say which structure was found)."""
    [file] = folder.glob("*topcount.csv")
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [
            (int(r["run"]), int(r["n_evaluated"]), int(r["top_count"]))
            for r in csv.DictReader(lines)
        ]
    runs = sorted({run for run, _, _ in rows})
    counts = {run: {n: count for r, n, count in rows if r == run} for run in runs}
    total = max(count for _, _, count in rows)
    to_top = [min(n for n, count in counts[run].items() if count) for run in runs]
    curve = {
        mark: float(np.mean([counts[run].get(mark, total) / total for run in runs]))
        for mark in MARKS
    }
    return {
        "agent": "published (GP Matern-5/2, LCB 2)",
        "seeds": len(runs),
        "to_top5percent": quartiles(to_top, max(MARKS)),
        "to_best": "not recorded",
        "top_fraction": curve,
    }


def show(results: list[dict], table: RecordedTable) -> None:
    print(f"{table.name}: {len(table.pool)} points, {table.top_count(TOP)} in the top 5 %")
    for result in results:
        found = f", found by {result['best_found']}" if "best_found" in result else ""
        curve = "  ".join(f"{n}: {100 * part:.0f} %" for n, part in result["top_fraction"].items())
        print(f"{result['agent']} ({result['seeds']} seeds{found})")
        print(f"  experiments to the first of the top 5 %: {result['to_top5percent']}")
        print(f"  experiments to the best: {result['to_best']}")
        print(f"  top 5 % found after n experiments (mean): {curve}")
        if "cpu_seconds_per_ask" in result:
            print(f"  CPU seconds per decision: {result['cpu_seconds_per_ask']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RECORDED / "pvlab_crossed_barrel")
    parser.add_argument("--published", type=Path, default=RECORDED / "pvlab_published_curves")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--agents", nargs="+", default=["bayesian"])
    parser.add_argument("--means", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    table = read_table(asked.data)
    space = space_of(table)
    chance = np.random.default_rng(0)
    draws = [chance.permutation(len(table.pool))[: asked.experiments] for _ in range(200)]
    runs = {"random": [Run(draw.tolist(), 0.0) for draw in draws]}
    for name in asked.agents:
        runs[name] = [
            search(agent_for(name, table, space, seed), table, seed, asked)
            for seed in range(asked.seeds)
        ]
    results = [summary(name, done, table, asked.experiments) for name, done in runs.items()]
    if table.name == "pvlab_crossed_barrel" and asked.published.is_dir():
        results.append(published(asked.published))
    if asked.json:
        print(json.dumps({"table": table.name, "results": results}))
    else:
        show(results, table)


if __name__ == "__main__":
    main()
