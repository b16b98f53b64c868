"""What it costs to be in processes: a campaign against the bare plan on the same soft IOC.

    python -m benchmarks.supervised [--experiments 20] [--seconds 2] [--agent sobol] [--quick]

The same plan (set a flow, settle for so many seconds, read), with the same devices over Channel
Access: once by a bare RunEngine that writes directly, once as a campaign in processes (gate,
journal, reduction, decision, documents on disk, catalog). From one experiment's start to the
next one's, the first ones left out; both on the twin in real time.
"""

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import yaml

from controller.benches import fresh_epics

ROOT = Path(__file__).parents[1]
WARM_UP = 2
"""Experiments at the beginning that don't count: imports, first connections."""

BARE = """
import json, sys, time
import asyncio
from bluesky import RunEngine
from bluesky.run_engine import call_in_bluesky_event_loop
from instruments.catalogue import PLANS
from instruments.xas_station import XasStation
seconds, count = float(sys.argv[1]), int(sys.argv[2])
engine = RunEngine({}, context_managers=[])
station = XasStation.build("SIM:XAS:")
async def connect():
    await asyncio.gather(*(device.connect() for device in station.devices().values()))
call_in_bluesky_event_loop(connect(), timeout=30)
spec = PLANS["move_and_read"]
stamps = []
for number in range(count):
    stamps.append(time.time())
    recipe = spec.arguments.model_validate(
        {"detectors": ["dose"], "settle": seconds, "he.setpoint": 50.0 + number}
    )
    engine(spec.run(station, recipe))
stamps.append(time.time())
print(json.dumps(stamps))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--agent", default="sobol")
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    count = 8 if wanted.quick else wanted.experiments
    with tempfile.TemporaryDirectory() as folder:
        bare = steps(bare_plan(wanted.seconds, count))
        ours = steps(campaign(Path(folder), wanted.seconds, count, wanted.agent))
    print(f"{count} experiments of {wanted.seconds:g} s, agent {wanted.agent}; s per experiment")
    for name, found in (("bare plan, bare RunEngine", bare), ("campaign in processes", ours)):
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"  {name:28} median {middle:.3f} (quartiles {low:.3f} to {high:.3f})")
    ratio = statistics.median(ours) / statistics.median(bare)
    extra = statistics.median(ours) - statistics.median(bare)
    print(f"  ratio {ratio:.3f}: {1000 * extra:.0f} ms more per experiment")


def steps(stamps: list[float]) -> list[float]:
    """Return the time from each start to the next, those of the warm-up left out."""
    pairs = list(itertools.pairwise(stamps))
    return [after - before for before, after in pairs[WARM_UP:]]


def bare_plan(seconds: float, count: int) -> list[float]:
    """Return when each experiment of the bare plan began (s), and when the last one had ended."""
    with served_twin() as environment:
        done = subprocess.run(
            [sys.executable, "-c", BARE, str(seconds), str(count)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [float(stamp) for stamp in json.loads(done.stdout.splitlines()[-1])]


@contextmanager
def served_twin() -> Iterator[dict[str, str]]:
    """Serve the copper twin in real time, and yield the environment of its clients."""
    epics = fresh_epics()
    environment = {**os.environ, **epics, "OMP_NUM_THREADS": "1"}
    file = ROOT / "config/beamlines/xas_copper_simulated.yaml"
    port = epics["EPICS_CA_SERVER_PORT"]
    twin = subprocess.Popen(
        [sys.executable, "-m", "controller.cli", "twin", str(file), "--port", port],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(5.0)
        yield environment
    finally:
        twin.terminate()
        twin.wait()


def campaign(folder: Path, seconds: float, count: int, agent: str) -> list[float]:
    """Return when each experiment of a campaign in processes began, and the last had ended."""
    file, directory = folder / "campaign.yaml", folder / "campaign"
    file.write_text(yaml.safe_dump(description(seconds, count, agent)), encoding="utf-8")
    options = ["--data", str(directory), "--speed", "1", "--no-report"]
    subprocess.run(
        [sys.executable, "-m", "controller.cli", "run", str(file), *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with closing(sqlite3.connect(directory / "journal.sqlite")) as journal:
        rows = journal.execute("SELECT wall_time, payload FROM events ORDER BY sequence").fetchall()
    kinds = [(wall, json.loads(payload)["kind"]) for wall, payload in rows]
    started = [wall for wall, kind in kinds if kind == "experiment_started"]
    return [*started, max(wall for wall, kind in kinds if kind == "observation_made")]


def description(seconds: float, count: int, agent: str) -> dict[str, object]:
    """Return the campaign file: set helium, settle, read the dose."""
    return {
        "name": "supervised",
        "beamline": str(ROOT / "config/beamlines/xas_copper_simulated.yaml"),
        "safety": str(ROOT / "config/safety/copper.yaml"),
        "space": {"he.setpoint": {"type": "continuous", "low": 10, "high": 100, "unit": "mL/min"}},
        "objectives": [{"name": "dose", "goal": "minimize"}],
        "agent": {"name": agent},
        "plan": {
            "name": "move_and_read",
            "effect": "repeatable",
            "arguments": {"detectors": ["dose"], "settle": seconds},
        },
        "reducer": {"name": "columns", "options": {"keys": {"dose": "dose-accumulated"}}},
        "budget": {"experiments": count},
    }


if __name__ == "__main__":
    main()
