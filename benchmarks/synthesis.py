"""Figure: experiments until the crucible truly holds the spinel, and what the reducer makes of it.

    python -m benchmarks.synthesis --seeds 10 [--agents bayesian sobol] [--most 30] [--jobs 2]

For every seed and agent the campaign config/campaigns/solid_state_synthesis.yaml runs inline until
the mass fraction of LiMn2O4 truly is 0.95 when it is measured (which the loop doesn't know), or
*most* experiments are used up (counted as more than that). Of all measurements: how far the
fraction that is told is from the truth and how often its 90 % interval holds it, how many were
measured again, what they cost against eight minutes each, and how many of those with 10 % or more
of the phase that the model isn't told of were rejected or doubted, against those without any.
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

from agents.protocols import Verdict
from benchmarks.spread import quartiles
from controller.benches import installed
from controller.checks.checking import load
from controller.files.campaign import Budget, Chosen
from controller.wiring import open_session

FILE = Path(__file__).parents[1] / "config/campaigns/solid_state_synthesis.yaml"
PHASE, WANTED = "LiMn2O4", 0.95
UNLISTED, MUCH, NONE = "LiMnO2", 0.10, 0.005
SHORT_S, LONG_S = 120.0, 480.0
WITHIN_90 = 1.645


class Reached(Exception):
    """The crucible truly holds what was wanted."""


def one(agent: str, seed: int, most: int) -> dict[str, Any]:
    """Run one campaign and return its figures."""
    import torch

    torch.set_num_threads(1)
    truths: list[tuple[float, dict[str, float]]] = []
    measured: list[dict[str, Any]] = []
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
        if record.event.kind != "observation_made" or not truths:
            return
        measured.append(_row(record.event.observation, truths))
        truths.clear()
        if measured[-1]["truth"] >= WANTED:
            raise Reached

    with (
        tempfile.TemporaryDirectory() as folder,
        open_session(resolved, Path(folder) / "c", listen) as session,
    ):
        expose = session.twin.expose

        def noting(exposure_s: float) -> Any:
            truths.append((exposure_s, session.twin.truth))
            return expose(exposure_s)

        session.twin.expose = noting
        cpu = time.process_time()
        with contextlib.suppress(Reached):
            session.loop.run()
        cpu = time.process_time() - cpu
    reached = [n for n, row in enumerate(measured, 1) if row["truth"] >= WANTED]
    return {
        "agent": agent,
        "seed": seed,
        "experiments_to_true": reached[0] if reached else None,
        "best_true": max(row["truth"] for row in measured),
        "cpu_s": cpu,
        "measured": measured,
    }


def _row(observation: Any, truths: list[tuple[float, dict[str, float]]]) -> dict[str, Any]:
    """Return what was told of a measurement, and what was true.

    Fractions are told among the listed phases, so they are compared with those.
    """
    truth = truths[-1][1]
    listed = 1.0 - truth[UNLISTED]
    told = observation.values.get(PHASE)
    return {
        "truth": truth[PHASE],
        "among_listed": truth[PHASE] / max(listed, 1e-9),
        "unlisted": truth[UNLISTED],
        "told": None if told is None else told.mean,
        "sigma": None if told is None else told.sigma,
        "verdict": observation.quality.verdict.value,
        "seconds": sum(seconds for seconds, _ in truths),
        "scans": len(truths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--most", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--agents", nargs="+", default=["bayesian", "sobol"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    cases = [(agent, seed) for agent in asked.agents for seed in range(asked.seeds)]
    with ProcessPoolExecutor(asked.jobs) as pool:
        for row in pool.map(one, *zip(*cases, strict=True), [asked.most] * len(cases)):
            rows.append(row)
            print(f"{row['agent']:9s} seed {row['seed']:3d}: ", end="")
            print(f"{row['experiments_to_true'] or f'>{asked.most}'} experiments, ", end="")
            print(f"{row['cpu_s']:.1f} CPU s, best {row['best_true']:.3f}", flush=True)
    for agent in asked.agents:
        _experiments(agent, [row for row in rows if row["agent"] == agent], asked.most)
    _measurements([one for row in rows for one in row["measured"]])
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


def _experiments(agent: str, rows: list[dict[str, Any]], most: int) -> None:
    low, middle, high = quartiles([row["experiments_to_true"] or most + 1 for row in rows])
    missed = sum(row["experiments_to_true"] is None for row in rows)
    print(
        f"{agent}: true {PHASE} >= {WANTED} after {middle:g} experiments in the median "
        f"(quartiles {low:g} to {high:g}, {len(rows)} seeds, {missed} not within {most})"
    )


def _measurements(rows: list[dict[str, Any]]) -> None:
    told = [row for row in rows if row["told"] is not None and row["unlisted"] < NONE]
    errors = [abs(row["told"] - row["among_listed"]) for row in told]
    held = [abs(row["told"] - row["among_listed"]) <= WITHIN_90 * row["sigma"] for row in told]
    again = sum(row["scans"] > 1 for row in rows)
    cost = statistics.mean(row["seconds"] for row in rows) / LONG_S
    print(
        f"{len(told)} measurements without anything unlisted: fraction of {PHASE} off by "
        f"{statistics.mean(errors):.3f} on average (worst {max(errors):.3f}), 90 % intervals hold "
        f"{statistics.mean(held):.1%}"
    )
    print(f"{again} of {len(rows)} measured again; measuring took {cost:.0%} of eight minutes each")
    strange = [row for row in rows if row["unlisted"] >= MUCH]
    plain = [row for row in rows if row["unlisted"] < NONE]
    for name, some in ((f"{MUCH:.0%} or more unlisted", strange), ("nothing unlisted", plain)):
        rejected = sum(row["verdict"] == Verdict.REJECTED for row in some)
        doubted = sum(row["verdict"] == Verdict.SUSPECT for row in some)
        print(f"{name}: {len(some)} measurements, {rejected} rejected, {doubted} doubted")


if __name__ == "__main__":
    main()
