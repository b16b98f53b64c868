"""Nuisance trips: O2:H2 steered every 30 s inside the envelope, for days, with nothing wrong.

    python -m benchmarks.steering [--hours 24] [--envelope config/safety/copper.yaml]
    python -m benchmarks.steering --served [--hours 0.5] [--speed 5] [--load 2]

A campaign moves oxygen and hydrogen of the copper station at 300 degC and settles, again and again,
under the whole envelope of the station. In one process time is virtual; ``--served`` runs it in
real processes over the soft IOC, *speed* times faster than real, with *load* processes beside it
that do nothing but compute. Every trip, hold and refusal is counted, in the journal and in the
gate's own record. Exit status 1 if there is one.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import yaml
from bluesky.preprocessors import run_wrapper

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import installed
from controller.chain import Chain
from controller.checks.checking import load
from controller.events import ExperimentFinished
from controller.journal import read
from controller.wiring import open_session
from instruments.plans import Plan

ROOT = Path(__file__).parents[1]
HOT_DEGC, HELIUM, SETTLE_S = 300.0, 90.0, 12.0
NUISANCES = ("trip", "emergency stop", "hold")
"""Inputs of the gate that there is no reason for here."""


def steer(station: Any, o2: float, h2: float) -> Plan:
    """Let *o2* and *h2* (mL/min) flow in 90 mL/min of helium at 300 degC; about 30 s a step."""

    def step() -> Plan:
        if (yield from bps.rd(station.furnace.setpoint)) != HOT_DEGC:
            yield from bps.mv(station.he, HELIUM)
            yield from bps.mv(station.furnace, HOT_DEGC)
        for controller, flow in ((station.o2, o2), (station.h2, h2)):
            yield from bps.mv(controller, flow)
        yield from bps.sleep(SETTLE_S)
        yield from bps.trigger_and_read([station.furnace, station.o2, station.h2])

    yield from run_wrapper(step())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--served", action="store_true")
    parser.add_argument("--speed", type=float, default=5.0)
    parser.add_argument("--load", type=int, default=2)
    parser.add_argument("--envelope", type=Path, default=ROOT / "config/safety/copper.yaml")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = campaign_file(Path(folder), wanted.hours, wanted.envelope)
        directory = Path(folder) / "c"
        began = time.monotonic()
        if wanted.served:
            with loaded(wanted.load):
                served(file, directory, wanted.speed)
        else:
            with open_session(load(file, installed()), directory, lambda _r, _s: None) as session:
                session.loop.run()
        found = counted(directory)
        print(told(found, directory, time.monotonic() - began))
    sys.exit(1 if nuisances(found) else 0)


def campaign_file(folder: Path, hours: float, envelope: Path) -> Path:
    """Write the campaign that steers for so many *hours*; return its file."""
    campaign: dict[str, Any] = {
        "name": "steering",
        "beamline": str(ROOT / "config/beamlines/xas_copper_simulated.yaml"),
        "safety": str(envelope.resolve()),
        "space": {
            "o2": {"type": "continuous", "low": 4, "high": 15, "unit": "mL/min"},
            "h2": {"type": "continuous", "low": 0.5, "high": 2.4, "unit": "mL/min"},
        },
        "objectives": [{"name": "temperature", "goal": "maximize", "unit": "degC"}],
        "reducer": {"name": "columns", "options": {"keys": {"temperature": "furnace-readback"}}},
        "agent": {"name": "sobol"},
        "plan": {
            "name": "benchmarks.steering:steer",
            "effect": "repeatable",
            "longest": "2 h",
        },
        "budget": {"duration": f"{hours:g} h"},
        "finally": {"name": "make_safe_and_cool"},
    }
    file = folder / "steering.yaml"
    file.write_text(yaml.safe_dump(campaign, sort_keys=False), encoding="utf-8")
    return file


@contextmanager
def loaded(count: int) -> Iterator[None]:
    """Keep *count* processes computing for a block."""
    burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(count)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.terminate()
            burner.join()


def _burn() -> None:
    while True:
        sum(range(100_000))


def served(file: Path, directory: Path, speed: float) -> None:
    """Run the campaign in its processes."""
    command = [sys.executable, "-m", "controller.cli", "run", str(file), "--data", str(directory)]
    options = ["--speed", f"{speed:g}", "--no-report"]
    subprocess.run([*command, *options], cwd=ROOT, check=False, stdin=subprocess.DEVNULL)


def counted(directory: Path) -> Counter[str]:
    """Return what happened at the gate and in the campaign, by kind."""
    found: Counter[str] = Counter(record.event.kind for record in read(directory))
    found["failed"] = sum(
        isinstance(record.event, ExperimentFinished) and not record.event.succeeded
        for record in read(directory)
    )
    with closing(Chain.read(directory / GATE_FILE, AUDIT_TABLE)) as chain:
        for link in chain.links():
            record = json.loads(link.payload)
            found[f"gate {record.get('input', record['kind'])}"] += 1
            if record["kind"] == "refusal" or record.get("input") in NUISANCES:
                print(f"  {record}")
    return found


def nuisances(found: Counter[str]) -> int:
    """Return how often something was stopped, held or refused, or failed."""
    names = (*(f"gate {name}" for name in NUISANCES), "gate refusal", "failed")
    events = ("bench_tripped", "bench_held", "experiment_lost")
    return sum(found[name] for name in (*names, *events))


def told(found: Counter[str], directory: Path, took_s: float) -> str:
    """Return the figures in words."""
    records = read(directory)
    hours = (records[-1].stamp - records[0].stamp) / 3600.0
    steps = found["experiment_finished"]
    return (
        f"{steps} steps in {hours:.2f} h of campaign time ({took_s:.0f} s of this computer): "
        f"{found['gate intent']} writes, {found['gate refusal']} refused, "
        f"{found['gate trip']} trips, {found['gate hold']} holds, {found['failed']} failed steps"
    )


if __name__ == "__main__":
    main()
