"""The stopper: stages, the emergency stop of this machine, the lease of the IOC."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.gates import bench_ioc
from tests.support.stopping import stopping
from tests.support.waiting import until

STAGES = [
    (
        "off",
        60.0,
        {"furnace": ("TEST:FURNACE:SP", 40), "shutter": ("TEST:SHUTTER:CMD", "Closed")},
    ),
    ("purge", 60.0, {"he": ("TEST:HE:SP", 100)}),
]


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


@pytest.fixture(scope="module")
def stopper(ioc):
    with (
        tempfile.TemporaryDirectory(prefix="hst") as folder,
        stopping(Path(folder) / "stop", ioc.epics, STAGES) as process,
    ):
        yield process


@pytest.fixture
def hot(ioc):
    """A furnace that is on, a shutter that is open."""
    ioc.shown("FURNACE:SP", 300.0)
    ioc.shown("SHUTTER:CMD", 1)
    ioc.shown("HE:SP", 0.0)


def released(stopper):
    """Let the gate have seen all stops, and be armed."""
    until(lambda: stopper.ask("seen") is None and not stopper.ask("allow"), "the flag to go down")


def shown(ioc):
    return ioc.shown("FURNACE:SP"), ioc.shown("SHUTTER:CMD"), ioc.shown("HE:SP")


def test_every_stage_is_written_and_read_back(ioc, stopper, hot):
    reached, failed, stages = stopper.ask("safe")

    assert shown(ioc) == (40, 0, 100)
    assert (set(reached), failed) == ({"furnace", "shutter", "he"}, {})
    assert stages == ["off", "purge"]


def test_the_socket_stops_and_answers_at_once_and_when_it_is_safe(ioc, stopper, hot):
    released(stopper)

    at_once, then = stopper.say(b"stop\n")

    assert at_once == {"accepted": True, "state": "safing"}
    assert set(then["reached"]) == {"furnace", "shutter", "he"}
    assert then["failed"] == {}
    assert shown(ioc) == (40, 0, 100)
    assert stopper.ask("told")[-1] == ["person", f"user {os.getuid()}"]


def test_the_flag_stays_up_until_the_gate_has_seen_the_stop_and_is_armed_again(stopper, hot):
    released(stopper)
    stopper.say(b"stop\n")

    assert stopper.ask("allow") is True  # who arms at this moment doesn't know of the stop yet
    assert "being made safe" in stopper.ask("may")
    released(stopper)
    assert stopper.ask("may") == ""


@pytest.mark.parametrize("line", [b"start\n", b"\n", b"x" * 100, b'{"stop": true}\n', b"\x00\n"])
def test_any_other_line_is_refused_and_moves_nothing(ioc, stopper, hot, line):
    (answer,) = stopper.say(line)

    assert answer["accepted"] is False and "stop" in answer["reason"]
    assert shown(ioc) == (300, 1, 0)


def test_what_is_overwritten_afterwards_is_written_again(ioc, stopper, hot):
    stopper.ask("safe")
    ioc.shown("FURNACE:SP", 500.0)

    assert stopper.ask("keep") == ["furnace"]
    assert shown(ioc) == (40, 0, 100)
    assert stopper.ask("keep") == []


def test_a_signal_that_does_not_take_its_value_keeps_no_other_waiting(ioc, hot):
    stages = [("off", 0.5, {"stuck": ("TEST:STUCK", 1.0), "none": ("TEST:NONE", 0.0)}), *STAGES]
    with (
        tempfile.TemporaryDirectory(prefix="hst") as folder,
        stopping(Path(folder) / "stop", ioc.epics, stages) as process,
    ):
        reached, failed, _ = process.ask("safe")
        process.ask("close")

    assert set(reached) == {"furnace", "shutter", "he"}
    assert failed["stuck"] == "asked for 1.0: reads 3.0 after 0.5 s"
    assert failed["none"] == "asked for 0.0: no answer after 0.5 s"
    assert shown(ioc) == (40, 0, 100)


def test_the_lease_of_the_ioc_is_renewed_only_while_the_gate_s_threads_answer(ioc, stopper, hot):
    released(stopper)
    ioc.shown("DOSE", 0.0)
    told = len(stopper.ask("told"))
    stopper.ask("watch", "TEST:DOSE", True)

    until(lambda: stopper.ask("beat") == [] and ioc.shown("DOSE") > 1, "the lease to be renewed")
    until(lambda: len(stopper.ask("told")) > told, "the stopper to act by itself")

    assert stopper.ask("told")[told] == ["process", "the gate's own rules no longer answer"]
    until(lambda: shown(ioc) == (40, 0, 100), "the bench to be made safe")
