"""Experiments to a target, ours beside other libraries', from the same initial points.

python -m benchmarks.decisions [--agents bayesian] [--problems branin ...] [--seeds 50]
    [--jobs 1] [--out runs/decisions.jsonl] [--data FOLDER]

Runs that the file holds already are not made again. --table FILE --outcome COLUMN --goal maximize
tries any table. --peers optuna_gp --venvs PREFIX runs other libraries in their own environments
(python -m benchmarks.decisions.peers makes them), --peers-results FILE takes runs made earlier.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.decisions.deciders import Named
from benchmarks.decisions.recorded import IN_REPOSITORY
from benchmarks.decisions.runs import Source, Task, make, on_file, problem_of, sources
from benchmarks.decisions.tables import report


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", nargs="*", default=["bayesian"])
    parser.add_argument("--options", default="{}", help="JSON, for every one of --agents")
    parser.add_argument("--label", default="", help="the name under which a single agent is kept")
    parser.add_argument("--peers", nargs="*", default=[])
    parser.add_argument("--venvs", default="", help="prefix of the peers' environments")
    parser.add_argument("--peers-results", type=Path, nargs="*", default=[])
    parser.add_argument("--problems", nargs="*", help="default: all that are known")
    parser.add_argument("--data", type=Path, default=IN_REPOSITORY)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--outcome", default="")
    parser.add_argument("--goal", default="maximize", choices=["maximize", "minimize"])
    parser.add_argument("--ignore", nargs="*", default=[], help="columns that weren't set")
    parser.add_argument("--seeds", default="50", help="50, or 10:20 for some of them")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/decisions.jsonl"))
    parser.add_argument("--report", action="store_true", help="make no run, only the tables")
    parser.add_argument("--json", type=Path, help="the figures as JSON")
    parser.add_argument("--markdown", type=Path, help="the figures as a page")
    parser.add_argument("--plots", type=Path, help="folder for regret curves (SVG)")
    return parser


def wanted(asked: argparse.Namespace, fail: argparse.ArgumentParser) -> dict[str, Source]:
    """Return the problems asked for."""
    if asked.table:
        if not asked.outcome:
            fail.error("--table needs --outcome: the column that is wanted")
        name = asked.table.stem if asked.table.stem != "data" else asked.table.parent.name
        table = str(asked.table.resolve())
        return {name: Source(name, "", table, asked.outcome, asked.goal, tuple(asked.ignore))}
    known = sources(asked.data)
    names = asked.problems if asked.problems is not None else list(known)
    if unknown := [name for name in names if name not in known]:
        fail.error(f"unknown problem {unknown[0]!r}; known: {', '.join(known)}")
    return {name: known[name] for name in names}


def named(asked: argparse.Namespace) -> list[Named]:
    """Return who is to decide."""
    ours = [
        Named(asked.label or agent, agent=agent, options=asked.options) for agent in asked.agents
    ]
    from benchmarks.decisions.peers.venvs import VENVS

    return ours + [
        Named(peer, peer=peer, python=f"{asked.venvs}{VENVS[peer].name}/bin/python")
        for peer in asked.peers
    ]


def main() -> None:
    parser = arguments()
    asked = parser.parse_args()
    problems = wanted(asked, parser)
    low, _, high = asked.seeds.rpartition(":")
    seeds = range(int(low or 0), int(high))
    failures = []
    if not asked.report:
        tasks = [
            Task(who, source, seed)
            for seed in seeds
            for source in problems.values()
            for who in named(asked)
        ]
        failures = make(tasks, asked.out, asked.jobs)
    runs = [run for file in [asked.out, *asked.peers_results] for run in on_file(file)]
    ours = [asked.label] if asked.label else asked.agents
    report(runs, [problem_of(source) for source in problems.values()], ours, asked)
    if failures:
        sys.exit(f"{len(failures)} runs failed; the first: {failures[0]}")


if __name__ == "__main__":
    main()
