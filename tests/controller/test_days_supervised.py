"""Days at a beamline in real processes: a lost beam, a worker that hangs, a plan that is asked."""

import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.fallback import MODEL as FALLBACK
from controller.events import ExperimentFinished, ExperimentLost, ExperimentStarted, SuggestionMade
from controller.processes.launch import FILE, FOLDER, Launch
from controller.recorded.recording import recording
from controller.replay import compare
from tests.support.besieged import campaign_file
from tests.support.campaigns import ROOT
from tests.support.crews import LEASE
from tests.support.ioc_client import client
from tests.support.sieges import OK, Siege

EXPOSURE_S = 300.0
"""Of a twin that is twenty times as fast: time enough to take the beam away meanwhile."""
SHORTER = "detector.exposure: 0.001..60 s"

REMEMBERING = """
# --- a press that remembers, and a plan that asks it ---------------------------------------------

from bluesky import plan_stubs as bps
from bluesky.preprocessors import run_decorator

class RememberingMock(PressMock):
    async def connect(self, device):
        await super().connect(device)
        label = []
        callback_on_mock_put(device.label, lambda value: label.append(value))

        async def press(_value):
            force = PLACES.get("x", 0.0) + 10.0
            with STROKES.open("a") as file:
                file.write(f"{PLACES.get('x', 0.0):.6f} 0.000000\\n")
            await asyncio.sleep(1.0)
            set_mock_value(device.force, force)
            set_mock_value(device.last_label, label[-1])

        callback_on_mock_put(device.stroke, press)


@default_mock_class(RememberingMock)
class RememberingPress(Press):
    label: A[SignalRW[str], PvSuffix("LABEL")]
    last_label: A[SignalR[str], PvSuffix("LAST")]


def press_once(station, x: float, experiment_id: str):
    devices = station.devices()

    @run_decorator()
    def body():
        yield from bps.mv(devices["x"], x, devices["press"].label, experiment_id)
        yield from bps.trigger_and_read([devices["press"]])

    yield from body()


def pressed(station, experiment_id):
    press = station.devices()["press"]
    if (yield from bps.rd(press.last_label)) == experiment_id:
        yield from bps.open_run()
        yield from bps.create("primary")
        yield from bps.read(press)
        yield from bps.save()
        yield from bps.close_run()


press_once.look_up = pressed
"""


def revised(folder: Path, **changes: Any) -> Path:
    """Write a campaign of presses with *changes*; return its file."""
    file = campaign_file(folder, "repeatable", 4, lease=LEASE)
    data = {**yaml.safe_load(file.read_text()), **changes}
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file


def remembering(folder: Path) -> Path:
    """Write a campaign of two presses on a press that remembers; return its file."""
    file = revised(
        folder,
        space={"x": {"type": "continuous", "low": -3, "high": 3, "unit": "mm"}},
        plan={"name": "press_lab:press_once", "effect": "reconcilable"},
        budget={"experiments": 2},
    )
    with (folder / "press_lab.py").open("a", encoding="utf-8") as lab:
        lab.write(REMEMBERING)
    for name in ("beamline", "envelope"):
        path = folder / f"{name}.yaml"
        data = yaml.safe_load(path.read_text())
        if name == "beamline":
            data["devices"]["press"]["class"] = "press_lab.RememberingPress"
        else:
            data["free"].append("press.label")
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file


def test_a_reconcilable_experiment_cut_off_is_adopted_from_what_the_instrument_remembers(tmp_path):
    file = remembering(tmp_path / "lab")

    with Siege(tmp_path / "run", file, ("--speed", "2")) as siege:
        siege.start()
        siege.until((tmp_path / "lab" / "strokes").exists)
        siege.send("engine")
        assert siege.wait() == OK, siege.story()

    events = [record.event for record in siege.records()]
    assert sum(isinstance(event, ExperimentStarted) for event in events) == 2
    assert not [event for event in events if isinstance(event, ExperimentLost)]
    assert len((tmp_path / "lab" / "strokes").read_text().splitlines()) == 2
    state = recording(tmp_path / "run").state
    assert all(one.usable for one in state.observations)
    assert [one.values["force"].mean for one in state.observations] == pytest.approx(
        [one.parameters["x"] + 10.0 for one in state.observations]
    )


def test_a_worker_that_hangs_is_replaced_for_once_and_all_is_recomputed_bit_for_bit(tmp_path):
    file = revised(
        tmp_path / "lab",
        agent={"name": "bayesian", "options": {"initial": 2}},
        budget={"experiments": 8},
        decision_timeout="2 s",
    )

    with Siege(tmp_path / "run", file) as siege:
        siege.start()
        siege.until(lambda: siege.count("observation_made") >= 2)
        hang_while_it_decides(siege)
        assert siege.wait() == OK, siege.story()

    assert FALLBACK in models(siege)
    assert compare(recording(tmp_path / "run")).difference is None


def hang_while_it_decides(siege: Siege) -> None:
    """Stop the worker; where a reduction was what it did, which may take long, kill it instead."""
    for _ in range(4):
        siege.send("worker", signal.SIGSTOP)
        try:
            siege.until(lambda: FALLBACK in models(siege), timeout_s=8.0)
        except AssertionError:
            siege.send("worker", signal.SIGKILL)
            seen = siege.count("observation_made")
            siege.until(lambda now=seen: siege.count("observation_made") > now)
        else:
            return


def models(siege: Siege) -> list[str]:
    """Return what each suggestion was made by."""
    events = [record.event for record in siege.records()]
    return [event.suggestion.model for event in events if isinstance(event, SuggestionMade)]


def test_a_lost_beam_ends_the_exposure_at_once_and_costs_no_bad_observation(tmp_path):
    file = exposing(tmp_path)

    with Siege(tmp_path / "run", file, ("--speed", "20")) as siege:
        siege.start()
        siege.until(lambda: siege.pid("gate"))  # the twin is up
        launch = Launch.read(tmp_path / "run" / FOLDER / FILE)
        with client(launch.epics, "SIM:XAS:") as bench:
            bench.ask("connect")
            siege.until(lambda: bench.value("detector.acquire"))
            assert bench.ask("spoil", "beam_dump", "", 0.0, EXPOSURE_S) == ""
            assert siege.wait() == OK, siege.story()

    finished = [r for r in siege.records() if isinstance(r.event, ExperimentFinished)]
    first, second = finished[:2]
    assert "ring.current" in first.event.unfit or "front_end.status" in first.event.unfit
    assert not second.event.unfit
    assert (
        second.stamp - first.stamp > 1.4 * EXPOSURE_S
    )  # it had ended long before the beam was back
    [observation] = recording(tmp_path / "run").state.observations
    assert observation.usable
    assert observation.values["i0"].mean > 1000.0


def exposing(folder: Path) -> Path:
    """Write a campaign of one long exposure, with beam; return its file."""
    envelope = folder / "envelope.yaml"
    text = (ROOT / "config/safety/copper.yaml").read_text(encoding="utf-8")
    assert text.count(SHORTER) == 1
    text = text.replace(SHORTER, f"detector.exposure: 0.001..{EXPOSURE_S} s")
    text = re.sub(r"max_age: \d+ s", "max_age: 120 s", text)  # a busy machine is late
    envelope.write_text(re.sub(r"lease: \d+ s", f"lease: {LEASE}", text), encoding="utf-8")
    beamline = folder / "beamline.yaml"
    shutil.copy(ROOT / "config/beamlines/xas_copper_simulated.yaml", beamline)
    data = {
        "name": "exposing",
        "beamline": str(beamline),
        "safety": str(envelope),
        "space": {"mono.energy": {"type": "continuous", "low": 9000, "high": 9100, "unit": "eV"}},
        "objectives": [{"name": "i0", "goal": "maximize"}],
        "agent": {"name": "sobol"},
        "measure_when": {
            "all": ["ring.current > 50 mA", "front_end.status == Open"],
            "for": "20 s",
        },
        "plan": {
            "name": "move_and_read",
            "arguments": {
                "detectors": ["detector"],
                "detector.exposure": EXPOSURE_S,
                "shutter": "Open",
            },
            "effect": "repeatable",
        },
        "reducer": {"name": "columns", "options": {"keys": {"i0": "detector-i0"}}},
        "budget": {"experiments": 1},
        "seed": 1,
    }
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file
