"""However a campaign ends: the final plan runs, nothing is told wrong, and it can go on."""

import os
import shutil
import signal
import sqlite3
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import pytest

from controller.anchors import require_whole
from controller.bench.bench import EngineBench, Precheck
from controller.clock import VIRTUAL_START
from controller.documents import DocumentWriter, read_file
from controller.errors import EngineError, JournalBroken, JournalUnwritable
from controller.events import (
    CampaignStopped,
    ExperimentAbandoned,
    ExperimentFinished,
    ExperimentStarted,
    FinalPlanRan,
    SuggestionCleared,
)
from controller.interrupts import held_back
from controller.journal import Journal, Record, read
from controller.loop import Loop
from controller.safety.envelope.envelope import Envelope, Limit
from controller.terms import Stop
from instruments.effects import Effect
from tests.controller.test_loop import Died, of_kind, resume, run, told
from tests.support.benches import copper_bench
from tests.support.campaigns import copper_campaign
from tests.support.waiting import until

ENVELOPE = Envelope("test", {"furnace.setpoint": Limit(20, 850), "o2.setpoint": Limit(0, 10)})


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def bench(tmp_path):
    with copper_bench(tmp_path, ENVELOPE) as bench:
        yield bench


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "campaign"
    run(copper_campaign(), directory)
    return directory


def causes_in_a_circle() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def cancelled() -> None:
    import asyncio

    raise asyncio.CancelledError


def plan_that(does: Any) -> Any:
    yield from bps.null()
    does()


@pytest.mark.parametrize("does", [causes_in_a_circle, cancelled])
def test_a_plan_that_ends_oddly_has_failed(bench, does):
    outcome = bench.run(plan_that(does))

    assert not outcome.succeeded
    assert outcome.reason
    assert bench.run(bps.null()).succeeded


@pytest.mark.parametrize("first", [bps.null, bps.clear_checkpoint])
def test_a_plan_that_pauses_itself_has_failed_and_interrupts_nobody(bench, first):
    def plan():
        yield from first()
        yield from bps.pause()

    outcome = bench.run(plan())

    assert "paused itself" in outcome.reason
    assert bench.run(bps.null()).succeeded


@pytest.mark.filterwarnings("ignore:Exception in thread bluesky-run-engine")
def test_a_device_that_ends_the_loop_is_noticed_and_hangs_nobody(bench):
    with pytest.raises(EngineError, match="event loop is dead"):
        bench.run(plan_that(lambda: sys.exit(3)))
    with pytest.raises(EngineError, match="event loop is dead"):
        bench.run(iter(()))


@pytest.mark.parametrize("fails", [False, True])
def test_a_move_that_nobody_waits_for_does_not_let_time_pass_between_plans(bench, fails):
    def plan():
        yield from bps.abs_set(bench.station.furnace, 300.0)
        yield from bps.sleep(5)
        yield from bps.mv(bench.station.o2, 99.0 if fails else 0.0)

    assert bench.run(plan()).succeeded is not fails
    after = bench.clock.monotonic()
    time.sleep(0.05)

    assert bench.clock.monotonic() == after
    bench.run(bps.sleep(10))
    assert bench.clock.monotonic() == after + 10


def test_interrupts_that_were_held_back_come_after(capsys):
    done = []
    with pytest.raises(KeyboardInterrupt):
        with held_back():
            with held_back() as inner:
                interrupt()
                done.append(inner.count)
            done.append("after")

    assert done == [1, "after"]
    with held_back() as interrupts:
        interrupt()
        interrupts.count = 0


@pytest.mark.parametrize("kind", [ExperimentStarted, ExperimentFinished, FinalPlanRan])
def test_an_interrupt_while_a_record_is_written_cuts_nothing_in_two(
    tmp_path, uninterrupted, monkeypatch, kind
):
    append = Journal.append

    def interrupted(journal: Journal, stamp: float, event: Any) -> Record:
        record = append(journal, stamp, event)
        if isinstance(event, kind):
            monkeypatch.undo()
            interrupt()
        return record

    monkeypatch.setattr(Journal, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(copper_campaign(), tmp_path / "c")
    finals = len(of_kind(tmp_path / "c", FinalPlanRan))

    resume(tmp_path / "c")

    assert finals == 1
    assert len(of_kind(tmp_path / "c", ExperimentFinished)) == 3
    assert of_kind(tmp_path / "c", CampaignStopped)[-1].reason == Stop.EXPERIMENTS


def interrupted_in(monkeypatch: Any, method: str, times: int) -> None:
    """Interrupt the first plan that *method* of the bench runs, *times*, each one noticed."""
    original = getattr(EngineBench, method)

    engines: list[Any] = []

    def patched(self: EngineBench, *arguments: Any) -> Any:
        engines.append(self._engine)
        start = self._world.hooks.start
        hooks = type(self._world.hooks)(lambda: (start(), rings()), self._world.hooks.stop)
        monkeypatch.setattr(EngineBench, method, original)
        world, self._world = self._world, type(self._world)(hooks, self._world.snapshot)
        try:
            return original(self, *arguments)
        finally:
            self._world = world

    def rings() -> None:
        patience = engines[0]._patience
        for number in range(1, times + 1):
            interrupt()
            until(lambda n=number: patience._interrupts.count >= n, "it to be noticed")
        until(lambda: patience.over or (times == 1 and patience._warned), "all to be heeded")

    monkeypatch.setattr(EngineBench, method, patched)


def test_an_interrupt_stops_an_experiment_and_leaves_the_bench_safe(tmp_path, monkeypatch):
    interrupted_in(monkeypatch, "experiment", 3)

    with pytest.raises(KeyboardInterrupt):
        run(copper_campaign(), tmp_path / "c")

    last = read(tmp_path / "c")[-1].event
    assert isinstance(last, FinalPlanRan)
    assert last.succeeded
    assert len(of_kind(tmp_path / "c", ExperimentFinished)) == 0
    assert resume(tmp_path / "c").loop.state.stop_reason == Stop.EXPERIMENTS


def test_one_interrupt_does_not_stop_the_final_plan(tmp_path, monkeypatch, caplog):
    interrupted_in(monkeypatch, "final", 1)

    run(copper_campaign(), tmp_path / "c")

    (ran,) = of_kind(tmp_path / "c", FinalPlanRan)
    assert ran.succeeded


def test_two_interrupts_stop_the_final_plan_and_it_runs_when_resumed(tmp_path, monkeypatch):
    interrupted_in(monkeypatch, "final", 2)
    with pytest.raises(KeyboardInterrupt):
        run(copper_campaign(), tmp_path / "c")

    session = resume(tmp_path / "c")

    first, second = of_kind(tmp_path / "c", FinalPlanRan)
    assert not first.succeeded
    assert "interrupted by the operator" in first.reason
    assert second.succeeded
    assert session.loop.state.final_failure == ""


def test_a_final_plan_that_failed_is_tried_again_when_resumed(tmp_path):
    too_cold = {"name": "make_safe_and_cool", "arguments": {"temperature": 10.0}}

    failed = run(copper_campaign(**{"finally": too_cold}), tmp_path / "c")
    again = resume(tmp_path / "c")

    assert "furnace.setpoint: asked for 10.0" in failed.loop.state.final_failure
    assert len(of_kind(tmp_path / "c", FinalPlanRan)) == 2
    assert again.loop.state.final_failure


@pytest.mark.parametrize("part", ["ask", "reduce", "tell", "listener"])
def test_an_error_in_any_part_runs_the_final_plan_first(tmp_path, monkeypatch, part):
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError(part)

    def listen(record: Record, _state: Any) -> None:
        if part == "listener" and isinstance(record.event, ExperimentFinished):
            fail()

    def break_it(loop: Loop, *arguments: Any) -> None:
        if part != "listener":
            owner = loop._parts.reducer if part == "reduce" else loop._parts.agent
            monkeypatch.setattr(owner, part, fail)
        return experiment(loop, *arguments)

    experiment = Loop._experiment
    monkeypatch.setattr(Loop, "_experiment", break_it)
    with pytest.raises(ZeroDivisionError):
        run(copper_campaign(), tmp_path / "c", listen)
    monkeypatch.undo()

    assert read(tmp_path / "c")[-1].event.kind == "final_plan_ran"
    assert resume(tmp_path / "c").loop.state.stop_reason == Stop.EXPERIMENTS


def test_an_agent_that_cannot_be_told_on_resuming_runs_the_final_plan(tmp_path, monkeypatch):
    from agents.sobol import SobolAgent

    def die(record: Record, _state: Any) -> None:
        if record.sequence == 9:
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)
    monkeypatch.setattr(SobolAgent, "tell", lambda *_: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        resume(tmp_path / "c")

    assert read(tmp_path / "c")[-1].event.kind == "final_plan_ran"


def test_documents_that_cannot_be_written_do_not_keep_the_bench_unsafe(tmp_path, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DocumentWriter, "_write", full)
    with pytest.raises(JournalUnwritable, match="No space left"):
        run(copper_campaign(), tmp_path / "c")
    monkeypatch.undo()

    assert read(tmp_path / "c")[-1].event.succeeded
    assert resume(tmp_path / "c").loop.state.stop_reason == Stop.EXPERIMENTS


def test_a_journal_that_cannot_be_written_says_that_the_final_plan_could_not_run(
    tmp_path, monkeypatch
):
    def fill(record: Record, _state: Any) -> None:
        if isinstance(record.event, SuggestionCleared):
            monkeypatch.setattr("controller.chain.Chain.append", full)

    def full(*_: Any) -> Any:
        raise JournalUnwritable("no space")

    with pytest.raises(JournalUnwritable) as caught:
        run(copper_campaign(), tmp_path / "c", fill)

    assert "the final plan could not run" in caught.value.__notes__[0]


def late(monkeypatch: Any) -> None:
    monkeypatch.setattr(Precheck, "in_time", lambda *_: False)


def test_an_experiment_in_flight_is_not_repeated_when_it_could_not_end_in_time(
    tmp_path, monkeypatch
):
    def die(record: Record, _state: Any) -> None:
        if isinstance(record.event, ExperimentStarted):
            raise Died

    until = (VIRTUAL_START + timedelta(days=9)).isoformat()
    with pytest.raises(Died):
        run(copper_campaign(until=until), tmp_path / "c", die)
    late(monkeypatch)

    session = resume(tmp_path / "c")

    (abandoned,) = of_kind(tmp_path / "c", ExperimentAbandoned)
    assert abandoned.reason == session.loop.state.stop_reason == Stop.UNTIL
    assert len(of_kind(tmp_path / "c", ExperimentStarted)) == 1
    assert of_kind(tmp_path / "c", FinalPlanRan)[-1].succeeded


def test_what_was_cleared_long_ago_is_not_started_when_it_could_not_end_in_time(
    tmp_path, monkeypatch
):
    def cleared(record: Record, _state: Any) -> None:
        if isinstance(record.event, SuggestionCleared):
            late(monkeypatch)

    session = run(copper_campaign(), tmp_path / "c", cleared)

    assert session.loop.state.stop_reason == Stop.UNTIL
    assert of_kind(tmp_path / "c", ExperimentStarted) == []


@pytest.mark.parametrize("effect", Effect)
def test_an_experiment_in_flight_is_repeated_only_if_its_effect_allows(
    tmp_path, monkeypatch, effect
):
    monkeypatch.setattr(EngineBench, "effect", property(lambda _self: effect))

    def die(record: Record, _state: Any) -> None:
        if isinstance(record.event, ExperimentStarted):
            raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)

    state = resume(tmp_path / "c").loop.state

    again = effect in (Effect.READ_ONLY, Effect.REPEATABLE)
    assert state.stop_reason == (Stop.EXPERIMENTS if again else Stop.UNDECIDED)
    assert state.final_done


def test_stopped_after_its_first_event_it_goes_on_as_if_it_had_not_been(uninterrupted, tmp_path):
    def die(_record: Record, _state: Any) -> None:
        raise Died

    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c", die)

    resume(tmp_path / "c")

    assert told(tmp_path / "c") == told(uninterrupted)


def test_ended_before_its_first_event_it_is_begun_again(uninterrupted, tmp_path, monkeypatch):
    def die(*_: Any) -> None:
        raise Died

    monkeypatch.setattr(Journal, "append", die)
    with pytest.raises(Died):
        run(copper_campaign(), tmp_path / "c")
    monkeypatch.undo()
    with pytest.raises(JournalBroken, match="Begin it again"):
        resume(tmp_path / "c")

    run(copper_campaign(), tmp_path / "c")

    assert told(tmp_path / "c") == told(uninterrupted)


def test_every_start_document_carries_the_head_of_the_journal(uninterrupted):
    hashes = {record.hash: record.event for record in read(uninterrupted)}

    for path in (uninterrupted / "documents").iterdir():
        head = read_file(path)[0][1]["journal_head"]
        assert isinstance(hashes[head], ExperimentStarted)


@pytest.mark.parametrize(
    ("file", "table"), [("journal.sqlite", "events"), ("gate.sqlite", "writes")]
)
def test_records_missing_from_the_end_are_noticed(uninterrupted, tmp_path, file, table):
    directory = Path(shutil.copytree(uninterrupted, tmp_path / "cut"))
    require_whole(directory, read(directory))
    connection = sqlite3.connect(directory / file)
    with connection:
        connection.execute(f"DELETE FROM {table} WHERE sequence > 8")
    connection.close()

    with pytest.raises(JournalBroken, match="records are missing from its end"):
        resume(directory)
