"""Figure: nine ways past the gate, tried from inside the engine, and how many are refused.

    python -m benchmarks.no_bypass [--engine-user nobody]

A supervised campaign at the copper twin runs a plan that wants 45 mL/min of hydrogen where the
envelope allows 20: by a direct set, ``kickoff``, ``stage``, a document callback, a suspender's
pre-plan, a subprocess, ctypes, a raw Channel Access put under the gate's name, and the device node
of a serial line. As root, the engine is another user than gate and twin; otherwise the last four,
which no guard in a process can keep away, are "advisory" and left out. The second column is a
bare RunEngine with a suspender and a preprocessor that checks limits. Exit status 1 if a way
isn't refused.
"""

import argparse
import json
import os
import pty
import subprocess
import sys
import tempfile
import tty
from pathlib import Path
from typing import Any

import yaml

from tests.support.bypasses import FORBIDDEN, INSIDE, PV, WAYS, attack
from tests.support.served import ROOT, served_twin

LIMIT = 20.0
LONGEST_S = 240.0
ADVISORY = "advisory: engine and gate are one user (start it as root)"
CAMPAIGN: dict[str, Any] = {
    "name": "nine ways",
    "beamline": str(ROOT / "config/beamlines/xas_copper_simulated.yaml"),
    "safety": str(ROOT / "config/safety/copper.yaml"),
    "space": {"turn": {"type": "continuous", "low": 0, "high": 1}},
    "objectives": [{"name": "cu1", "goal": "maximize", "unit": "1"}],
    "reducer": {
        "name": "xanes",
        "options": {
            "references": str(ROOT / "simulators/data/xanes_cu_references"),
            "names": {"Cu": "cu0", "Cu2O": "cu1", "CuO (nano)": "cu2"},
        },
    },
    "agent": {"name": "sobol"},
    "budget": {"experiments": 1},
    "seed": 1,
}


def behind_the_gate(folder: Path, user: str) -> dict[str, str]:
    """Return what came of each way in a supervised campaign, its engine as *user*."""
    report = folder / "report.json"
    plan = {
        "name": "tests.support.bypasses:attack",
        "effect": "repeatable",
        "longest": "10 min",
        "arguments": {"report": str(report), "node": _node(), "only_inside": not user},
    }
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump({**CAMPAIGN, "plan": plan}), encoding="utf-8")
    command = [sys.executable, "-m", "controller.cli", "run", str(file), "--no-report"]
    command += ["--data", str(folder / "campaign"), "--speed", "10"]
    command += ["--engine-user", user] if user else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    if not report.is_file():
        raise SystemExit(f"the plan never came so far ({ran.returncode}):\n{ran.stderr[-3000:]}")
    told: dict[str, str] = json.loads(report.read_text())
    if not user:
        told |= dict.fromkeys((way for way in WAYS if way not in INSIDE), ADVISORY)
    return told


def _node() -> str:
    """Return the device node of a serial line that belongs to this user alone."""
    _ours, theirs = pty.openpty()
    tty.setraw(theirs)
    node = os.ttyname(theirs)
    Path(node).chmod(0o600)
    return node


def bare(folder: Path) -> dict[str, str]:
    """Return what came of each way in a bare RunEngine, with suspender and limits."""
    report = folder / "bare.json"
    with served_twin(speed=10.0) as epics:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.no_bypass", "--bare", str(report), _node()],
            cwd=ROOT,
            env={**os.environ, **epics, "PYTHONPATH": str(ROOT)},
            timeout=LONGEST_S,
            check=False,
        )
    told: dict[str, str] = json.loads(report.read_text())
    return told


def attack_bare(report: str, node: str) -> None:
    """Run the attack in a bare RunEngine of this process."""
    from bluesky import RunEngine
    from bluesky.preprocessors import msg_mutator
    from bluesky.suspenders import SuspendBoolHigh
    from ophyd import Signal
    from ophyd_async.core import init_devices

    from instruments.xas_station import XasStation

    def within(msg: Any) -> Any:
        if msg.command == "set" and msg.args and msg.args[0] == FORBIDDEN:
            raise ValueError(f"{msg.obj.name}: {msg.args[0]} is beyond {LIMIT}")
        return msg

    engine = RunEngine({})
    engine.preprocessors.append(lambda plan: msg_mutator(plan, within))
    engine.install_suspender(SuspendBoolHigh(Signal(name="interlock", value=0)))
    station = XasStation.build(PV.removesuffix("H2:SP"))
    with init_devices():
        h2, furnace = station.h2, station.furnace
    del h2, furnace
    engine(attack(station, report, node, only_inside=False, turn=0.0))


def table(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Return both columns as text."""
    lines = [f"{'way':20} {'behind the gate':64} bare RunEngine"]
    for way in WAYS:
        said = " ".join(ours.get(way, "never tried").split())[:62]
        lines.append(f"{way:20} {said:64} {' '.join(theirs.get(way, '').split())[:40]}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--engine-user", default="nobody" if os.getuid() == 0 else "")
    parser.add_argument("--bare", nargs=2, metavar=("REPORT", "NODE"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.bare:
        attack_bare(*wanted.bare)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o777)
        ours = behind_the_gate(folder, wanted.engine_user)
        theirs = bare(folder)
    print(table(ours, theirs))
    tried = [way for way in WAYS if ours.get(way) not in {ADVISORY, None}]
    refused = [way for way in tried if ours[way] != "GOT THROUGH"]
    through = sum(word == "GOT THROUGH" for word in theirs.values())
    print(f"{len(refused)} of {len(WAYS)} refused; a bare RunEngine lets {through} through")
    sys.exit(0 if len(refused) == len(tried) and len(tried) >= len(INSIDE) else 1)


if __name__ == "__main__":
    main()
