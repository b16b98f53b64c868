"""A live beamline is looked at before the first write: every PV, its rule, and what is odd."""

import json
import subprocess
import sys

import pytest
import yaml

from controller.beamline_choice import with_beamline
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline
from tests.support.campaigns import ROOT, barrel_campaign, copper_campaign
from tests.support.live_ioc import live_ioc

THERMOSTAT = '''
from typing import Annotated as A
from ophyd_async.core import SignalR, SignalRW, StandardReadable
from ophyd_async.epics.core import EpicsDevice, PvSuffix


class Thermostat(StandardReadable, EpicsDevice):
    """A setpoint and its readback."""

    setpoint: A[SignalRW[float], PvSuffix("SP")]
    readback: A[SignalR[float], PvSuffix("RBV")]
'''
BEAMLINE = {
    "name": "bench",
    "station": "devices",
    "devices": {
        "x": {"class": "ophyd.EpicsMotor", "prefix": "LIVE:X"},
        "gain": {"class": "ophyd.EpicsSignal", "prefix": "LIVE:GAIN"},
        "mode": {"class": "ophyd.EpicsSignal", "prefix": "LIVE:MODE"},
        "oven": {"class": "thermostat.Thermostat", "prefix": "LIVE:T:"},
    },
}
ENVELOPE = {
    "name": "bench",
    "limits": {
        "x.user_setpoint": "-5..5 mm",
        "gain": "0..20 V",
        "mode": ["Slow", "Fast"],
        "oven.setpoint": "20..200 K",
        "oven.readback": "0..200 degC",
    },
    "free": ["x.motor_stop"],
}
CAMPAIGN = {
    "name": "look",
    "beamline": "beamline.yaml",
    "safety": "envelope.yaml",
    "metadata": {"proposal": "1", "sample": "s", "persons": ["A"]},
    "space": {"x": {"type": "continuous", "low": -1, "high": 1, "unit": "mm"}},
    "objectives": [{"name": "signal", "goal": "maximize"}],
    "plan": {"name": "move_and_read", "arguments": {"detectors": ["oven"]}, "effect": "repeatable"},
    "reducer": {"name": "columns", "options": {"keys": {"signal": "oven-readback"}}},
    "budget": {"experiments": 2},
}


@pytest.fixture(scope="module")
def client():
    with live_ioc() as environment:
        yield environment


def write(folder, **changed):
    files = {"beamline": BEAMLINE, "envelope": ENVELOPE, "campaign": CAMPAIGN}
    for name, data in files.items():
        text = yaml.safe_dump({**data, **changed.get(name, {})}, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)
    (folder / "thermostat.py").write_text(THERMOSTAT)
    return folder / "campaign.yaml"


def look(file, environment, *how):
    command = [sys.executable, "-m", "tests.support.looking", str(file), *how]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.fixture(scope="module")
def told(client, tmp_path_factory):
    done = look(write(tmp_path_factory.mktemp("look")), client, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_classic_and_async_signals_are_read_side_by_side_with_their_rules(told):
    rows = {(row["signal"], row["pv"]): row for row in told["signals"]}
    motor = rows["x.user_setpoint", "LIVE:X.VAL"]
    assert motor["units"] == "mm"
    assert motor["control"] == [-20.0, 20.0]
    assert motor["rule"] == "-5 to 5 mm"
    assert rows["x.motor_stop", "LIVE:X.STOP"]["rule"] == "free"
    assert rows["x.velocity", "LIVE:X.VELO"]["rule"] == "not writable"
    assert rows["mode", "LIVE:MODE"]["value"] == "Fast"
    assert rows["oven.readback", "LIVE:T:RBV"]["severity"] == "INVALID"
    assert rows["oven.readback", "LIVE:T:RBV"]["rule"] == "watched: 0 to 200 degC"
    assert rows["oven.setpoint", "LIVE:T:SP"]["value"] == 25.0
    assert 0 <= rows["oven.readback", "LIVE:T:RBV"]["age_s"] < 3600
    assert told["missing"] == []


def value_of(pv, environment):
    asked = f"print(read({pv!r}, timeout=120, repeater=False).data[0])"
    command = [sys.executable, "-c", f"from caproto.sync.client import read; {asked}"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=400, check=True
    )
    return float(done.stdout)


def test_what_is_odd_is_flagged(told):
    flags = "\n".join(told["flags"])
    assert "gain: the envelope's 0 to 20 V is wider than the IOC's own 0 to 10" in flags
    assert "oven.setpoint: the envelope limits it in 'K', the PV is in 'C'" in flags
    assert "oven.readback: its severity is INVALID" in flags
    assert "x.user_setpoint" not in flags


def test_a_device_that_is_moved_in_another_unit_than_its_own_is_flagged(client, tmp_path):
    space = {"gain": {"type": "continuous", "low": 1, "high": 2, "unit": "mV"}}
    limits = {**ENVELOPE["limits"]}
    limits.pop("gain")
    file = write(tmp_path, campaign={"space": space}, envelope={"limits": limits})

    told = json.loads(look(file, client, "--json").stdout)

    assert "gain: the campaign gives it in 'mV', gain is in 'V'" in told["flags"]


def test_a_signal_that_is_declared_in_another_unit_than_its_pv_is_flagged(client, tmp_path):
    limits = {name: limit for name, limit in ENVELOPE["limits"].items() if name != "gain"}
    signals = {"gain": {"unit": "mV"}, "x.user_readback": {"unit": "mm"}}
    file = write(tmp_path, envelope={"limits": limits, "signals": signals})

    told = json.loads(look(file, client, "--json").stdout)

    assert "gain: the envelope declares it in 'mV', the PV is in 'V'" in told["flags"]
    assert not [flag for flag in told["flags"] if flag.startswith("x.user_readback")]


def test_pvs_that_are_not_there_are_all_named_and_the_look_ends_soon(client, tmp_path):
    devices = {
        **BEAMLINE["devices"],
        **{f"gone{i}": {"class": "ophyd.EpicsMotor", "prefix": f"GONE:{i}"} for i in range(10)},
    }

    done = look(write(tmp_path, beamline={"devices": devices}), client, "--json", "--soon")

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert {f"GONE:{i}.VAL" for i in range(10)} <= set(told["missing"])
    assert not any(pv.startswith("LIVE:") for pv in told["missing"])


def test_people_get_a_table(client, tmp_path):
    done = look(write(tmp_path), {**client, "COLUMNS": "200"})

    assert "x.user_setpoint" in done.stdout
    assert "control -20 to 20" in done.stdout
    assert "0 didn't; nothing was written" in done.stdout


def test_startup_code_that_writes_is_refused_while_the_beamline_is_looked_at(client, tmp_path):
    (tmp_path / "lab.py").write_text(
        "from ophyd import EpicsSignal\n"
        "def make():\n"
        "    gain = EpicsSignal('LIVE:GAIN', name='gain')\n"
        "    gain.wait_for_connection(timeout=60)\n"
        "    gain.put(9.0)\n"
        "    return [gain]\n"
    )
    file = write(tmp_path, beamline={"devices": {"from": "lab:make"}})

    done = look(file, client, "--json")

    assert "LIVE:GAIN: nothing is written while devices are made or looked at" in done.stderr
    assert value_of("LIVE:GAIN", client) == 2.0


def test_a_simulated_campaign_goes_live_on_the_same_prefix_once_it_says_what_is_measured():
    simulated = copper_campaign()

    with pytest.raises(ConfigurationError) as caught:
        with_beamline(simulated, "live")
    said = with_beamline(
        copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["A"]}), "live"
    )

    assert [problem.key for problem in caught.value.problems] == [
        "metadata.proposal",
        "metadata.sample",
        "metadata.persons",
    ]
    assert "the defaults of a simulated beamline don't count" in str(caught.value)
    assert said.beamline.twin is None
    assert said.beamline.prefix == simulated.beamline.prefix
    assert said.beamline.metadata.defaults == {}
    assert Beamline.model_validate(said.beamline.model_dump(mode="json")) == said.beamline


def test_another_beamline_file_takes_the_place_of_the_campaigns_own(tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("name: other\nstation: xas\nprefix: 'REAL:'\n")
    metadata = {"proposal": "p", "sample": "s", "persons": ["A"]}

    chosen = with_beamline(copper_campaign(metadata=metadata), str(other))

    assert chosen.beamline.prefix == "REAL:"
    assert chosen.campaign.beamline == str(other)


def test_what_can_not_be_live_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match="recorded table and can't be live"):
        with_beamline(barrel_campaign(), "live")
    with pytest.raises(ConfigurationError, match="no such file"):
        with_beamline(copper_campaign(), str(tmp_path / "nowhere.yaml"))
    other = tmp_path / "other.yaml"
    other.write_text("name: o\nstation: devices\ndevices: {a: {class: ophyd.EpicsMotor}}\n")
    with pytest.raises(ConfigurationError, match="station 'devices' isn't 'xas'"):
        with_beamline(copper_campaign(), str(other))
