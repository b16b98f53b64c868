"""Plans that hang, block, pause, are stopped, and are measured when they shouldn't."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.preprocessors import finalize_wrapper, run_decorator
from bluesky.utils import Msg
from ophyd_async.core import AsyncStatus, set_mock_value

from controller import patience
from controller.clock import VirtualClock
from controller.documents import FOLDER, DocumentWriter, finished_runs, read_file
from controller.engine import BenchHooks, Engine, PlanOutcome, Supervision
from controller.errors import EngineError, GateLost
from controller.files.conditions import Conditions, condition_of
from controller.safety.envelope.file import EnvelopeFile
from controller.seam import Ids, seam
from controller.watching import Watch, waiting
from tests.support.benches import Bench, copper_bench
from tests.support.campaigns import ENVELOPE

ENOUGH_S = 300.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with copper_bench(tmp_path, EnvelopeFile.model_validate(ENVELOPE).envelope()) as made:
        yield made


def run(bench: Bench, plan: Any, **supervision: Any) -> PlanOutcome:
    hooks = BenchHooks(bench.simulated.start, bench.simulated.stop)
    return bench.engine.run(plan, {}, hooks, Supervision(**supervision))


def test_a_plan_during_which_a_server_was_away_is_lost_however_well_it_seemed_to_end(tmp_path):
    gone = "STAGE:X had no server meanwhile"
    clock, ids = VirtualClock(), Ids()
    with seam(clock, ids):
        engine = Engine(clock, DocumentWriter(tmp_path), {}, lambda _since: gone)
        nothing = BenchHooks(lambda: None, lambda: None)
        plan = run_decorator(md={"experiment_id": "e"})(lambda: bps.sleep(1.0))

        outcome = engine.run(plan(), {}, nothing)
        engine.close()

    assert (outcome.lost, outcome.reason) == (True, gone)
    assert finished_runs(tmp_path, {"experiment_id": "e"}) == ()


class Pump:
    """Counts what it gave; each dispense takes ten seconds."""

    name, parent = "pump", None

    def __init__(self) -> None:
        self.given = 0.0
        self.began = threading.Event()

    def set(self, amount: float) -> AsyncStatus:
        self.given += amount
        self.began.set()
        return AsyncStatus(asyncio.sleep(10.0))


class Stuck:
    """Never gets there."""

    name, parent = "stuck", None

    def set(self, _value: float) -> AsyncStatus:
        return AsyncStatus(asyncio.Event().wait())


class Blocking:
    """Blocks whoever calls it until it is let go."""

    name, parent = "blocking", None

    def __init__(self) -> None:
        self.free = threading.Event()

    def set(self, _value: float) -> AsyncStatus:
        self.free.wait(ENOUGH_S)
        return AsyncStatus(asyncio.sleep(0))


class Falsely(Exception):
    """As aioca's CANothing: an exception that is false."""

    def __bool__(self) -> bool:
        return False


def test_a_move_that_never_ends_ends_with_the_time_that_the_plan_may_take(bench):
    outcome = run(bench, bps.mv(Stuck(), 1.0), limit_s=500.0)

    assert "longer than the 500 s" in outcome.reason
    assert not outcome.interrupted
    assert bench.clock.monotonic() == pytest.approx(500.0, abs=2.0)


def test_the_engine_goes_on_after_a_plan_that_took_too_long(bench):
    run(bench, bps.mv(Stuck(), 1.0), limit_s=500.0)

    assert run(bench, bps.mv(bench.station.furnace.setpoint, 50.0)).succeeded


def test_a_plan_that_is_stopped_for_its_time_cleans_up(bench):
    cleaned = []

    def clean_up() -> Iterator[Msg]:
        yield from bps.null()
        cleaned.append(True)

    run(bench, finalize_wrapper(bps.mv(Stuck(), 1.0), clean_up()), limit_s=10.0)

    assert cleaned


def test_a_clean_up_that_never_ends_is_interrupted_too(bench):
    plan = finalize_wrapper(bps.mv(Stuck(), 1.0), bps.mv(Stuck(), 2.0))

    outcome = run(bench, plan, limit_s=10.0)

    assert "longer than the 10 s" in outcome.reason
    assert bench.clock.monotonic() == pytest.approx(10.0 + patience.CLEAN_UP_S, abs=2.0)


def test_a_device_that_blocks_the_loop_is_noticed_and_nothing_waits_for_it(bench, monkeypatch):
    monkeypatch.setattr(patience, "HUNG_S", 0.5)
    monkeypatch.setattr(patience, "BEAT_S", 0.1)
    blocking = Blocking()

    with pytest.raises(EngineError, match="hangs"):
        run(bench, bps.mv(blocking, 1.0))
    with pytest.raises(EngineError, match="hangs"):
        bench.engine.call(asyncio.sleep(0))
    blocking.free.set()


def test_a_false_exception_fails_a_plan_all_the_same(bench):
    async def fail() -> None:
        raise Falsely("the IOC died")

    def plan() -> Iterator[Msg]:
        (task,) = yield Msg("wait_for", None, [fail])
        error = task.exception()
        raise error

    assert "the IOC died" in run(bench, plan()).reason


def test_a_plan_that_lost_the_gate_says_nothing_of_the_sample(bench):
    def plan() -> Iterator[Msg]:
        yield from bps.null()
        raise GateLost("nothing heard")

    assert run(bench, plan()).lost


def test_a_time_out_says_who_and_never_a_bare_cancellation(bench):
    class Slow(Pump):
        @AsyncStatus.wrap
        async def set(self, value: float) -> None:
            async def asked() -> None:
                try:
                    await asyncio.sleep(100.0)
                except asyncio.CancelledError:
                    raise asyncio.CancelledError(f"pump: asked for {value}: not done") from None

            await asyncio.wait_for(asked(), 5.0)

    reason = run(bench, bps.mv(Slow(), 7.0)).reason

    assert reason == "TimeoutError: pump: asked for 7.0: not done"


# --- pausing ------------------------------------------------------------------------------------


def dispense(pump: Pump) -> Iterator[Msg]:
    yield from bps.checkpoint()
    yield from bps.mv(pump, 10.0)
    yield from bps.checkpoint()
    yield from bps.sleep(1.0)


def test_what_an_irreversible_plan_gave_is_not_given_again_after_a_pause(bench):
    pump = Pump()

    outcome, _ = paused_and_continued(bench, dispense(pump), pump, replayable=False)

    assert outcome.succeeded
    assert pump.given == 10.0


def test_what_may_be_repeated_is_repeated_where_it_was_interrupted(bench):
    pump = Pump()

    outcome, _ = paused_and_continued(bench, dispense(pump), pump, replayable=True)

    assert outcome.succeeded
    assert pump.given == 20.0


def paused_and_continued(
    bench: Bench, plan: Iterator[Msg], pump: Pump, *, replayable: bool
) -> tuple[PlanOutcome, float]:
    """Run *plan*, pause it at once when the pump begins, go on when it has paused."""
    given = pump.set

    def pausing(amount: float) -> AsyncStatus:
        if pump.given == 0.0:
            bench.engine.pause(now=True)
        return given(amount)

    pump.set = pausing  # type: ignore[method-assign]
    helper = threading.Thread(target=go_on_when_paused, args=(bench,))
    helper.start()
    outcome = run(bench, plan, replayable=replayable)
    helper.join(ENOUGH_S)
    return outcome, pump.given


def go_on_when_paused(bench: Bench) -> None:
    until(lambda: bench.engine.paused)
    bench.engine.go_on()


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stopping(bench: Bench, *, now: bool) -> Iterator[Msg]:
    yield from bps.checkpoint()
    bench.engine.stop("enough", now=now)
    yield from bps.sleep(5.0)
    yield from bps.checkpoint()
    yield from bps.sleep(5.0)


def test_a_plan_that_is_asked_to_stop_ends_at_its_next_checkpoint(bench):
    outcome = run(bench, stopping(bench, now=False))

    assert (outcome.reason, outcome.interrupted) == ("enough", True)
    assert 5.0 <= bench.clock.monotonic() < 10.0


def test_a_plan_that_is_stopped_now_ends_where_it_is(bench):
    outcome = run(bench, stopping(bench, now=True))

    assert (outcome.reason, outcome.interrupted) == ("enough", True)
    assert bench.clock.monotonic() < 5.0


def test_a_plan_without_another_checkpoint_runs_to_its_end(bench):
    def plan() -> Iterator[Msg]:
        bench.engine.stop("enough", now=False)
        yield from bps.sleep(5.0)

    assert run(bench, plan()).succeeded


def test_a_wish_ends_with_the_plan_that_it_was_for(bench):
    run(bench, stopping(bench, now=False))

    assert run(bench, bps.checkpoint()).succeeded


def test_a_paused_plan_can_be_stopped(bench):
    def plan() -> Iterator[Msg]:
        bench.engine.pause(now=False)
        yield from bps.sleep(1.0)
        yield from bps.checkpoint()

    helper = threading.Thread(target=stop_when_paused, args=(bench,))
    helper.start()
    outcome = run(bench, plan())
    helper.join(ENOUGH_S)

    assert (outcome.reason, outcome.interrupted) == ("enough", True)


def stop_when_paused(bench: Bench) -> None:
    until(lambda: bench.engine.paused)
    bench.engine.stop("enough", now=False)


# --- measuring conditions -----------------------------------------------------------------------


def watch_of(bench: Bench, *texts: str, for_s: float = 0.0) -> Watch:
    conditions = Conditions(tuple(condition_of(text) for text in texts), for_s)
    watch = Watch(conditions, bench.station.devices())
    bench.engine.call(watch.connect())
    return watch


FLOW = "dose.accumulated < 5"


def dose(bench: Bench, value: float) -> None:
    """Let the counter show *value* until the bench's next tick."""
    set_mock_value(bench.station.dose.accumulated, value)


def expose(bench: Bench, meanwhile: Callable[[], None]) -> Iterator[Msg]:
    detector = bench.station.detector

    @run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.mv(detector.exposure, 10.0)
        yield from bps.trigger(detector, group="x")
        yield from bps.sleep(0.5)
        meanwhile()
        yield from bps.wait("x")
        yield from bps.create("primary")
        yield from bps.read(detector)
        yield from bps.save()

    yield from plan()


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Bench]:
    free = {**ENVELOPE, "free": [*ENVELOPE["free"], "detector.*"]}
    with copper_bench(tmp_path, EnvelopeFile.model_validate(free).envelope()) as made:
        yield made


def stop_of(bench: Bench) -> dict[str, Any]:
    (path,) = (bench.directory / FOLDER).glob("*.jsonl")
    name, document = read_file(path)[-1]
    assert name == "stop"
    return dict(document)


def test_an_exposure_under_good_conditions_counts(open_bench):
    outcome = run(open_bench, expose(open_bench, lambda: None), watch=watch_of(open_bench, FLOW))

    assert outcome.succeeded


def test_a_condition_that_fails_in_an_exposure_ends_the_plan_and_marks_it(open_bench):
    watch = watch_of(open_bench, FLOW)

    outcome = run(open_bench, expose(open_bench, lambda: dose(open_bench, 7.0)), watch=watch)

    assert outcome.unfit == f"{FLOW}: dose.accumulated reads 7"
    assert open_bench.clock.monotonic() < 10.0  # the exposure was not waited for
    assert "unfit" in stop_of(open_bench)["reason"]
    assert stop_of(open_bench)["exit_status"] == "abort"


def test_a_condition_that_fails_between_exposures_does_nothing(open_bench):
    def plan() -> Iterator[Msg]:
        dose(open_bench, 7.0)
        yield from bps.sleep(3.0)
        yield from expose(open_bench, lambda: None)

    assert run(open_bench, plan(), watch=watch_of(open_bench, FLOW)).succeeded


def test_what_is_read_without_a_trigger_under_bad_conditions_is_not_taken(open_bench):
    @run_decorator()
    def plan() -> Iterator[Msg]:
        yield from bps.create("primary")
        yield from bps.read(open_bench.station.dose)
        yield from bps.save()

    outcome = run(open_bench, plan(), watch=watch_of(open_bench, "dose.accumulated > 5"))

    assert outcome.unfit


def test_an_exposure_that_begins_under_bad_conditions_is_not_taken(open_bench):
    watch = watch_of(open_bench, "dose.accumulated > 5")

    outcome = run(open_bench, expose(open_bench, lambda: None), watch=watch)

    assert outcome.unfit
    assert stop_of(open_bench)["num_events"] == {}


def test_a_value_that_is_no_number_holds_no_condition(open_bench):
    watch = watch_of(open_bench, FLOW)

    plan = expose(open_bench, lambda: dose(open_bench, float("nan")))

    assert "nan" in run(open_bench, plan, watch=watch).unfit


def test_waiting_ends_once_the_conditions_have_held_without_a_break(open_bench):
    watch = watch_of(open_bench, "furnace.readback < 40", for_s=60.0)
    station = open_bench.station
    answers = []

    def plan() -> Iterator[Msg]:
        yield from bps.mv(station.furnace.setpoint, 100.0)
        yield from bps.sleep(600.0)
        hot = yield from bps.rd(station.furnace.readback)
        yield from bps.mv(station.furnace.setpoint, 25.0)
        answers.append((hot, (yield from waiting(watch, float("inf")))))
        answers.append((yield from bps.rd(station.furnace.readback)))

    assert run(open_bench, plan(), watch=watch).succeeded

    (hot, held), cold = answers
    assert hot > 90.0
    assert held
    assert cold < 40.0


def test_waiting_gives_up_when_its_patience_is_over(open_bench):
    watch = watch_of(open_bench, "furnace.readback > 400")
    answers = []

    def plan() -> Iterator[Msg]:
        answers.append((yield from waiting(watch, 300.0)))

    run(open_bench, plan(), watch=watch)

    assert answers == [False]
    assert open_bench.clock.monotonic() == pytest.approx(300.0, abs=10.0)


def test_a_wait_that_is_stopped_leaves_nothing_behind(open_bench):
    watch = watch_of(open_bench, "furnace.readback > 400")

    def plan() -> Iterator[Msg]:
        open_bench.engine.stop("enough", now=True)
        yield from waiting(watch, float("inf"))

    outcome = run(open_bench, plan(), watch=watch)

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    assert outcome.interrupted
    assert open_bench.engine.call(tasks()) == 1
