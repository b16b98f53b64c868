"""Campaigns for sieges, in files: nothing in them is left to chance, and the world counts along.

``recorded`` looks outcomes up in a table of means; ``repeatable`` and ``irreversible`` press
samples on devices that answer for themselves, and differ in nothing but the plan's effect.
"""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from tests.support.campaigns import BARREL

Kind = Literal["recorded", "repeatable", "irreversible"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LAB = '''
"""A press that breaks what stands on its stage; each stroke is noted beside this file at once."""

import asyncio
import os
from math import exp
from pathlib import Path
from typing import Annotated as A

from ophyd_async.core import (
    AsyncStatus, DeviceMock, SignalR, SignalRW, StandardReadable, callback_on_mock_put,
    default_mock_class, set_mock_value,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

PLACES = {}
STROKES = Path(__file__).with_name("strokes")
PACE = Path(__file__).with_name("pace")


def stroke_s():
    """Return how long a stroke takes (s): what the file beside this one says."""
    return float(PACE.read_text()) if PACE.exists() else 0.5


class StageMock(DeviceMock):
    async def connect(self, device):
        def go(value):
            PLACES[device.name] = value
            set_mock_value(device.readback, value)

        callback_on_mock_put(device.setpoint, go)


@default_mock_class(StageMock)
class Stage(StandardReadable, EpicsDevice):
    """Something that goes where it is told."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    @AsyncStatus.wrap
    async def set(self, value):
        await self.setpoint.set(value)


class PressMock(DeviceMock):
    async def connect(self, device):
        async def press(_value):
            x, y = PLACES.get("x", 0.0), PLACES.get("y", 0.0)
            descriptor = os.open(STROKES, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(descriptor, f"{x:.6f} {y:.6f}\\n".encode())
            os.close(descriptor)
            clock = asyncio.get_running_loop().time  # virtual where the campaign's time is
            begun = clock()
            while clock() - begun < stroke_s():
                await asyncio.sleep(0.02)
            set_mock_value(device.force, exp(-((x - 1.5) ** 2) - (y + 0.5) ** 2))

        callback_on_mock_put(device.stroke, press)


@default_mock_class(PressMock)
class Press(StandardReadable, EpicsDevice):
    """Says which force it took to break the sample."""

    force: A[SignalR[float], PvSuffix("F"), Format.HINTED_SIGNAL]
    stroke: A[SignalRW[bool], PvSuffix("GO")]

    @AsyncStatus.wrap
    async def trigger(self):
        await self.stroke.set(True)
'''
PRESS: dict[str, Any] = {
    "name": "press",
    "station": "devices",
    "twin": {"name": "mock"},
    "devices": {
        "x": {"class": "press_lab.Stage", "prefix": "PRESS:X:"},
        "y": {"class": "press_lab.Stage", "prefix": "PRESS:Y:"},
        "press": {"class": "press_lab.Press", "prefix": "PRESS:P:"},
    },
}
ENVELOPE = {
    "name": "press",
    "limits": {"x.setpoint": "-3..3 mm", "y.setpoint": "-3..3 mm"},
    "free": ["press.stroke"],
    "safe": {"x.setpoint": 0.0},
    "release": {"at_most_per_h": 3600},
}
PRESSING: dict[str, Any] = {
    "name": "siege",
    "beamline": "beamline.yaml",
    "safety": "envelope.yaml",
    "metadata": {"proposal": "1", "sample": "s", "persons": ["A"]},
    "space": {
        "x": {"type": "continuous", "low": -3, "high": 3, "unit": "mm"},
        "y": {"type": "continuous", "low": -3, "high": 3, "unit": "mm"},
    },
    "objectives": [{"name": "force", "goal": "maximize"}],
    "reducer": {"name": "columns", "options": {"keys": {"force": "press-force"}}},
    "agent": {"name": "sobol"},
}
TABLE = {
    "name": "crossed barrels, means",
    "station": "recorded_table",
    "twin": {"name": "recorded", "table": "table"},
    "metadata": {"defaults": {"proposal": "1", "sample": "s", "persons": ["A"]}},
}
LOOKING_UP: dict[str, Any] = {
    "name": "siege",
    "beamline": "beamline.yaml",
    "objectives": [{"name": "toughness", "goal": "maximize", "unit": "J (per the paper)"}],
    "agent": {"name": "sobol"},
}


def campaign_file(
    folder: Path, kind: Kind, experiments: int, seed: int = 1, lease: str = "3 s"
) -> Path:
    """Write a campaign with all that it refers to into *folder*; return its file.

    *lease* is how long its engine and controller may be silent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, Any]] = {}
    budget = {"budget": {"experiments": experiments}, "seed": seed}
    if kind == "recorded":
        _write_table(folder / "table")
        files |= {"beamline": TABLE, "campaign": {**LOOKING_UP, **budget}}
    else:
        (folder / "press_lab.py").write_text(LAB, encoding="utf-8")
        plan = {"name": "move_and_read", "arguments": {"detectors": ["press"]}, "effect": kind}
        files |= {"beamline": PRESS, "envelope": {**ENVELOPE, "dead_man": {"lease": lease}}}
        files["campaign"] = {**PRESSING, "plan": plan, **budget}
    for name, data in files.items():
        text = yaml.safe_dump(data, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "campaign.yaml"


def press_for(folder: Path, seconds: float) -> None:
    """Let strokes of the press of the campaign in *folder* take *seconds*, the present one too."""
    new = folder / "pace.new"
    new.write_text(str(seconds), encoding="ascii")
    new.replace(folder / "pace")


def strokes(folder: Path) -> Counter[tuple[float, float]]:
    """Return how often the press of the campaign in *folder* went down, by where."""
    file = folder / "strokes"
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    return Counter((float(x), float(y)) for x, y in map(str.split, lines))


def _write_table(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with (BARREL / "data.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows:
        values[tuple(row[:-1])].append(float(row[-1]))
    with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([*point, f"{sum(v) / len(v):.9g}"] for point, v in values.items())
    meta = json.loads((BARREL / "meta.json").read_text(encoding="utf-8"))
    meta |= {"name": "barrel_means", "rows": len(values), "has_replicates": False}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
