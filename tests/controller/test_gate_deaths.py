"""A gate in a process: who holds leases dies or hangs, somebody stops it, a signal is gone."""

import json
import signal
import socket
from contextlib import ExitStack, closing

import pytest

from controller.bus.delivery import Caller
from controller.bus.messages import Arm, Done, Failed, Judge, Write
from controller.files.beamline import Beamline
from controller.safety.envelope.file import EnvelopeFile
from tests.support.campaigns import BEAMLINE, ENVELOPE, copper_campaign
from tests.support.gates import bench_ioc, gate_process, released, speaking, state_of
from tests.support.holding import LEASE_S, holding
from tests.support.waiting import PATIENCE_S, until

HOT = 300.0
SAFE = {"furnace.setpoint": 40, "shutter.command": "Closed"}
LIMITS = {
    **ENVELOPE,
    "safe": [
        {"stage": "stop what heats", "within": "60 s", "write": SAFE},
        {"stage": "purge", "within": "60 s", "write": {"he.setpoint": 100}},
    ],
    "signals": {"furnace.readback": {"unit": "degC", "max_age": "10 min"}},
    "rules": [
        {"kind": "requires", "name": "not too hot", "requires": "furnace.readback < 450 degC"}
    ],
    "dead_man": {"lease": f"{LEASE_S:g} s", "record": "{prefix}DOSE"},
}


def live_campaign(**changes):
    resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
    beamline = {k: v for k, v in BEAMLINE.items() if k in ("name", "station", "prefix")}
    return resolved.model_copy(
        update={
            "beamline": Beamline.model_validate(beamline),
            "envelope": EnvelopeFile.model_validate({**LIMITS, **changes}),
        }
    )


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


@pytest.fixture(scope="module")
def gate(ioc, tmp_path_factory):
    directory = tmp_path_factory.mktemp("gate") / "c"
    with gate_process(directory, live_campaign(), ioc.epics) as gate:
        yield gate


@pytest.fixture
def hot(ioc, gate):
    """Return who speaks to the gate, and the processes that hold leases; the furnace is on."""
    with ExitStack() as stack:
        caller = stack.enter_context(closing(Caller(gate.address, "test")))
        if state_of(caller) != "disarmed":
            released(gate)
        assert caller.call(Arm(digest=gate.envelope.digest()), PATIENCE_S) == Done()
        holders = {
            role: stack.enter_context(holding(gate.launch, role))
            for role in ("controller", "engine")
        }
        until(lambda: state_of(caller) == "running", "the gate to run")
        write = Write(signal="furnace.setpoint", value=HOT)
        assert caller.call(write, PATIENCE_S) == Done()
        assert ioc.shown("FURNACE:SP") == HOT
        yield caller, holders


def causes(gate):
    """Return the causes of trips that the gate recorded, in their order."""
    return [
        r["trip"]["cause"]["reason"] for r in gate.records() if (r.get("trip") or {}).get("cause")
    ]


@pytest.mark.parametrize("role", ["controller", "engine"])
def test_the_death_of_who_holds_a_lease_makes_safe_and_latches(ioc, gate, hot, role):
    caller, holders = hot

    holders[role].kill()
    until(lambda: state_of(caller) == "latched", "the latch")

    assert (ioc.shown("FURNACE:SP"), ioc.shown("HE:SP")) == (40, 100)
    assert f"the {role} died" in causes(gate)[-1]
    refused = caller.call(Write(signal="furnace.setpoint", value=HOT), PATIENCE_S)
    assert isinstance(refused, Failed) and refused.error == "Latched"
    assert gate.armed.exists()


def test_who_hangs_is_missed_when_the_lease_is_over(ioc, gate, hot):
    caller, holders = hot

    holders["engine"].send_signal(signal.SIGSTOP)
    try:
        until(lambda: state_of(caller) == "latched", "the latch")
    finally:
        holders["engine"].send_signal(signal.SIGCONT)

    assert ioc.shown("FURNACE:SP") == 40
    assert f"no sign of life of the engine for {LEASE_S:g} s" in causes(gate)[-1]


def test_the_emergency_stop_acts_and_is_recorded_with_who_it_was(ioc, gate, hot):
    caller, _ = hot

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(gate.launch.socket("stop")))
        client.sendall(b"stop\n")
        with client.makefile("rb") as lines:
            accepted, safed = map(json.loads, lines)
    until(lambda: state_of(caller) == "latched", "the latch")

    assert accepted["accepted"] and not safed["failed"]
    assert ioc.shown("FURNACE:SP") == 40
    assert causes(gate)[-1].startswith("emergency stop by ")


def test_a_change_at_the_ioc_trips_and_what_it_was_is_said(ioc, gate, hot):
    caller, _ = hot
    try:
        ioc.shown("FURNACE:RBV", 500.0)
        until(lambda: state_of(caller) == "latched", "the latch")
    finally:
        ioc.shown("FURNACE:RBV", 40.0)

    assert ioc.shown("FURNACE:SP") == 40
    assert "furnace.readback" in causes(gate)[-1]
    refused = caller.call(Judge(signal="furnace.setpoint", value=HOT), PATIENCE_S)
    assert isinstance(refused, Failed) and "not too hot" in refused.reason


def test_what_somebody_else_writes_after_a_trip_is_written_back(ioc, gate, hot):
    caller, holders = hot
    holders["controller"].kill()
    until(lambda: state_of(caller) == "latched", "the latch")

    ioc.shown("FURNACE:SP", 400.0)

    until(lambda: ioc.shown("FURNACE:SP") == 40, "the safe value again")


def test_the_lease_of_the_ioc_is_renewed_and_given_back_at_the_end(ioc, tmp_path):
    campaign = live_campaign(dead_man={"lease": f"{LEASE_S:g} s", "record": "{prefix}VALVE"})
    with gate_process(tmp_path / "c", campaign, ioc.epics) as gate:
        until(lambda: ioc.shown("VALVE") >= 2, "the lease to be renewed")

        assert gate.kill(signal.SIGTERM) == 0

    assert ioc.shown("VALVE") == 0


def test_a_gate_that_is_killed_leaves_what_its_successor_begins_with(ioc, tmp_path):
    with gate_process(tmp_path / "c", live_campaign(), ioc.epics) as gate:
        with speaking(gate) as caller:
            assert caller.call(Write(signal="furnace.setpoint", value=HOT), PATIENCE_S) == Done()
            plan = json.loads((gate.launch.directory / "gate.safe.json").read_text())
            gate.kill()
        gate.start()

        writes = plan["stages"][0]["writes"]
        assert writes["furnace.setpoint"] == {"pv": "TEST:FURNACE:SP", "value": 40}
        assert ioc.shown("FURNACE:SP") == 40
