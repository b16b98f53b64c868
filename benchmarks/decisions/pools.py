"""The two large pools: experiments until 99 % of the best yield, ours beside published curves.

python -m benchmarks.decisions.pools [--agents bayesian] [--data FOLDER] [--seeds 20]
    [--batch 5] [--peers botorch --venvs PREFIX] [--json FILE]

Direct arylation (1,728 candidates): beside the recorded runs of the published optimizer (50, in
batches of 5) and of 50 chemists (edbo_published_curves). As they did, a run starts with
nothing known and gets its outcomes in batches. Suzuki coupling (3,696): ours beside peers.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.decisions.deciders import Named, decider_for
from benchmarks.decisions.peers.venvs import VENVS
from benchmarks.decisions.recorded import IN_REPOSITORY, Recorded, from_folder
from benchmarks.spread import quartiles

POOLS = ("edbo_direct_arylation", "edbo_suzuki_hte")
PUBLISHED = {
    "published optimizer": ("bo_gp_ei_batch5.csv", "run"),
    "published chemists": ("human_game.csv", "player"),
}
ENOUGH = 0.99
BUDGET = 100


def search(named: Named, problem: Recorded, seed: int, batch: int) -> list[float]:
    """Return the yields in the order measured, up to the budget or the first that is enough."""
    decider = decider_for(named, problem, seed)
    enough = ENOUGH * -problem.frame.optimum
    yields: list[float] = []
    start = problem.start(seed)[:batch]
    while len(yields) < BUDGET and (not yields or max(yields) < enough):
        points = decider.ask(batch) if yields else start
        outcomes = [problem.truth(point) for point in points]
        decider.tell(points, outcomes)
        yields += [outcome[problem.frame.wanted[0].name] for outcome in outcomes]
    return yields


def first(yields: Iterable[float], enough: float) -> int | None:
    """Return the number of the first experiment with at least *enough*; None without one."""
    return next((n for n, value in enumerate(yields, 1) if value >= enough), None)


def published(folder: Path, best: float) -> dict[str, list[int | None]]:
    """Return the experiments until 99 % of *best* in the recorded runs, by who made them."""
    found = {}
    for who, (file, key) in PUBLISHED.items():
        runs: dict[str, list[float]] = {}
        with (folder / file).open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                runs.setdefault(row[key], []).append(float(row["yield"]))
        found[who] = [first(yields[:BUDGET], ENOUGH * best) for yields in runs.values()]
    return found


def summary(counts: list[int | None]) -> dict[str, Any]:
    """Return quartiles of *counts*, those never found counted as budget + 1, and how many."""
    low, middle, high = quartiles([BUDGET + 1 if count is None else count for count in counts])
    missed = sum(count is None for count in counts)
    return {"runs": len(counts), "low": low, "median": middle, "high": high, "never": missed}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", nargs="*", default=["bayesian"])
    parser.add_argument("--options", default="{}", help="JSON, for every one of --agents")
    parser.add_argument("--peers", nargs="*", default=[], choices=sorted(VENVS))
    parser.add_argument("--venvs", default="", help="prefix of the peers' environments")
    parser.add_argument("--data", type=Path, default=IN_REPOSITORY)
    parser.add_argument("--pools", nargs="*", default=list(POOLS), choices=POOLS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    who = [Named(agent, agent=agent, options=asked.options) for agent in asked.agents]
    for peer in asked.peers:
        who.append(Named(peer, peer=peer, python=f"{asked.venvs}{VENVS[peer].name}/bin/python"))
    document: dict[str, dict[str, Any]] = {}
    for name in asked.pools:
        if not (asked.data / name).is_dir():
            print(f"{name}: not under {asked.data}; left out (--data FOLDER)", file=sys.stderr)
            continue
        problem = from_folder(asked.data / name)
        best = -problem.frame.optimum
        print(f"{name}: {len(problem.pool)} candidates, batches of {asked.batch}", flush=True)
        rows = {}
        curves = asked.data / "edbo_published_curves"
        if name == POOLS[0] and curves.is_dir():
            rows = {who: summary(counts) for who, counts in published(curves, best).items()}
        for named in who:
            runs = [search(named, problem, seed, asked.batch) for seed in range(asked.seeds)]
            rows[named.label] = summary([first(run, ENOUGH * best) for run in runs])
        for label, row in rows.items():
            print(
                f"  {label:20s} {row['median']:.0f} experiments to 99 % of the best "
                f"({row['low']:.0f} to {row['high']:.0f}); {row['never']} of {row['runs']} never",
                flush=True,
            )
        document[name] = rows
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
