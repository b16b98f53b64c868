"""Offsets and soft limits of motor records: written by people in maintenance, over Channel Access.

Arming looks at the IOC's own limits: the envelope's may not be wider.
"""

import pytest
import yaml

from controller.benches import installed
from controller.bus.messages import Arm, Done, Failed, Write
from controller.checks.checking import load
from controller.safety.desk.client import Clerk, LocalLine
from controller.safety.desk.commands import GiveBack, TakeDevices, WriteValue
from tests.support.gates import bench_ioc, gate_process, speaking
from tests.support.waiting import PATIENCE_S

BEAMLINE = {
    "name": "hutch",
    "station": "devices",
    "devices": {
        "stage": {"class": "ophyd_async.epics.motor.Motor", "prefix": "TEST:m1"},
        "gain": {"class": "ophyd.EpicsSignal", "prefix": "TEST:GAIN"},
        "old": {"class": "ophyd.EpicsMotor", "prefix": "TEST:m1"},
    },
}
ENVELOPE = {
    "name": "hutch",
    "limits": {"stage.user_setpoint": "-10..10 mm"},
    "free": ["stage.velocity"],
    "maintenance": ["stage.offset", "stage.*_limit_travel", "old.user_offset"],
}
CAMPAIGN = {
    "name": "hutch",
    "beamline": "beamline.yaml",
    "safety": "envelope.yaml",
    "metadata": {"proposal": "1", "sample": "s", "persons": ["A"]},
    "space": {"stage": {"type": "continuous", "low": -1, "high": 1, "unit": "mm"}},
    "objectives": [{"name": "x", "goal": "maximize"}],
    "plan": {
        "name": "move_and_read",
        "arguments": {"detectors": ["stage"]},
        "effect": "repeatable",
    },
    "reducer": {"name": "columns", "options": {"keys": {"x": "stage"}}},
    "budget": {"experiments": 2},
}


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


def campaign(folder, **limits):
    envelope = {**ENVELOPE, "limits": {**ENVELOPE["limits"], **limits}}
    files = {"beamline": BEAMLINE, "envelope": envelope, "campaign": CAMPAIGN}
    for name, data in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return load(folder / "campaign.yaml", installed())


def test_offset_and_soft_limits_are_written_for_who_has_the_motor(ioc, tmp_path):
    with gate_process(tmp_path / "c", campaign(tmp_path), ioc.epics) as gate, speaking(gate) as bus:
        plain = bus.call(Write(signal="stage.offset", value=0.5), PATIENCE_S)
        with Clerk(LocalLine(gate.launch.runtime / "desk")) as clerk:
            clerk.ask(TakeDevices(devices=("stage", "old")))
            clerk.ask(WriteValue(signal="stage.offset", value=0.5))
            clerk.ask(WriteValue(signal="stage.high_limit_travel", value=50.0))
            held = bus.call(Write(signal="stage.offset", value=0.7), PATIENCE_S)
            changes = clerk.ask(GiveBack()).data

    assert isinstance(plain, Failed) and plain.refused
    assert isinstance(held, Failed) and held.refused
    assert "written in maintenance alone" in plain.reason
    assert any(change.startswith("stage.offset reads 0.5, read 0") for change in changes)
    assert any(change.startswith("stage.high_limit_travel reads 50.0") for change in changes)
    assert any(change.startswith("old.user_offset reads") for change in changes)
    assert {r["by"] for r in gate.records() if r["kind"] == "intent"} != {""}


def test_limits_wider_than_the_records_own_are_named_when_it_is_armed(ioc, tmp_path):
    resolved = campaign(tmp_path, gain="0..20 V")
    with (
        gate_process(tmp_path / "c", resolved, ioc.epics) as gate,
        speaking(gate, armed=False) as b,
    ):
        refused = b.call(Arm(digest=gate.envelope.digest()), PATIENCE_S)

    assert isinstance(refused, Failed)
    assert "gain: the envelope allows 0 to 20 V, its IOC 0 to 10 alone" in refused.reason


def test_a_live_bench_that_was_not_commissioned_is_not_armed(ioc, tmp_path):
    directory = tmp_path / "c"
    with gate_process(directory, campaign(tmp_path), ioc.epics) as gate:
        for record in (directory / "commissioned").glob("*.json"):
            record.unlink()
        with speaking(gate, armed=False) as bus:
            refused = bus.call(Arm(digest=gate.envelope.digest()), PATIENCE_S)

    assert isinstance(refused, Failed) and refused != Done()
    assert "heliostat commission FILE --beamline live" in refused.reason
