"""Devices of a beamline file: made as described, or refused with every reason."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from bluesky.run_engine import get_bluesky_event_loop

from controller.checks.devices import device_problems
from controller.devices.loading import load_devices, station_from
from controller.errors import ConfigurationError
from controller.files.beamline import Beamline
from controller.files.reading import read_yaml
from controller.files.validation import validated
from instruments.xas_station import XasStation

PROFILES = Path(__file__).parents[1] / "support" / "startup_profiles"


def beamline_file(folder, devices, **more):
    path = folder / "beamline.yaml"
    data = {"name": "b", "station": "devices", "devices": devices, **more}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def load(path):
    beamline, problems = validated(Beamline, read_yaml(path))
    assert beamline is not None, problems
    return load_devices(beamline, path)


def problems_of(path):
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_classic_and_async_devices_stand_side_by_side(tmp_path):
    devices = load(
        beamline_file(
            tmp_path,
            {
                "sample_x": {"class": "ophyd.EpicsMotor", "prefix": "LOAD:X"},
                "gain": {"class": "ophyd.EpicsSignal", "prefix": "LOAD:GAIN"},
                "theta": {"class": "ophyd_async.epics.motor.Motor", "prefix": "LOAD:THETA"},
            },
        )
    )

    assert {name: type(device).__name__ for name, device in devices.items()} == {
        "sample_x": "EpicsMotor",
        "gain": "EpicsSignal",
        "theta": "Motor",
    }
    assert devices["sample_x"].prefix == "LOAD:X"
    assert devices["gain"].pvname == "LOAD:GAIN"
    assert [device.name for device in devices.values()] == ["sample_x", "gain", "theta"]


def test_a_device_gets_its_further_arguments(tmp_path):
    entry = {
        "class": "ophyd.EpicsSignal",
        "prefix": "LOAD:GAIN",
        "arguments": {"write_pv": "LOAD:GAIN:SP", "put_complete": True},
    }

    devices = load(beamline_file(tmp_path, {"gain": entry}))

    assert devices["gain"].setpoint_pvname == "LOAD:GAIN:SP"


def test_a_class_beside_the_beamline_file_is_found_and_the_path_left_as_it_was(tmp_path):
    (tmp_path / "our_devices.py").write_text(
        "from ophyd_async.epics.motor import Motor\nclass Ours(Motor):\n    '''Ours.'''\n"
    )
    before = list(sys.path)
    path = beamline_file(tmp_path, {"m": {"class": "our_devices.Ours", "prefix": "LOAD:M"}})

    devices = load(path)

    assert type(devices["m"]).__name__ == "Ours"
    assert sys.path[: len(before)] == before


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"class": "ophid.EpicsMotor", "prefix": "X"}, "devices.m.class: there is no module 'o"),
        ({"class": "ophyd.EpicMotor", "prefix": "X"}, "did you mean 'EpicsMotor'?"),
        (
            {"class": "EpicsMotor", "prefix": "X"},
            "m.class: names no module (is EpicsMotor)",
        ),
        ({"class": "ophyd.EpicsMotor"}, "devices.m.prefix: is missing"),
        ({"class": "ophyd.EpicsSignal"}, "devices.m.prefix: is missing"),
        (
            {"class": "ophyd_async.epics.motor.Motor", "prefix": "X", "arguments": {"speed": 3}},
            "devices.m.arguments.speed: ophyd_async.epics.motor.Motor has no such argument",
        ),
        (
            {"class": "ophyd.EpicsMotor", "prefix": "X", "arguments": {"speed": 3}},
            "ophyd.EpicsMotor can't be made: TypeError",
        ),
    ],
)
def test_an_entry_that_is_wrong_is_refused_with_file_line_key_and_what_is_accepted(
    tmp_path, entry, told
):
    path = beamline_file(tmp_path, {"m": entry})

    (problem,) = problems_of(path)

    assert problem.startswith(f"{path}:")
    assert told in problem


def test_all_wrong_entries_are_told_at_once_and_nothing_is_made(tmp_path):
    path = beamline_file(
        tmp_path,
        {"a": {"class": "nowhere.At"}, "b": {"class": "ophyd.EpicsMotor"}},
    )

    assert len(problems_of(path)) == 2
    beamline, _ = validated(Beamline, read_yaml(path))
    assert len(device_problems(beamline, path)) == 2


def test_a_name_of_the_stations_own_is_refused():
    with pytest.raises(ConfigurationError, match="furnace: the station has a device of that name"):
        station_from({"furnace": object()}, XasStation.build("T:"))


def test_a_station_of_ours_takes_further_devices(tmp_path):
    entry = {"extra": {"class": "ophyd.EpicsMotor", "prefix": "LOAD:E"}}
    path = beamline_file(tmp_path, entry, station="xas", prefix="T:")
    base = XasStation.build("T:")

    station = station_from(load(path), base)

    assert station.extra.prefix == "LOAD:E"
    assert station.furnace is base.furnace
    assert list(station.devices())[-1] == "extra"
    assert station_from({}, base) is base


def test_a_startup_profile_loads_unchanged_and_nothing_connects(tmp_path):
    place = PROFILES / "side_by_side"

    devices = load(beamline_file(tmp_path, {"from": f"{place}/"}))

    assert set(devices) == {"sample_x", "slits", "ring_current", "gain", "theta"}
    assert devices["theta"].name == "theta"
    assert devices["theta"]._connect_task is None
    assert "bottom" not in devices["slits"]._signals


def test_only_the_wanted_devices_of_a_profile_are_taken(tmp_path):
    place = PROFILES / "side_by_side"

    devices = load(beamline_file(tmp_path, {"from": f"{place}/", "names": ["gain", "theta"]}))
    (problem,) = problems_of(beamline_file(tmp_path, {"from": f"{place}/", "names": ["gian"]}))

    assert set(devices) == {"gain", "theta"}
    assert "devices.names.0: there is no such device (is gian); accepted: did you mean" in problem


def test_a_profile_that_can_write_past_epics_is_refused_leaf_by_leaf(tmp_path):
    place = PROFILES / "refused" / "devices.py"

    problems = problems_of(beamline_file(tmp_path, {"from": str(place)}))

    told = "\n".join(problems)
    assert "devices: pump.speed: " in told
    assert "SocketSignal" in told
    assert "axis.setpoint: " in told
    assert "sample_x" not in told
    assert "accepted: give it an EPICS signal, or say `actuates: false`" in told


def test_devices_that_are_declared_to_act_on_nothing_are_taken(tmp_path):
    place = PROFILES / "refused" / "devices.py"

    devices = load(beamline_file(tmp_path, {"from": str(place), "passive": ["pump", "axis"]}))

    assert set(devices) == {"sample_x", "pump", "axis"}


def test_a_profile_in_ipythons_own_syntax_is_refused_not_half_run(tmp_path):
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "00-base.py").write_text("raise SystemExit('was run')")
    (tmp_path / "startup" / "10-magic.ipy").write_text("%matplotlib")

    (problem,) = problems_of(beamline_file(tmp_path, {"from": "startup/"}))

    assert "10-magic.ipy: has IPython's own syntax" in problem


def test_what_startup_code_writes_is_refused_even_where_no_gate_stands(tmp_path):
    (tmp_path / "eager.py").write_text("import ophyd\nophyd.cl.caput('LOAD:GAIN', 9.0)\n")

    (problem,) = problems_of(beamline_file(tmp_path, {"from": "eager.py"}))

    assert "WriteRefused: LOAD:GAIN: nothing is written while devices are made" in problem
    assert f"{tmp_path / 'eager.py'}, line 2)" in problem


def test_a_run_engine_that_a_profile_makes_does_not_become_ours(tmp_path):
    before = get_bluesky_event_loop()

    load(beamline_file(tmp_path, {"from": f"{PROFILES / 'side_by_side'}/"}))

    assert get_bluesky_event_loop() is before


def test_a_profile_that_fails_is_told_with_its_last_line_and_its_place(tmp_path):
    (problem,) = problems_of(beamline_file(tmp_path, {"from": str(PROFILES / "broken")}))

    assert "01-second.py failed: ZeroDivisionError: float division by zero" in problem
    assert "01-second.py, line 4)" in problem


def test_a_function_gives_devices_by_name_or_one_after_the_other(tmp_path):
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "beamline.py").write_text(
        "from ophyd import EpicsMotor\n"
        "def as_mapping():\n    return {'x': EpicsMotor('LOAD:X', name='x')}\n"
        "def as_list():\n    yield EpicsMotor('LOAD:X', name='x')\n"
        "def as_number():\n    return 3\n"
    )

    for function in ("as_mapping", "as_list"):
        devices = load(beamline_file(tmp_path, {"from": f"startup.beamline:{function}"}))
        assert devices["x"].prefix == "LOAD:X"

    (problem,) = problems_of(beamline_file(tmp_path, {"from": "startup.beamline:as_number"}))
    assert "returned int" in problem
    (problem,) = problems_of(beamline_file(tmp_path, {"from": "startup.beamline:missing"}))
    assert "has no function 'missing'" in problem
    (problem,) = problems_of(beamline_file(tmp_path, {"from": "startup.nothing:as_list"}))
    assert "there is no module 'startup.nothing'" in problem


def test_what_is_no_device_and_names_that_are_not_unique_are_refused(tmp_path):
    (tmp_path / "lab.py").write_text((PROFILES / "refused" / "devices.py").read_text())

    (strange,) = problems_of(beamline_file(tmp_path, {"from": "lab:with_laser"}))
    (twice,) = problems_of(beamline_file(tmp_path, {"from": "lab:twice"}))

    assert "laser: a Laser is a device neither of ophyd-async nor of ophyd" in strange
    assert "two devices called 'sample_x'" in twice


def happi_database(folder):
    def item(name, device_class, prefix, **more):
        return {
            "_id": name,
            "name": name,
            "type": "OphydItem",
            "active": True,
            "device_class": device_class,
            "prefix": prefix,
            "args": ["{{prefix}}"],
            "kwargs": {"name": "{{name}}"},
            **more,
        }

    items = [
        item("sample_x", "ophyd.EpicsMotor", "LOAD:X"),
        item("theta", "ophyd_async.epics.motor.Motor", "LOAD:THETA"),
        item("old", "ophyd.EpicsMotor", "LOAD:OLD", active=False),
    ]
    path = folder / "happi.json"
    path.write_text(json.dumps({entry["_id"]: entry for entry in items}))
    return path


def test_devices_of_a_happi_database_are_made_by_happi(tmp_path):
    pytest.importorskip("happi")
    happi_database(tmp_path)

    devices = load(beamline_file(tmp_path, {"happi": "happi.json"}))
    one = load(beamline_file(tmp_path, {"happi": "happi.json", "names": ["theta"]}))

    assert set(devices) == {"sample_x", "theta"}
    assert devices["sample_x"].prefix == "LOAD:X"
    assert set(one) == {"theta"}


def test_a_happi_database_that_is_missing_is_not_made(tmp_path):
    path = beamline_file(tmp_path, {"happi": "nowhere.json"})

    (problem,) = problems_of(path)

    assert "devices.happi: there is no file" in problem
    assert not (tmp_path / "nowhere.json").exists()
