"""A campaign on devices that only its beamline file knows, from files to the best experiment."""

import json
import sys

import pytest
import yaml

from controller.benches import installed
from controller.checks.checking import check, load
from controller.documents import read_run
from controller.events import ExperimentFinished, ObservationMade
from controller.journal import read
from controller.wiring import open_session

LAB = '''
"""A peak to be found: two stages and a diode, which answer for themselves in mock mode."""

from math import exp
from typing import Annotated as A

import bluesky.plan_stubs as bps
from ophyd_async.core import (
    AsyncStatus, DeviceMock, SignalR, SignalRW, StandardReadable, callback_on_mock_put,
    default_mock_class, set_mock_value,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

PLACES = {}


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


class DiodeMock(DeviceMock):
    async def connect(self, device):
        def measure(_value):
            x, y = PLACES.get("x", 0.0), PLACES.get("y", 0.0)
            set_mock_value(device.current, exp(-((x - 1.5) ** 2) - (y + 0.5) ** 2))

        callback_on_mock_put(device.acquire, measure)


@default_mock_class(DiodeMock)
class Diode(StandardReadable, EpicsDevice):
    """Sees the most light at x = 1.5, y = -0.5."""

    current: A[SignalR[float], PvSuffix("I"), Format.HINTED_SIGNAL]
    acquire: A[SignalRW[bool], PvSuffix("ACQ")]

    @AsyncStatus.wrap
    async def trigger(self):
        await self.acquire.set(True)


def our_scan(detector, x: float, y: float, stages: list):
    """A plan of the beamline's own."""
    yield from bps.open_run({"ours": True})
    yield from bps.mv(stages[0], x, stages[1], y)
    yield from bps.trigger_and_read([detector, *stages])
    yield from bps.close_run()
'''
BEAMLINE = {
    "name": "peak",
    "station": "devices",
    "twin": {"name": "mock"},
    "devices": {
        "x": {"class": "peak_lab.Stage", "prefix": "PEAK:X:"},
        "y": {"class": "peak_lab.Stage", "prefix": "PEAK:Y:"},
        "diode": {"class": "peak_lab.Diode", "prefix": "PEAK:D:"},
    },
}
ENVELOPE = {
    "name": "peak",
    "limits": {"x.setpoint": "-3..3 mm", "y.setpoint": "-3..3 mm"},
    "free": ["diode.acquire"],
}
CAMPAIGN = {
    "name": "peak",
    "beamline": "beamline.yaml",
    "safety": "envelope.yaml",
    "metadata": {"proposal": "1", "sample": "s", "persons": ["A"]},
    "space": {
        "x": {"type": "continuous", "low": -3, "high": 3, "unit": "mm"},
        "y": {"type": "continuous", "low": -3, "high": 3, "unit": "mm"},
    },
    "objectives": [{"name": "light", "goal": "maximize"}],
    "plan": {
        "name": "move_and_read",
        "arguments": {"detectors": ["diode"], "num": 2},
        "effect": "repeatable",
    },
    "finally": {"name": "move_and_read", "arguments": {"x": 0, "y": 0, "detectors": ["diode"]}},
    "reducer": {"name": "columns", "options": {"keys": {"light": "diode-current"}}},
    "budget": {"experiments": 14},
    "seed": 3,
}


@pytest.fixture(autouse=True)
def _our_lab_alone():
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("peak_lab", None)


def write(folder, **changed):
    for name, data in {"beamline": BEAMLINE, "envelope": ENVELOPE, "campaign": CAMPAIGN}.items():
        text = yaml.safe_dump({**data, **changed.get(name, {})}, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)
    (folder / "peak_lab.py").write_text(LAB)
    return folder / "campaign.yaml"


def run(file, directory):
    with open_session(load(file, installed()), directory, lambda *_: None) as session:
        return session.loop.run(), session.loop.state


def best(directory):
    light = [
        record.event.observation.values["light"].mean
        for record in read(directory)
        if isinstance(record.event, ObservationMade)
    ]
    return max(light)


def told(file):
    return [str(problem) for problem in check(file, installed())]


def test_a_campaign_finds_the_peak_with_devices_and_a_plan_that_only_files_name(tmp_path):
    file = write(tmp_path)

    run(file, tmp_path / "run")

    done = [r.event for r in read(tmp_path / "run") if isinstance(r.event, ExperimentFinished)]
    assert len(done) == 14
    assert best(tmp_path / "run") > 0.8
    documents = read_run(tmp_path / "run", done[0].runs[0])
    events = [document["data"] for name, document in documents if name == "event"]
    assert len(events) == 2
    assert set(events[0]) == {"diode-current", "x-readback", "y-readback"}


def test_a_plan_of_the_beamlines_own_does_the_experiments(tmp_path):
    plan = {
        "name": "peak_lab:our_scan",
        "arguments": {"detector": "diode", "stages": ["x", "y"]},
        "effect": "repeatable",
        "longest": "2 min",
    }
    file = write(tmp_path, campaign={"plan": plan, "budget": {"experiments": 3}})

    run(file, tmp_path / "run")

    done = [r.event for r in read(tmp_path / "run") if isinstance(r.event, ExperimentFinished)]
    start = json.loads(json.dumps(read_run(tmp_path / "run", done[0].runs[0])[0][1]))
    assert len(done) == 3
    assert start["ours"] is True


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"campaign": {"space": {"z": CAMPAIGN["space"]["x"]}}},
            "space.z: the beamline has no device 'z'; accepted: diode, x, y",
        ),
        (
            {"campaign": {"plan": {"name": "move_and_read", "arguments": {"detectors": ["dio"]}}}},
            "plan.arguments.detectors.0: the beamline has no device 'dio'",
        ),
        (
            {"campaign": {"space": {"x": {**CAMPAIGN["space"]["x"], "high": 4}}}},
            "space.x.high: 4 mm is outside the hard limits; accepted: -3 to 3 mm",
        ),
        (
            {"campaign": {"space": {"x": {**CAMPAIGN["space"]["x"], "unit": "cm"}}}},
            "space.x.unit: goes to the device as it is, which envelope 'peak' limits in 'mm'",
        ),
        (
            {"campaign": {"finally": {"name": "move_and_read",
                                      "arguments": {"x": 9, "detectors": ["diode"]}}}},
            "finally.arguments.x: 9 mm is outside the hard limits",
        ),
        (
            {"campaign": {"plan": {"name": "peak_lab:nothing"}}},
            "plan.name: plan 'peak_lab:nothing': module 'peak_lab' has no function 'nothing'",
        ),
        (
            {"campaign": {"plan": {"name": "peak_lab:our_scan", "arguments": {"speed": 1}}}},
            "plan.arguments.speed: is not known here",
        ),
        (
            {"campaign": {"plan": {"name": "oxidise_and_measure"}}},
            "plan.name: no such plan on station 'devices'",
        ),
        (
            {"beamline": {"devices": {**BEAMLINE["devices"], "q": {"class": "peak_lab.Nothing"}}}},
            "devices.q.class: module 'peak_lab' has no class 'Nothing'",
        ),
        ({"beamline": {"devices": {}}}, "station `devices` needs `devices:`"),
        ({"beamline": {"twin": {"name": "copper"}}}, "twin `mock` and station `devices` go"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_runs(tmp_path, changed, problem):
    file = write(tmp_path, **changed)

    assert problem in "\n".join(told(file))


def test_a_sound_campaign_has_nothing_to_mend(tmp_path):
    assert told(write(tmp_path)) == []
    own = {"name": "peak_lab:our_scan", "arguments": {"detector": "diode", "stages": ["x", "y"]}}
    assert told(write(tmp_path, campaign={"plan": own})) == []


def test_a_plan_that_knows_its_effect_is_not_told_another(tmp_path):
    file = write(tmp_path)
    campaign = yaml.safe_load(file.read_text())
    beamline = {
        "station": "xas",
        "prefix": "T:",
        "twin": {"name": "copper"},
        "devices": {},
    }
    campaign["finally"] = {"name": "make_safe_and_cool", "effect": "read_only"}
    write(tmp_path, beamline=beamline)
    file.write_text(yaml.safe_dump(campaign))

    assert "finally.effect: plan 'make_safe_and_cool' knows that itself" in "\n".join(told(file))
