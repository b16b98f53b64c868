"""Figure 1: experiments until the catalyst truly is copper(I), and how fast virtual time runs.

    python -m benchmarks.copper --seeds 20 [--agents bayesian sobol] [--most 60] [--jobs 2]

For every seed and agent the campaign config/campaigns/copper_oxidation.yaml runs inline until
the twin's true Cu(I) fraction at the moment of an exposure is at least 0.9 (which the loop
doesn't know), or *most* experiments are used up (counted as more than that).
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.parts import PartsClock
from benchmarks.spread import quartiles
from controller.benches import installed
from controller.checks.checking import load
from controller.files.campaign import Budget, Chosen
from controller.wiring import Session, open_session

FILE = Path(__file__).parents[1] / "config/campaigns/copper_oxidation.yaml"
WANTED = 0.9


class Reached(Exception):
    """The catalyst truly is what was wanted."""


def one(agent: str, seed: int, most: int, stop: bool = True) -> dict[str, Any]:
    """Run one campaign and return its figures."""
    import torch

    torch.set_num_threads(1)
    truths: list[float] = []
    resolved = load(FILE, installed())
    changes: dict[str, Any] = {
        "agent": Chosen(name=agent),
        "seed": seed,
        "budget": Budget(experiments=most),
        "goal": None,
    }
    campaign = resolved.campaign.model_copy(update=changes)
    resolved = resolved.model_copy(update={"campaign": campaign})

    def listen(record: Any, _state: Any) -> None:
        if stop and record.event.kind == "observation_made" and truths and max(truths) >= WANTED:
            raise Reached

    with tempfile.TemporaryDirectory() as folder:
        wall, parts = time.perf_counter(), PartsClock()
        with open_session(resolved, Path(folder) / "c", listen) as session:
            _note_truth(session, truths)
            parts.watch(session)
            cpu = time.process_time()
            with contextlib.suppress(Reached):
                session.loop.run()
            cpu = time.process_time() - cpu
            state = session.loop.state
            wall = time.perf_counter() - wall
    return {
        "agent": agent,
        "seed": seed,
        "experiments_to_true": next(
            (n for n, truth in enumerate(truths, 1) if truth >= WANTED), None
        ),
        "experiments": state.experiments,
        "best_true": max(truths),
        "wall_s": wall,
        "cpu_s": cpu,
        "agent_cpu_s": parts.cpu_s["agent"],
        "reducer_cpu_s": parts.cpu_s["reducer"],
        "virtual_s": state.latest - state.started,
    }


def _note_truth(session: Session, truths: list[float]) -> None:
    expose = session.twin.expose

    def noting(*args: Any) -> Any:
        truths.append(session.twin.truth.cu1)
        return expose(*args)

    session.twin.expose = noting


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--agents", nargs="+", default=["bayesian", "sobol"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    cases = [(a, s) for a in asked.agents for s in range(asked.first, asked.first + asked.seeds)]
    with ProcessPoolExecutor(asked.jobs) as pool:
        for row in pool.map(one, *zip(*cases, strict=True), [asked.most] * len(cases)):
            rows.append(row)
            print(f"{row['agent']:9s} seed {row['seed']:3d}: ", end="")
            print(f"{row['experiments_to_true'] or f'>{asked.most}'} experiments, ", end="")
            print(f"{row['wall_s']:.1f} s wall, best {row['best_true']:.3f}", flush=True)
    for agent in asked.agents:
        _summary(agent, [row for row in rows if row["agent"] == agent], asked.most)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


def _summary(agent: str, rows: list[dict[str, Any]], most: int) -> None:
    counts = [row["experiments_to_true"] or most + 1 for row in rows]
    low, middle, high = quartiles(counts)
    missed = sum(row["experiments_to_true"] is None for row in rows)
    rest = [r["virtual_s"] / (r["cpu_s"] - r["agent_cpu_s"]) for r in rows]
    print(
        f"{agent}: true Cu(I) >= {WANTED} after {middle:g} experiments in the median "
        f"(quartiles {low:g} to {high:g}, {len(rows)} seeds, {missed} not within {most}); "
        f"wall {statistics.median(r['wall_s'] for r in rows):.1f} s a campaign; "
        f"{statistics.median(rest):,.0f} virtual s per CPU s without the agent's time "
        f"(lowest {min(rest):,.0f}); agent "
        f"{sum(r['agent_cpu_s'] for r in rows) / sum(r['experiments'] for r in rows):.2f} CPU s "
        "an experiment"
    )


if __name__ == "__main__":
    main()
