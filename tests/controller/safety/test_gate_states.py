"""The gate from state to state: what leads where, what is done on the way, and what is told."""

import asyncio
import errno
import json

import pytest

from controller.errors import Held, JournalUnwritable, Latched, NotAllowed, NotArmed, WriteRefused
from controller.safety.envelope.declared import StandingRelease
from controller.safety.envelope.specs import Budget, Reaction, Requires
from controller.safety.gate.watching import SYNC_S
from controller.safety.states.causes import Cause, CauseKind
from tests.support.gated import OFFICER, OPERATOR, OTHER, VIEWER, paper_bench
from tests.support.rules import said

EXHAUST = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"))
SLOW = Requires(name="slow", requires=said("exhaust.flow > 4 L/min"), reaction=Reaction.HOLD)


@pytest.fixture
def bench(tmp_path):
    with paper_bench(tmp_path, EXHAUST, SLOW) as bench:
        yield bench


def failing(_descriptor):
    raise OSError(errno.EIO, "the disk is broken")


def tripped(bench):
    bench.runs()
    bench.write("furnace.setpoint", 300.0)
    bench.show(exhaust__flow=1.0)


def test_a_gate_that_was_never_armed_lets_safe_values_pass_and_nothing_else(bench):
    with pytest.raises(NotArmed, match="not armed"):
        bench.write("furnace.setpoint", 50.0)
    bench.write("furnace.setpoint", 40.0)

    assert bench.state == "disarmed" and not bench.armed


def test_armed_it_runs_as_soon_as_controller_and_engine_are_there(bench):
    bench.arm()
    assert bench.state == "armed" and bench.armed
    with pytest.raises(NotArmed, match="no sign of life of controller and engine"):
        bench.write("o2.setpoint", 1.0)
    bench.do(bench.gate.renew, "controller")
    assert bench.state == "armed"
    bench.do(bench.gate.renew, "engine")

    assert bench.state == "running"
    bench.write("o2.setpoint", 1.0)
    assert bench.values["o2.setpoint"] == 1.0


def test_nobody_else_can_hold_a_lease(bench):
    with pytest.raises(KeyError):
        bench.do(bench.gate.renew, "console")


def test_a_campaign_that_ends_leaves_the_bench_as_it_is_and_takes_the_marker_away(bench):
    bench.runs()
    bench.write("furnace.setpoint", 300.0)
    bench.do(bench.gate.release, "controller")
    assert bench.state == "armed"
    bench.do(bench.gate.disarm)

    assert bench.state == "disarmed" and not bench.armed
    assert bench.values["furnace.setpoint"] == 300.0


def test_a_broken_rule_trips_makes_safe_and_latches(bench):
    tripped(bench)
    assert bench.state == "safing"
    bench.safe()

    assert bench.state == "latched" and bench.armed
    assert bench.values["furnace.setpoint"] == 40.0
    status = bench.gate.status()
    assert (status.cause.kind, status.cause.rule) == ("rule", "exhaust")
    assert set(status.safe_reached) == {
        "furnace.setpoint",
        "h2.setpoint",
        "shutter.command",
        "he.setpoint",
    }
    with pytest.raises(Latched, match=r"exhaust: .*`heliostat ack DIR`, then `heliostat reset DIR"):
        bench.write("furnace.setpoint", 300.0)
    with pytest.raises(Latched, match="exhaust"):
        bench.arm()
    with pytest.raises(Latched):
        bench.do(bench.gate.disarm)


def test_the_first_cause_stays_whatever_comes_after_it(bench):
    tripped(bench)
    bench.do(bench.gate.trip, Cause(CauseKind.PROCESS, "the engine died"))
    bench.safe()
    bench.do(bench.gate.stop, VIEWER)
    bench.safe()

    status = bench.gate.status()
    assert status.cause.rule == "exhaust"
    assert [c.kind for c in status.consequences] == ["process", "stop"]
    assert status.occurrence == 3


def test_a_latch_is_left_by_acknowledge_and_reset_with_the_cause_clear_and_by_who_may(bench):
    tripped(bench)
    bench.safe()

    with pytest.raises(NotAllowed, match="acknowledged first"):
        bench.show(exhaust__flow=5.0)
        bench.do(bench.gate.reset, OFFICER, "seen")
    with pytest.raises(NotAllowed, match=r"Vera \(viewer\) may not acknowledge"):
        bench.do(bench.gate.acknowledge, VIEWER, 1)
    with pytest.raises(NotAllowed, match="occurrence 0 isn't the last, 1 is"):
        bench.do(bench.gate.acknowledge, OPERATOR, 0)
    bench.do(bench.gate.acknowledge, OPERATOR, 1)
    with pytest.raises(NotAllowed, match="may not reset"):
        bench.do(bench.gate.reset, OPERATOR, "seen")
    bench.show(exhaust__flow=1.0)
    with pytest.raises(NotAllowed, match="exhaust"):
        bench.do(bench.gate.reset, OFFICER, "seen")
    bench.show(exhaust__flow=5.0)
    bench.do(bench.gate.acknowledge, OPERATOR, 2)
    bench.do(bench.gate.reset, OFFICER, "the fan runs again")

    assert bench.state == "disarmed" and not bench.armed
    assert bench.gate.status().released_by == "Sofia"


def test_what_comes_after_the_acknowledgement_must_be_seen_too(bench):
    tripped(bench)
    bench.safe()
    bench.show(exhaust__flow=5.0)
    bench.do(bench.gate.acknowledge, OFFICER, 1)
    bench.show(exhaust__flow=1.0)
    bench.show(exhaust__flow=5.0)

    with pytest.raises(NotAllowed, match="acknowledged first"):
        bench.do(bench.gate.reset, OFFICER, "seen")
    assert bench.gate.status().occurrence == 2


@pytest.mark.parametrize("state", ["disarmed", "armed", "running", "hold", "latched"])
def test_an_emergency_stop_latches_from_every_state(bench, state):
    reach = {
        "disarmed": lambda: None,
        "armed": bench.arm,
        "running": bench.runs,
        "hold": lambda: (bench.runs(), bench.show(exhaust__flow=3.0)),
        "latched": lambda: (tripped(bench), bench.safe()),
    }
    reach[state]()
    assert bench.state == state

    bench.do(bench.gate.stop, VIEWER)
    assert bench.state == "safing" and bench.armed
    bench.safe()

    assert bench.state == "latched"
    kinds = {c.kind for c in (bench.gate.status().cause, *bench.gate.status().consequences)}
    assert "stop" in kinds


def test_a_lease_that_lapses_makes_safe(bench):
    bench.runs()
    bench.living.discard("engine")
    bench.passes(2.5)
    assert bench.state == "running"
    bench.passes(1.0)

    bench.safe()
    assert bench.state == "latched"
    assert "no sign of life of the engine" in bench.gate.status().cause.reason


def test_a_gate_that_stood_still_itself_trips_for_nobody(bench):
    bench.runs()
    bench.run(asyncio.sleep(10.0))
    bench.show()

    assert bench.state == "running"


def test_what_breaks_because_the_gate_stood_still_has_that_as_its_first_cause(bench):
    bench.runs()
    bench.run(asyncio.sleep(10.0))
    bench.do(bench.gate.tick)

    status = bench.gate.status()
    assert (status.cause.kind, status.cause.reason) == (
        "process",
        "the gate stood still for 10.0 s",
    )
    assert [later.rule for later in status.consequences] == ["exhaust"]
    assert "not confirmed for" in status.consequences[0].reason


def test_what_follows_from_the_death_of_the_supervisor_has_that_as_its_first_cause(tmp_path):
    gone = []
    with paper_bench(tmp_path, EXHAUST, forsaken=lambda: "".join(gone)) as bench:
        bench.runs()
        gone.append("the supervisor died")
        bench.do(bench.gate.holder_died, "controller")
        bench.show(exhaust__flow=1.0)

        status = bench.gate.status()
        assert status.cause.reason == "the supervisor died"
        assert [c.rule or c.reason for c in status.consequences] == [
            "the controller died",
            "exhaust",
        ]


@pytest.mark.parametrize("pause_s", [2.0, 0.5])
def test_a_pause_in_which_nothing_can_become_unknown_is_no_cause(bench, pause_s):
    bench.runs()
    bench.run(asyncio.sleep(pause_s))
    bench.show(exhaust__flow=1.0)

    assert bench.gate.status().cause.rule == "exhaust"


def test_what_breaks_long_after_a_pause_has_a_cause_of_its_own(bench):
    bench.runs()
    bench.run(asyncio.sleep(10.0))
    bench.show()
    bench.passes(5.0)
    bench.show(exhaust__flow=1.0)

    assert bench.gate.status().cause.rule == "exhaust"


@pytest.mark.parametrize("holder", ["controller", "engine"])
def test_a_holder_that_dies_makes_safe_at_once(bench, holder):
    bench.runs()
    bench.do(bench.gate.holder_died, holder)
    bench.safe()

    assert bench.state == "latched"
    assert bench.gate.status().cause.reason == f"the {holder} died"


def test_an_orderly_end_makes_safe_and_latches_nothing(bench):
    bench.runs()
    bench.write("furnace.setpoint", 300.0)
    safed = bench.run(bench.gate.secure("asked to end"))

    assert bench.state == "disarmed" and not bench.armed
    assert not safed.failed and bench.values["furnace.setpoint"] == 40.0


def test_an_orderly_end_that_fails_latches_and_says_what_is_not_safe(bench):
    bench.runs()
    bench.pvs["furnace.setpoint"].stuck = True
    bench.values["furnace.setpoint"] = 300.0
    safed = bench.run(bench.gate.secure("asked to end"))

    assert set(safed.failed) == {"furnace.setpoint"}
    assert bench.state == "latched" and bench.armed
    status = bench.gate.status()
    assert status.cause.kind == "not safe" and "furnace.setpoint" in status.safe_failed
    with pytest.raises(Latched, match=r"NOT SAFE: furnace\.setpoint"):
        bench.write("o2.setpoint", 1.0)


def test_a_rule_that_holds_lets_nothing_new_move_and_goes_on_by_itself(bench):
    bench.runs()
    bench.show(exhaust__flow=3.0)
    assert bench.state == "hold"
    with pytest.raises(Held, match="slow"):
        bench.write("furnace.setpoint", 50.0)
    with pytest.raises(Held):
        bench.arm()
    bench.write("furnace.setpoint", 40.0)
    bench.show(exhaust__flow=5.0)

    assert bench.state == "running"
    bench.write("furnace.setpoint", 50.0)


def test_what_a_person_holds_only_a_person_lets_go(bench):
    bench.runs()
    bench.do(bench.gate.hold, "a look inside", OPERATOR)
    bench.do(bench.gate.hold, "me too", OTHER)
    bench.passes(60.0)
    assert bench.state == "hold"
    with pytest.raises(NotAllowed):
        bench.do(bench.gate.go_on, VIEWER)
    bench.show(exhaust__flow=3.0)
    with pytest.raises(NotAllowed, match="it holds yet: slow"):
        bench.do(bench.gate.go_on, OPERATOR)
    bench.show(exhaust__flow=5.0)

    assert bench.state == "running"


def test_hold_values_are_written_when_it_holds(tmp_path):
    with paper_bench(tmp_path, SLOW, envelope={"hold": {"furnace.setpoint": 200.0}}) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 300.0)
        bench.show(exhaust__flow=3.0)
        bench.run(asyncio.sleep(0.0))

        assert bench.values["furnace.setpoint"] == 200.0
        assert "furnace.setpoint was set to 200.0" in bench.gate.disturbed
        assert bench.gate.status().disturbed == bench.gate.disturbed
        bench.show(exhaust__flow=5.0)
        bench.arm()
        assert not bench.gate.status().disturbed


def test_a_hold_that_changes_nothing_leaves_the_plan_undisturbed(tmp_path):
    with paper_bench(tmp_path, SLOW, envelope={"hold": {"furnace.setpoint": 200.0}}) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 200.0)
        bench.show(exhaust__flow=3.0)
        bench.run(asyncio.sleep(0.0))

        assert bench.state == "hold"
        assert not bench.gate.status().disturbed


def test_a_budget_holds_at_its_mark_and_trips_at_its_end(tmp_path):
    budget = Budget(name="h2", at_most=6000.0, unit="", integral=said("h2.readback"))
    with paper_bench(tmp_path, budget) as bench:
        bench.runs()
        bench.values["h2.readback"] = 20.0  # 6000 after 300 s
        bench.passes(260.0)
        assert bench.state == "running"
        bench.passes(20.0)
        assert bench.state == "hold"
        bench.passes(30.0)
        bench.safe()

        assert bench.state == "latched"
        assert bench.gate.status().cause.rule == "h2"


def test_what_a_safe_sequence_reached_and_was_changed_is_written_again(bench):
    tripped(bench)
    bench.safe()
    bench.values["furnace.setpoint"] = 300.0
    bench.passes(3.0)

    assert bench.values["furnace.setpoint"] == 40.0
    assert bench.records("made safe again")[0]["signals"] == ["furnace.setpoint"]


def test_a_trip_between_judgement_and_put_stops_the_put(bench):
    bench.runs()
    permit = bench.gate.admit("furnace.setpoint", 300.0)
    bench.show(exhaust__flow=1.0)

    async def perform():
        raise AssertionError("it was put")

    with pytest.raises(Latched, match="nothing has moved"):
        bench.run(bench.gate.carry_out(permit, perform))
    assert "Latched" in bench.records("outcome")[-1]["error"]


def test_a_rule_refuses_a_write_and_nothing_trips(tmp_path):
    rule = Requires(
        name="hot", when=said("furnace.temperature > 200"), requires=said("exhaust.flow > 6 L/min")
    )
    with paper_bench(tmp_path, rule) as bench:
        bench.runs()
        with pytest.raises(WriteRefused, match="hot"):
            bench.write("furnace.setpoint", 300.0)

        assert bench.state == "running"
        assert bench.records("refusal")[-1]["signal"] == "furnace.setpoint"


def test_the_death_of_our_own_processes_is_released_by_a_standing_order_so_often(tmp_path):
    order = {"release": StandingRelease(2)}
    with paper_bench(tmp_path, EXHAUST, envelope=order) as bench:
        for _ in range(2):
            bench.runs()
            bench.do(bench.gate.holder_died, "engine")
            bench.safe()
        bench.runs()
        assert bench.state == "running"
        bench.do(bench.gate.holder_died, "engine")
        bench.safe()
        with pytest.raises(Latched, match="used 2 times within the hour"):
            bench.arm()
        bench.passes(3600.0)
        bench.runs()

        assert bench.state == "running"
        assert {r["by"] for r in bench.records("step") if r["input"] == "reset"} == {
            "standing order"
        }


def test_no_standing_order_releases_a_condition_at_the_bench_or_a_stop(tmp_path):
    with paper_bench(tmp_path, EXHAUST, envelope={"release": StandingRelease(9)}) as bench:
        tripped(bench)
        bench.safe()
        bench.show(exhaust__flow=5.0)
        with pytest.raises(Latched, match="deaths of our own processes alone"):
            bench.arm()
        bench.released()
        bench.runs()
        bench.do(bench.gate.holder_died, "engine")
        bench.do(bench.gate.stop, VIEWER)
        bench.safe()

        with pytest.raises(Latched, match="deaths of our own processes alone"):
            bench.arm()


def test_what_is_written_is_on_disk_before_the_device_has_it_and_its_outcome_soon_after(bench):
    bench.runs()
    synced = []

    async def perform() -> None:
        last = next(iter(bench.chain.links(bench.chain.synced - 1)))
        synced.append(json.loads(last.payload)["kind"])

    bench.run(bench.gate.write("o2.setpoint", 1.0, perform))
    assert synced == ["intent"]
    assert bench.records()[-1]["kind"] == "outcome"
    assert bench.chain.synced == bench.chain.length - 1

    bench.passes(2.0 * SYNC_S)

    assert bench.chain.synced == bench.chain.length


def test_a_disk_that_takes_no_more_holds_the_bench_though_only_an_outcome_was_noted(
    bench, monkeypatch
):
    bench.runs()
    bench.write("o2.setpoint", 1.0)
    monkeypatch.setattr("os.fdatasync", failing)

    bench.passes(2.0 * SYNC_S)

    assert bench.state == "hold"
    with pytest.raises(JournalUnwritable):
        bench.write("o2.setpoint", 2.0)
    assert bench.values["o2.setpoint"] == 1.0
    bench.write("furnace.setpoint", 40.0)
