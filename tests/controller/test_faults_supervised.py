"""Faults of the bench, met by the real processes: who is to blame, in which words, and after it."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.device_faults import (
    FAILED,
    LOST,
    OK,
    UNFIT,
    Fault,
    Outcome,
    Rig,
    expect,
    misbehaving,
    nothing,
    on_panel,
    on_process,
    rig,
    second_mover,
    shortened,
)

SPEED = 200.0


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("faults") / "copper", shortened(), SPEED) as made:
        yield made


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("faults") / "python", misbehaving(), SPEED) as made:
        yield made


def survived(outcome: Outcome) -> bool:
    return outcome.survived or pytest.fail(f"{outcome.word}: {outcome.reason}; {outcome.note}")


@pytest.mark.parametrize(
    ("kind", "amount", "expected"),
    [("frozen", 0.0, FAILED), ("invalid", 0.0, FAILED)],
)
def test_an_exposure_without_new_and_valid_counts_is_no_success(copper, kind, amount, expected):
    fault = Fault(kind, on_panel(kind, "readback", amount), expect(expected))

    outcome = copper.meet(fault, "exposure", early=True)

    assert survived(outcome)
    assert "NotMeasured" in outcome.reason


def test_a_refused_write_is_no_fault_of_the_point(copper):
    fault = Fault("refused", on_panel("refused", "setpoint"), expect(OK, LOST))

    outcome = copper.meet(fault, "gas")

    assert survived(outcome)
    assert outcome.word == OK or "write access" in outcome.reason


def test_a_beam_dump_in_a_move_costs_no_observation(copper):
    fault = Fault("dump", on_panel("beam_dump", "", 0.0, 120.0), expect(OK, UNFIT))

    assert survived(copper.meet(fault, "heating"))


def test_a_killed_ioc_is_lost_and_not_an_infeasible_point(copper):
    killed = Fault("kill", on_process("twin", signal.SIGKILL), expect(OK, LOST))

    assert survived(copper.meet(killed, "exposure"))


def test_another_client_that_takes_the_shutter_away_is_not_waited_for_without_end(copper):
    assert survived(copper.meet(Fault("mover", second_mover, expect(OK, FAILED, LOST)), "exposure"))


@pytest.mark.parametrize(
    "kind",
    ["set raises", "set fails, unwaited", "read raises"],
)
def test_a_device_that_misbehaves_fails_the_plan_alone(python, kind):
    fault = Fault(kind, nothing, expect(FAILED, LOST), ("treatment",))

    assert survived(python.meet(fault, "treatment", {"kind": kind, "phase": "treatment"}))
