"""A serial pump in a campaign with real processes: who opens its node, who speaks to it."""

from pathlib import Path

import pytest
import yaml

from controller.benches import installed
from controller.bus.messages import PlanEnded, Write
from controller.checks.checking import check, load
from controller.documents import read_run
from tests.support.crews import crew
from tests.support.serial_pump import pump_at_a_port
from tests.support.waiting import PATIENCE_S, until

BEAMLINE = {
    "name": "pumps",
    "station": "devices",
    "devices": {"pump": {"driver": "tests.support.serial_pump:SerialPump"}},
}
ENVELOPE = {
    "name": "pumps",
    "limits": {"pump.set": "0..5 mL/min", "pump.stop": ["execute"], "pump.trigger": ["execute"]},
    "safe": {"pump.set": 0},
    "signals": {
        "pump.setpoint": {"unit": "mL/min", "max_age": "60 s"},
        "pump.flow": {"unit": "mL/min", "max_age": "60 s"},
    },
    "quantities": {"pump.rate": {"setpoint": "pump.set", "readback": "pump.flow"}},
    "rules": [
        {"kind": "requires", "name": "not too much", "requires": "pump.rate < 4 mL/min"},
        {
            "kind": "arrival",
            "name": "pump arrives",
            "setpoint": "pump.set",
            "readback": "pump.flow",
            "tolerance": "0.1 mL/min",
            "within": "60 s",
        },
    ],
}
CAMPAIGN = {
    "name": "pumps",
    "beamline": "beamline.yaml",
    "safety": "envelope.yaml",
    "metadata": {"proposal": "1", "sample": "s", "persons": ["A"]},
    "space": {"pump": {"type": "continuous", "low": 1, "high": 3, "unit": "mL/min"}},
    "objectives": [{"name": "flow", "goal": "maximize"}],
    "plan": {"name": "move_and_read", "arguments": {"detectors": ["pump"]}, "effect": "repeatable"},
    "reducer": {"name": "columns", "options": {"keys": {"flow": "pump-flow"}}},
    "budget": {"experiments": 2},
    "seed": 3,
}


def write(folder: Path, port: str) -> Path:
    arguments = {"port": port, "journal": str(folder / "opened")}
    pump = {**BEAMLINE["devices"]["pump"], "arguments": arguments}
    files = {
        "beamline": {**BEAMLINE, "devices": {"pump": pump}},
        "envelope": ENVELOPE,
        "campaign": CAMPAIGN,
    }
    for name, data in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder / "campaign.yaml"


@pytest.fixture
def pump():
    with pump_at_a_port() as pump:
        yield pump


def nodes_of(process: int) -> set[str]:
    """Return what the process has open."""
    found = set()
    for number in Path(f"/proc/{process}/fd").iterdir():
        try:
            found.add(str(number.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def test_nothing_is_wrong_with_a_campaign_on_a_driver(pump, tmp_path):
    assert [str(problem) for problem in check(write(tmp_path, pump.port), installed())] == []


def test_the_gate_alone_opens_the_node_and_the_engine_measures_all_the_same(pump, tmp_path):
    resolved = load(write(tmp_path, pump.port), installed())

    with crew(tmp_path / "c", resolved, speed=1.0) as made:
        gate, engine = (made.processes[role].pid for role in ("gate", "engine"))
        ended = made.engine.call(made.experiment(), PATIENCE_S, id="experiment/e-1/1")
        opened = {role: nodes_of(pid) for role, pid in (("gate", gate), ("engine", engine))}
        refused = made.gate.call(Write(signal="pump.set", value=4.5), PATIENCE_S)
        past = made.gate.call(Write(signal="pump.configure.gain", value=0.5), PATIENCE_S)
        told = list(pump.told)
        made.kill("gate")
        made.start("gate")
        until(lambda: pump.told[-1] == "SET 0.0", "the pump to be made safe")

    assert isinstance(ended, PlanEnded), ended
    assert (ended.reason, ended.lost) == ("", False)
    assert pump.port in opened["gate"]
    assert pump.port not in opened["engine"]
    assert set((tmp_path / "opened").read_text().split()) >= {str(gate)}
    assert str(engine) not in (tmp_path / "opened").read_text().split()
    assert "not too much" in refused.reason
    assert "neither limits it nor lists it as free" in past.reason
    (said,) = [word for word in told if word.startswith("SET")]
    run = read_run(made.launch.directory, ended.runs[0])
    (event,) = [doc for name, doc in run if name == "event"]
    assert event["data"]["pump-flow"] == pytest.approx(float(said.split()[1]))
