"""Classic ophyd devices beside ophyd-async ones: all that they write goes by the gate."""

import json
import os
import re
import subprocess
import sys

import pytest

from controller.bus.messages import Arm, Done
from controller.chain import Chain
from controller.clock import VirtualClock
from controller.errors import WriteRefused
from controller.safety.devices.connectors import guard
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.gate.gate import Gate
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.record.audit import Audit
from tests.support.benches import means_of
from tests.support.campaigns import copper_campaign
from tests.support.classic_devices import Rig
from tests.support.classic_engine import LIMITS, beamline
from tests.support.gates import ROOT, bench_ioc, gate_process, speaking
from tests.support.waiting import PATIENCE_S

SCENES_S = 600.0


def classic_campaign():
    resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
    limits = EnvelopeFile.model_validate(LIMITS)
    return resolved.model_copy(update={"beamline": beamline(), "envelope": limits})


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """What came of every scene, what the gate recorded, and what the server held at the end."""
    directory = tmp_path_factory.mktemp("classic") / "c"
    with bench_ioc() as ioc, gate_process(directory, classic_campaign(), ioc.epics) as gate:
        with speaking(gate) as caller:
            assert caller.call(Arm(digest=gate.envelope.digest()), PATIENCE_S) == Done()
            with (directory / "engine.log").open("w") as log:  # no pipe: caRepeater would hold it
                done = subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "tests.support.classic_engine",
                        str(directory / "processes" / "launch.json"),
                    ],
                    cwd=ROOT,
                    env={**os.environ, **ioc.epics},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=SCENES_S,
                    check=False,
                )
        said = (directory / "engine.log").read_text()
        assert done.returncode == 0, said[-4000:]
        found = json.loads((directory / "scenes.json").read_text())
        found["records"] = gate.records()
        found["held"] = {n: ioc.shown(n) for n in ("VALVE", "HE:SP", "O2:SP", "GO")}
        return found


def test_a_motor_record_moves_through_the_gate(scenes):
    error, position = scenes["moves"]

    assert error == ""
    assert position == pytest.approx(2.5, abs=0.01)
    assert any(
        r["kind"] == "intent" and r["signal"] == "motor.user_setpoint" for r in scenes["records"]
    )


def test_classic_and_ophyd_async_devices_are_side_by_side_in_one_plan(scenes):
    error, valve, position, state = scenes["side_by_side"]

    assert error == ""
    assert (valve, state) == (4.0, 1)
    assert position == pytest.approx(1.0, abs=0.01)
    written = {r["signal"]: r["value"] for r in scenes["records"] if r["kind"] == "intent"}
    assert written["furnace.setpoint"] == 77.0
    assert written["spectrometer.acquire"] is True
    assert "Open" in [r.get("value") for r in scenes["records"] if r.get("signal") == "state"]


def test_a_move_past_the_envelope_is_refused_though_the_motor_would_go_there(scenes):
    error, moved = scenes["refused_move"]

    assert "motor.user_setpoint: asked for 60.0: allowed -50 to 50 mm; nothing has moved" in error
    assert moved == pytest.approx(0.0, abs=0.01)


def test_a_signal_is_set_within_its_limits_only(scenes):
    error, value = scenes["refused_signal"]

    assert "valve: asked for 30.0: allowed 0 to 10 mm" in error
    assert value == 4.0


def test_put_completion_ends_when_the_device_has_done(scenes):
    error, took = scenes["completes"]

    assert error == ""
    assert took >= 0.09  # the exposure, as the server counts it


def test_a_motor_is_stopped_through_the_gate(scenes):
    done, position = scenes["stops"]

    assert done
    assert position < 44.0


def test_puts_wait_and_call_back_as_ever(scenes):
    at_once, heard, value = scenes["puts_wait"]

    assert at_once == 3.0
    assert heard == ["TEST:VALVE"]
    assert value == 2.0


def test_texts_short_and_long_arrive(scenes):
    assert scenes["text"] == ["hello", "/data/here"]


def test_a_command_is_executed_by_the_gate(scenes):
    assert scenes["commands"] == ""
    assert scenes["held"]["GO"] == 1


WAYS = {
    "move": "motor.user_setpoint: asked for 60.0: allowed -50 to 50 mm",
    "set_current_position": "motor.set_use_switch: .* neither limits it nor lists it as free",
    "set_lim": "motor.high_limit_travel: .* neither limits it nor lists it as free",
    "caput": "valve: asked for 30.0: allowed 0 to 10 mm",
    "caput of a stranger": "TEST:HE:SP: belongs to no device of the beamline",
    "epics.caput": "valve: asked for 30.0: allowed 0 to 10 mm",
    "epics.PV": "TEST:HE:SP: asked for 1.0 past the gate",
    "raw epics.PV": "TEST:VALVE: asked for 30.0 past the gate",
    "device of nobody": "TEST:O2:SP: belongs to no device of the beamline",
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_the_libraries_leads_past_the_gate(scenes, way):
    said = scenes["other_ways"][way]

    assert "WriteRefused" in said
    assert re.search(WAYS[way], said)


BYPASSES = {
    "a direct set in a plan": "valve",
    "kickoff": "valve",
    "stage": "valve",
    "a document callback": "valve",
    "a suspender's pre_plan": "valve",
}


@pytest.mark.parametrize("way", BYPASSES)
def test_what_goes_around_a_guard_in_the_engine_is_judged_by_the_gate(scenes, way):
    assert "asked for 30.0: allowed 0 to 10 mm; nothing has moved" in scenes["bypasses"][way]


def test_nothing_that_was_refused_arrived_and_every_refusal_is_recorded(scenes):
    refused = [r for r in scenes["records"] if r["kind"] == "refusal"]

    assert scenes["held"]["VALVE"] == 2.0
    assert (scenes["held"]["HE:SP"], scenes["held"]["O2:SP"]) == (0.0, 0.0)
    assert sum(r["value"] == 30.0 for r in refused) >= 1 + 2 + len(BYPASSES)
    intents = [r for r in scenes["records"] if r["kind"] == "intent"]
    assert all(r["value"] != 30.0 for r in intents)


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    """What came of every verb of a mock device behind the gate of one process."""
    clock = VirtualClock()
    folder = tmp_path_factory.mktemp("inline")
    chain = Chain.open(folder / "gate.sqlite", "writes")
    rig = Rig("TEST:", name="rig")
    limits = EnvelopeFile.model_validate(LIMITS).envelope()
    gate = Gate(limits, Audit(chain, clock), means_of(folder, clock, LoopHands({})))
    guard(gate, "rig", rig)

    async def attempts():
        await rig.connect(mock=True)
        found = {}
        for verb in Rig.VERBS:
            with pytest.raises(WriteRefused) as refused:
                await rig.do(verb, mock=True)
            found[verb] = f"WriteRefused: {refused.value}"
        return found, await rig.valve.get_value()

    yield clock.loop.run_until_complete(attempts())
    chain.close()
    clock.loop.close()
    clock.loop.close()


@pytest.mark.parametrize("verb", Rig.VERBS)
@pytest.mark.parametrize("world", ["mock, in one process", "by the gate's process", "classic"])
def test_no_verb_of_a_device_leads_past_the_gate_in_any_world(scenes, inline, world, verb):
    said = inline[0] if world.startswith("mock") else scenes["conformance"][world]

    assert "WriteRefused" in said[verb]
    expected = "lists it as free" if verb == "command" else "asked for 30.0: allowed 0 to 10 mm"
    assert expected in said[verb]
    assert inline[1] == 0.0


def test_a_device_is_refused_with_each_leaf_that_no_gate_can_judge(scenes):
    said = scenes["refuses_devices"]

    for leaf in ("sly.serial", "sly.of_serial", "sly.laser"):
        assert leaf in said["sly"]
    for leaf in ("sly.valve", "sly.memory", "sly.twice", "sly.seen"):
        assert f"{leaf}:" not in said["sly"]
    assert "actuates: false" in said["sly"]
    assert said["declared"] == ""


def test_a_device_that_was_built_before_the_gate_or_knows_other_time_is_refused(scenes):
    said = scenes["refuses_devices"]

    assert "built before" in said["early"]
    assert "real time alone" in said["fast"]
    assert "real time alone" in said["inline"]
    assert "no device of ophyd" in said["no device"]
