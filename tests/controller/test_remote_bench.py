"""How a plan in the engine's process ended: by itself, by the operator, or by a gate that trips."""

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from agents.protocols import Suggestion
from controller.bus.delivery import Caller
from controller.bus.gate_status import CauseTold, HoldTold, Status
from controller.bus.messages import Arm, Done, Message, PlanEnded, RunExperiment
from controller.parts import Halting, Released
from controller.plans.planning import PlannedCall
from controller.remote import bench as remote_bench
from controller.remote.bench import Lines, PlansOf, RemoteBench

RULE = CauseTold(kind="rule", rule="exhaust", reason="too low")
DIED = CauseTold(kind="process", reason="the controller hung")
STOPPED = PlanEnded(reason="exhaust: too low")
POINT = Suggestion(parameters={}, agent="a", model="m", seed=1, known=0)


@dataclass
class Peer:
    """A process that answers everything with the same."""

    answer: Message
    asked: list[Message] = field(default_factory=list)

    def post(self, message: Message, **_: Any) -> "Future[Message]":
        self.asked.append(message)
        future: Future[Message] = Future()
        future.set_result(self.answer)
        return future


def bench(ended: PlanEnded, status: Status) -> tuple[RemoteBench, Peer]:
    gate = Peer(status)
    lines = Lines(
        engine=cast("Caller", Peer(ended)),
        gate=cast("Caller", gate),
        head=str,
        receive=lambda: None,
        urgent=str,
        say=lambda _text: None,
    )
    plans = PlansOf(cast("PlannedCall", None))
    return RemoteBench(plans, Path("c"), "l", lines), gate


def status(state: str, cause: CauseTold | None = None) -> Status:
    return Status(boot="b", state=state, limits="l", occurrence=3, cause=cause)


@pytest.mark.parametrize("state", ["safing", "latched"])
def test_a_plan_that_the_gate_has_stopped_by_a_trip_is_no_interrupt_of_the_operator(state):
    remote, _ = bench(STOPPED, status(state, RULE))

    for ran in (remote.experiment(POINT, "e", 1), remote.final(1), remote.upkeep("u", 1)):
        assert not ran.interrupted
        assert ran.halt is not None
        assert ran.halt.latched
        assert ran.halt.reason == "exhaust: too low"


def test_where_the_gate_trips_because_a_process_of_ours_hung_the_plan_is_lost():
    remote, _ = bench(STOPPED.model_copy(update={"lost": True}), status("latched", DIED))

    ran = remote.experiment(POINT, "e", 1)

    assert (ran.lost, ran.interrupted, ran.halt) == (True, False, None)


def test_a_plan_that_a_trip_has_ended_is_lost_though_the_gate_was_released_meanwhile():
    remote, _ = bench(STOPPED.model_copy(update={"lost": True}), status("disarmed"))

    ran = remote.experiment(POINT, "e", 1)

    assert (ran.lost, ran.interrupted, ran.halt) == (True, False, None)


def test_a_plan_names_when_the_gate_was_asked_to_arm_for_it():
    remote, gate = bench(PlanEnded(runs=("r",)), status("running"))
    before = time.monotonic()

    remote.ready(POINT)
    asked = time.monotonic()
    remote.experiment(POINT, "e", 1)

    engine = cast("Peer", remote._lines.engine)
    (request,) = engine.asked
    assert isinstance(request, RunExperiment)
    assert before <= request.armed <= asked
    assert isinstance(gate.asked[0], Arm)


def test_a_plan_that_was_stopped_while_the_gate_stands_as_it_did_was_interrupted():
    remote, _ = bench(PlanEnded(reason="by the operator", interrupted=True), status("running"))

    with pytest.raises(KeyboardInterrupt):
        remote.experiment(POINT, "e", 1)
    assert remote.final(1).interrupted


@pytest.mark.parametrize(("try_s", "tried"), [(math.inf, False), (0.0, True)])
def test_where_only_trying_shows_whether_the_gate_arms_it_is_tried_now_and_then(
    monkeypatch, try_s, tried
):
    monkeypatch.setattr(remote_bench, "TRY_S", try_s)
    monkeypatch.setattr(remote_bench, "RELEASE_S", 0.02)
    remote, gate = bench(STOPPED, status("disarmed"))

    released = remote.await_release(Halting("not armed: commissioning", latched=False), 0.3)

    assert (released is not None) == tried
    assert len(gate.asked) > 1 or tried


def test_what_held_the_bench_and_is_over_lets_it_go_on_at_once(monkeypatch):
    monkeypatch.setattr(remote_bench, "TRY_S", math.inf)
    monkeypatch.setattr(remote_bench, "RELEASE_S", 0.0)
    held = status("disarmed").model_copy(update={"holds": (HoldTold(name="beam", reason="0"),)})
    remote, gate = bench(STOPPED, held)
    free = threading.Timer(0.1, lambda: setattr(gate, "answer", status("disarmed")))
    free.start()

    assert remote.await_release(Halting("beam: 0", latched=False), 60.0) == Released()
    free.join()


def test_a_plan_that_ended_well_counts_where_nothing_has_changed_the_bench_under_it():
    remote, _ = bench(PlanEnded(runs=("r",)), status("running"))

    assert remote.experiment(POINT, "e", 1).succeeded
    assert remote.upkeep("u", 1).succeeded


def test_what_was_measured_while_somebody_changed_the_bench_does_not_count():
    changed = status("running").model_copy(update={"disturbed": "Bo set o2.setpoint to 1.0"})
    remote, _ = bench(PlanEnded(runs=("r",)), changed)

    ran = remote.experiment(POINT, "e", 1)

    assert not ran.succeeded
    assert "Bo set o2.setpoint to 1.0" in ran.unfit
    assert ran.runs == ("r",)
    assert remote.final(1).succeeded


def test_a_gate_that_does_not_say_where_it_stands_leaves_a_plan_that_ended_well_as_it_is():
    remote, gate = bench(PlanEnded(runs=("r",)), status("running"))
    gate.answer = Done()

    assert remote.experiment(POINT, "e", 1).succeeded
