"""The engine as a process, with a real twin and a real gate: asked, interrupted, killed."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.bus.messages import (
    AwaitConditions,
    Failed,
    Held,
    Message,
    PlanEnded,
    Recover,
    StopPlan,
    Tripped,
)
from controller.documents import FOLDER, read_file, read_run
from controller.requests_log import FILE
from tests.support.campaigns import barrel_campaign
from tests.support.crews import Crew, crew
from tests.support.waiting import PATIENCE_S, until

NAME = "experiment/e-1/1"
SLOW = 0.02
"""Campaign seconds per real one: a measurement, of one campaign second, takes fifty real ones."""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path / "c", barrel_campaign()) as made:
        yield made


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path / "c", barrel_campaign(), SLOW) as made:
        yield made


@pytest.fixture
def slowish(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path / "c", barrel_campaign(), 5 * SLOW) as made:
        yield made


def ended(answer: Message) -> PlanEnded:
    assert isinstance(answer, PlanEnded), answer
    return answer


def measuring(made: Crew) -> bool:
    """Whether a run has begun, by what is on disk."""
    return any("start" in p.read_text() for p in (made.launch.directory / FOLDER).glob("*.jsonl"))


def test_a_plan_is_run_once_and_told_again_by_whoever_comes_after(quick):
    first = ended(quick.engine.call(quick.experiment(), PATIENCE_S, id=NAME))
    quick.kill("engine")
    quick.start("engine")
    again = ended(quick.engine.call(quick.experiment(), PATIENCE_S, id=NAME))

    assert (first.reason, first.lost) == ("", False)
    assert again == first
    (run,) = first.runs
    assert read_run(quick.launch.directory, run)[0][1]["experiment_id"] == "e-1"
    assert len(list((quick.launch.directory / FOLDER).iterdir())) == 1
    assert first.writes

    # It ended on disk, but the engine died before it could say so: it is adopted.
    with sqlite3.connect(quick.launch.directory / FILE) as log:
        log.execute("UPDATE requests SET answer = NULL")
    log.close()
    quick.kill("engine")
    quick.start("engine")
    adopted = ended(quick.engine.call(quick.experiment(), PATIENCE_S, id=NAME))

    assert (adopted.runs, adopted.lost) == (first.runs, False)
    assert quick.engine.call(AwaitConditions(head=quick.head), PATIENCE_S) == Held(yes=True)


def test_a_plan_that_an_engine_died_of_is_lost_and_not_run_again(slow):
    cut = slow.engine.post(slow.experiment(), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    slow.kill("engine")
    slow.start("engine")

    lost = ended(cut.result(PATIENCE_S))

    assert lost.lost
    assert "died" in lost.reason
    asked = Recover(suggestion=slow.suggestion(), experiment_id="e-1", attempt=1)
    answer = slow.engine.call(asked, PATIENCE_S)
    assert isinstance(answer, Failed)
    assert answer.lost
    assert len(list((slow.launch.directory / FOLDER).iterdir())) == 1


def test_the_first_interrupt_waits_for_a_checkpoint_and_the_second_does_not(slow):
    going = slow.engine.post(slow.experiment(), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    slow.send("engine", signal.SIGINT)
    until(lambda: "the plan ends at its checkpoint" in slow.log("engine"), "it to be heeded")
    slow.engine.call(StopPlan(reason="x"), PATIENCE_S)
    assert not going.done()
    slow.send("engine", signal.SIGINT)

    stopped = ended(going.result(PATIENCE_S))

    assert stopped.interrupted
    assert "interrupted" in stopped.reason or stopped.reason == "x"
    assert "the plan ends at once" in slow.log("engine")
    assert slow.processes["engine"].poll() is None


def armed_at(experiment: Message, at: float) -> Message:
    return experiment.model_copy(update={"armed": at})


def test_a_trip_ends_what_was_armed_before_it_and_is_nobodys_wish(slow):
    armed = time.monotonic()
    going = slow.engine.post(armed_at(slow.experiment(), armed), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    trip = Tripped(at=time.monotonic(), ours=True, reason="the controller hung")
    slow.engine.call(trip, PATIENCE_S)

    stopped = ended(going.result(PATIENCE_S))

    assert (stopped.lost, stopped.interrupted) == (True, False)
    assert stopped.reason == "the controller hung"


def test_news_of_a_trip_that_come_late_end_nothing_that_was_armed_since(quick):
    trip = Tripped(at=time.monotonic(), ours=True, reason="the former engine died")
    armed = time.monotonic()
    going = quick.engine.post(armed_at(quick.experiment(), armed), id=NAME)
    quick.engine.call(trip, PATIENCE_S)

    finished = ended(going.result(PATIENCE_S))

    assert (finished.reason, finished.lost) == ("", False)


def test_a_plan_that_was_armed_before_a_trip_ends_as_it_begins(slow):
    armed = time.monotonic()
    trip = Tripped(at=time.monotonic(), ours=False, reason="exhaust: too low")
    slow.engine.call(trip, PATIENCE_S)

    stopped = ended(slow.engine.call(armed_at(slow.experiment(), armed), PATIENCE_S, id=NAME))

    assert (stopped.reason, stopped.lost, stopped.interrupted) == ("exhaust: too low", False, False)


def test_an_engine_that_is_asked_to_end_ends_its_plan_and_says_how(slow):
    going = slow.engine.post(slow.experiment(), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    slow.send("engine", signal.SIGTERM)

    stopped = ended(going.result(PATIENCE_S))

    assert stopped.interrupted
    assert "SIGTERM" in stopped.reason
    assert slow.ended("engine") == 0
    (path,) = (slow.launch.directory / FOLDER).iterdir()
    name, document = read_file(path)[-1]
    assert (name, document["exit_status"]) == ("stop", "abort")


def test_an_engine_that_stood_still_goes_on(slowish):
    going = slowish.engine.post(slowish.experiment(), id=NAME)
    until(lambda: measuring(slowish), "the plan to run")
    slowish.send("engine", signal.SIGSTOP)
    pid = slowish.processes["engine"].pid
    until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "T", "the engine to stop")
    slowish.send("engine", signal.SIGCONT)

    finished = ended(going.result(PATIENCE_S))

    assert not finished.reason or finished.lost
    assert slowish.processes["engine"].poll() is None


def test_an_exposure_during_which_the_ioc_dies_is_no_success(slow):
    going = slow.engine.post(slow.experiment(), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    slow.kill("twin")

    failed = ended(going.result(PATIENCE_S))

    assert failed.reason


def test_a_plan_that_lost_its_gate_is_lost(slow):
    going = slow.engine.post(slow.experiment(), id=NAME)
    until(lambda: measuring(slow), "the plan to run")
    slow.kill("gate")

    lost = ended(going.result(PATIENCE_S))

    assert lost.lost
    assert (slow.launch.directory / "gate.armed").exists()
