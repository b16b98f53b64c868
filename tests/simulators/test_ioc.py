"""The copper twin over Channel Access: a real server process, real clients in theirs."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.support.ioc_client import Client, client
from tests.support.served import COPPER, PREFIX, ROOT, SERVE, served_twin

SPEED = 20.0
"""Bench seconds in a real one: a move of seconds takes a moment, and an exposure can be seen."""


@dataclass(frozen=True)
class Served:
    """A served twin with two clients."""

    epics: Mapping[str, str]
    first: Client
    second: Client


@pytest.fixture(scope="module")
def twin() -> Iterator[Served]:
    with (
        served_twin(speed=SPEED) as epics,
        client(epics, PREFIX) as first,
        client(epics, PREFIX) as second,
    ):
        first.ask("connect")
        second.ask("connect")
        yield Served(epics, first, second)


@pytest.fixture
def bench(twin: Served) -> Iterator[Client]:
    """The first client, at a bench without faults."""
    twin.first.ask("mend")
    yield twin.first
    twin.first.ask("mend")


def eventually(true: Callable[[], Any], patience_s: float = 300.0) -> None:
    """Ask again and again over the network until it is so."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answered(bench: Client, path: str) -> Any:
    """Return the value of *path*, None while the server is away."""
    with suppress(AssertionError):
        return bench.value(path)
    return None


def test_every_pv_of_the_list_answers(twin):
    listing = subprocess.run(
        [sys.executable, "-c", SERVE.replace("False", "True"), str(COPPER), "1", "1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = [line.split()[0] for line in listing.stdout.splitlines()]

    assert f"{PREFIX}FURNACE:SP" in names
    assert f"{PREFIX}STAGE:X.VAL" in names
    assert f"{PREFIX}FAULT:KIND" in names
    assert twin.first.ask("names", names) == names


def test_a_record_says_its_unit_precision_and_alarm_limits(bench):
    assert bench.ask("limits", f"{PREFIX}FURNACE:RBV") == ["degC", 1, 870.0, 850.0]


def test_a_setpoint_moves_the_twin_and_both_clients_see_it_move(twin, bench):
    twin.second.ask("watch", "o2.readback")

    bench.ask("move", "o2", 5.0)

    assert bench.value("o2.readback") == pytest.approx(5.0, abs=0.2)
    assert twin.second.value("o2.setpoint") == 5.0
    stamps = [reading["timestamp"] for reading in twin.second.ask("seen", "o2.readback", 3)]
    assert stamps == sorted(set(stamps))


def test_a_put_to_acquire_is_complete_when_the_counts_are_there_and_blocks_nobody(twin, bench):
    bench.ask("move", "shutter", "Open")
    assert bench.ask("put", "spectrometer.energies", [8950.0, 9000.0, 9050.0]) == ""
    assert bench.ask("put", "spectrometer.exposure", 200.0) == ""

    number = bench.ask("begin", "spectrometer.acquire", True)
    eventually(lambda: twin.second.value("spectrometer.acquire") is True)
    assert twin.second.ask("put", "he.setpoint", 50.0) == ""
    assert bench.ask("put", "h2.setpoint", 1.0) == ""
    assert bench.ask("done", number) is False

    assert bench.ask("finish", number, 300.0) is True
    assert bench.value("spectrometer.acquire") is False
    assert len(bench.value("spectrometer.fluorescence")) == 3
    assert min(bench.value("spectrometer.i0")) > 1e5


def test_what_the_record_has_no_choice_for_is_refused_and_changes_nothing(bench):
    assert bench.ask("raw", f"{PREFIX}SHUTTER:CMD", "Ajar") is False
    assert bench.value("shutter.command") in {"Open", "Closed"}
    assert bench.ask("raw", f"{PREFIX}FURNACE:RBV", 5.0) is False


def test_readings_come_no_faster_than_they_may_however_fast_the_bench_runs(bench):
    bench.ask("watch", "dose.accumulated")
    bench.ask("forget", "dose.accumulated")

    readings = bench.ask("seen", "dose.accumulated", 10)

    stamps = [reading["timestamp"] for reading in readings]
    gaps = [after - before for before, after in pairwise(stamps)]
    assert sorted(gaps)[len(gaps) // 2] >= 0.9 * 0.05 * SPEED


@pytest.mark.parametrize("kind", ["stuck", "frozen"])
def test_a_readback_that_sticks_stays_while_the_gas_flows_on(bench, kind):
    bench.ask("move", "he", 20.0)
    assert bench.ask("spoil", kind, "he.readback") == ""
    before = bench.ask("read", "he.readback")

    assert bench.ask("put", "he.setpoint", 80.0) == ""
    bench.ask("watch", "furnace.readback")
    bench.ask("forget", "furnace.readback")
    bench.ask("seen", "furnace.readback", 20)

    after = bench.ask("read", "he.readback")
    assert after["value"] == before["value"]
    assert (after["timestamp"] == before["timestamp"]) == (kind == "frozen")
    bench.ask("mend", "he.readback")
    eventually(lambda: bench.value("he.readback") > 70.0)


def test_nan_comes_with_the_severity_of_an_undefined_value(bench):
    assert bench.ask("spoil", "nan", "furnace.readback") == ""

    eventually(lambda: math.isnan(bench.value("furnace.readback")))
    assert bench.ask("read", "furnace.readback")["alarm_severity"] == -1


def test_an_invalid_reading_keeps_its_value_and_others_their_severity(bench):
    assert bench.ask("spoil", "invalid", "furnace.readback") == ""

    reading = bench.ask("read", "furnace.readback")
    assert (reading["value"], reading["alarm_severity"]) == (pytest.approx(25.0, abs=1), -1)
    assert bench.ask("read", "he.readback")["alarm_severity"] == 0


def test_spikes_come_and_go(bench):
    bench.ask("watch", "furnace.readback")
    assert bench.ask("spoil", "spikes", "furnace.readback", 500.0) == ""
    bench.ask("forget", "furnace.readback")

    values = [reading["value"] for reading in bench.ask("seen", "furnace.readback", 60)]

    assert any(abs(value - 25.0) > 400.0 for value in values)
    assert any(abs(value - 25.0) < 5.0 for value in values)


def test_a_saturated_detector_shows_its_full_scale(bench):
    bench.ask("move", "shutter", "Open")
    bench.ask("put", "detector.exposure", 1.0)
    assert bench.ask("spoil", "saturated", "detector.i0", 1000.0) == ""

    bench.ask("trigger", "detector")

    assert bench.value("detector.i0") == 1000.0


def test_a_slow_move_takes_longer_and_a_stalled_one_for_ever(bench):
    bench.ask("move", "o2", 0.0)
    assert bench.ask("spoil", "slow", "o2.setpoint", 100.0) == ""
    bench.ask("watch", "o2.readback")
    assert bench.ask("put", "o2.setpoint", 10.0) == ""
    eventually(lambda: bench.value("o2.readback") > 9.8)
    seen = bench.ask("seen", "o2.readback", 0)
    assert any(1.0 < reading["value"] < 9.0 for reading in seen)

    bench.ask("mend")
    assert bench.ask("spoil", "stalled", "o2.setpoint") == ""
    assert bench.ask("put", "o2.setpoint", 0.0) == ""
    assert bench.value("o2.setpoint") == 0.0
    assert bench.value("o2.readback") > 9.8


def test_a_clamped_put_succeeds_with_another_value(bench):
    assert bench.ask("spoil", "clamped", "h2.setpoint", 2.0) == ""

    assert bench.ask("put", "h2.setpoint", 5.0) == ""
    assert bench.value("h2.setpoint") == 2.0


def test_a_refused_write_fails_and_moves_nothing(bench):
    before = bench.value("h2.setpoint")
    assert bench.ask("spoil", "refused", "h2.setpoint") == ""

    assert bench.ask("put", "h2.setpoint", before + 1.0) != ""
    assert bench.value("h2.setpoint") == before
    bench.ask("mend")
    assert bench.ask("put", "h2.setpoint", before + 1.0) == ""


def test_a_put_that_hangs_is_let_go_when_the_fault_is_cleared(twin, bench):
    assert bench.ask("spoil", "hung", "h2.setpoint") == ""
    number = bench.ask("begin", "h2.setpoint", 3.0)

    for _ in range(20):
        assert twin.second.ask("put", "he.setpoint", 10.0) == ""
    assert bench.ask("done", number) is False

    bench.ask("mend")
    assert bench.ask("finish", number) is True


def test_a_beam_dump_empties_ring_and_detectors_until_its_time_is_over(bench):
    bench.ask("move", "shutter", "Open")
    bench.ask("put", "detector.exposure", 1.0)
    assert bench.ask("spoil", "beam_dump", "", 0.0, 200.0) == ""

    assert bench.value("ring.current") == 0.0
    assert bench.value("front_end.status") == "Closed"
    bench.ask("trigger", "detector")
    assert bench.value("detector.i0") < 100.0
    eventually(lambda: bench.value("ring.current") > 240.0)
    assert bench.value("front_end.status") == "Open"


def test_with_the_foil_in_the_spectrum_is_that_of_copper_metal(bench):
    energies = [8970.0, 8980.0, 8984.0, 9100.0]
    bench.ask("move", "shutter", "Open")
    bench.ask("put", "spectrometer.energies", energies)
    bench.ask("put", "spectrometer.exposure", 10.0)
    spectra = {}
    for state in ("Out", "In"):
        bench.ask("move", "foil", state)
        bench.ask("trigger", "spectrometer")
        i0, counts = bench.value("spectrometer.i0"), bench.value("spectrometer.fluorescence")
        spectra[state] = [count / beam for count, beam in zip(counts, i0, strict=True)]
    bench.ask("move", "foil", "Out")

    # the sample as loaded is CuO, whose edge lies 4 eV above that of the metal
    assert spectra["In"][2] > 1.5 * spectra["Out"][2]


def test_the_panel_says_what_is_injected_and_why_something_is_not(bench):
    assert "no signal 'furnace.door'" in bench.ask("spoil", "nan", "furnace.door")
    assert bench.ask("spoil", "nan", "furnace.readback") == ""

    assert bench.value("fault.active") == "nan furnace.readback"
    assert bench.value("fault.count") == 1


def test_a_disconnected_pv_is_gone_while_the_others_answer_and_comes_back(bench):
    assert bench.ask("spoil", "disconnect", "h2.readback") == ""

    assert bench.ask("names", [f"{PREFIX}O2:RBV"]) == [f"{PREFIX}O2:RBV"]
    with pytest.raises(AssertionError, match="Timeout"):
        bench.ask("read", "h2.readback", 1.0)
    bench.ask("mend")
    assert bench.ask("read", "h2.readback", 30.0)["alarm_severity"] == 0


def test_a_rebooted_ioc_comes_back_as_it_was_with_its_clients(bench):
    bench.ask("put", "h2.setpoint", 4.0)
    assert bench.ask("spoil", "reboot", "", 0.0, SPEED * 5.0) == ""

    with pytest.raises(AssertionError):
        while True:
            bench.ask("read", "h2.setpoint", 0.3)
    eventually(lambda: answered(bench, "h2.setpoint") == 4.0)
    assert bench.ask("put", "h2.setpoint", 2.0, 30.0) == ""
    assert bench.value("h2.setpoint") == 2.0


MOTOR = """
import json, sys
import ophyd
motor = ophyd.EpicsMotor(sys.argv[1], name="x")
motor.wait_for_connection(timeout=120)
motor.set(2.5).wait(timeout=120)
reached = motor.position
motor.velocity.set(0.1).wait(timeout=120)
motor.set(-40.0)
motor.stop()
print(json.dumps([reached, motor.position, motor.limits, motor.egu, motor.moving]))
"""


def test_a_classic_motor_of_ophyd_moves_the_stage_and_stops_it(twin):
    found = subprocess.run(
        [sys.executable, "-c", MOTOR, f"{PREFIX}STAGE:X"],
        capture_output=True, text=True, check=True, timeout=400,
        env={**os.environ, **twin.epics},
    )  # fmt: skip

    reached, stopped, limits, unit, _ = json.loads(found.stdout.splitlines()[-1])
    assert reached == pytest.approx(2.5)
    assert -40.0 < stopped <= 2.5
    assert (limits, unit) == ([-50.0, 50.0], "mm")
