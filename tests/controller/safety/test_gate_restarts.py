"""A gate that dies, at whatever record, and the one after it."""

import itertools
from dataclasses import asdict, replace

import pytest

from controller.errors import JournalUnwritable, Latched
from controller.safety.envelope.declared import StandingRelease
from controller.safety.envelope.specs import Budget, Follows, Requires
from controller.safety.states.machine import Facts, Input, Standing, State, restarted, step
from controller.safety.states.marker import note_killing
from tests.support.gated import OFFICER, PaperBench, cut_to, paper_bench
from tests.support.rules import said

EXHAUST = Requires(name="exhaust", requires=said("exhaust.flow > 2 L/min"))
PUMPED = Budget(name="pumped", at_most=100.0, unit="uL", amounts="pump.volume")


def story(bench):
    """Run, pump, trip, be released, run again, end."""
    bench.runs()
    bench.write("pump.volume", 30.0)
    bench.write("furnace.setpoint", 300.0)
    bench.show(exhaust__flow=1.0)
    bench.safe()
    bench.show(exhaust__flow=5.0)
    bench.released()
    bench.runs()
    bench.write("pump.volume", 20.0)
    bench.run(bench.gate.secure("asked to end"))


def test_a_gate_killed_while_armed_makes_safe_and_latches(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 300.0)
        bench.restarts()
        assert bench.state == "safing"
        bench.safe()

        assert bench.state == "latched" and bench.armed
        assert bench.values["furnace.setpoint"] == 40.0
        status = bench.gate.status()
        assert status.cause.kind == "process"
        assert status.cause.reason == "the gate died and left the bench armed"


def test_a_gate_that_was_killed_to_stop_the_bench_leaves_who_stopped_it_as_the_cause(tmp_path):
    with paper_bench(tmp_path, EXHAUST, envelope={"release": StandingRelease(9)}) as bench:
        bench.runs()
        note_killing(tmp_path, "emergency stop by olga, whom the gate\x1b[31m didn't answer")
        bench.restarts()
        bench.safe()

        cause = bench.gate.status().cause
        assert (cause.kind, cause.reason) == (
            "stop",
            "emergency stop by olga, whom the gate\\x1b[31m didn't answer",
        )
        with pytest.raises(Latched, match="the standing release is for deaths"):
            bench.arm()
        bench.released()
        bench.runs()
        bench.restarts()
        assert "the gate died" in bench.gate.status().cause.reason


def test_who_kills_a_gate_that_was_not_armed_leaves_nothing(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        note_killing(tmp_path, "emergency stop by olga")
        bench.runs()
        bench.restarts()

        assert "the gate died" in bench.gate.status().cause.reason


def test_what_the_next_gate_has_not_heard_yet_is_no_consequence_of_the_death(tmp_path):
    slow = replace(EXHAUST, name="slow", clears_after_s=10.0)
    follows = Follows(
        name="follows", setpoint="furnace.setpoint", readback="furnace.readback", tolerance=20.0
    )
    with paper_bench(tmp_path, slow, follows) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 300.0)
        bench.silent = {"exhaust.flow", "furnace.setpoint", "furnace.readback"}
        bench.restarts()
        for heard in ("furnace.readback", "exhaust.flow", "furnace.setpoint"):
            bench.silent.discard(heard)
            bench.show()
        bench.safe()
        bench.passes(1.0)

        assert bench.gate.status().consequences == ()

        bench.show(exhaust__flow=1.0)
        assert [later.rule for later in bench.gate.status().consequences] == ["slow"]


def test_a_gate_that_ended_in_order_starts_disarmed(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        story(bench)
        bench.restarts()

        assert bench.state == "disarmed" and not bench.armed


def test_a_latch_and_its_first_cause_survive_any_number_of_restarts(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        bench.show(exhaust__flow=1.0)
        bench.safe()
        for _ in range(3):
            bench.restarts()
            bench.show(exhaust__flow=5.0)
        assert bench.state == "latched"
        assert bench.gate.status().cause.rule == "exhaust"
        with pytest.raises(Latched, match="exhaust"):
            bench.arm()
        bench.released()
        bench.runs()

        assert bench.state == "running"


def test_a_gate_killed_in_mid_sequence_begins_it_again(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 300.0)
        bench.show(exhaust__flow=1.0)
        assert bench.state == "safing"
        bench.restarts()
        assert bench.state == "safing"
        bench.safe()

        assert bench.state == "latched"
        assert bench.gate.status().cause.rule == "exhaust"
        assert bench.values["furnace.setpoint"] == 40.0


def test_wherever_the_record_ends_the_next_gate_is_safe_and_forgets_no_budget(tmp_path):
    with paper_bench(tmp_path / "whole", EXHAUST, PUMPED) as bench:
        story(bench)
        kinds = [record["kind"] for record in bench.records()]
        envelope, length = bench.envelope, bench.chain.length
        spent = list(
            itertools.accumulate(
                r["value"] for r in bench.records("intent") if r["signal"] == "pump.volume"
            )
        )
        assert spent == [30.0, 50.0]
        records = bench.records()

    for at in range(length + 1):
        folder = tmp_path / f"cut-{at}"
        cut_to(tmp_path / "whole" / "gate.sqlite", at, folder)
        before = last_state(records[:at])
        if before not in (None, "disarmed"):
            (folder / "gate.armed").touch()
        again = PaperBench(folder, envelope)
        try:
            pumped = sum(
                r["value"]
                for r in records[:at]
                if r["kind"] == "intent" and r["signal"] == "pump.volume"
            )
            (rule,) = [r for r in again.gate.status().rules if r.name == "pumped"]
            assert rule.used == pytest.approx(pumped / 100.0), (at, kinds[at - 1])
            assert again.state == expected(before), (at, kinds[at - 1])
            again.safe()
            assert again.gate.state in (State.DISARMED, State.LATCHED)
        finally:
            again.close()


def last_state(records):
    states = [r["standing"]["state"] for r in records if r["kind"] in ("step", "started")]
    return states[-1] if states else None


def expected(before):
    if before in (None, "disarmed"):
        return "disarmed"
    return "latched" if before == "latched" else "safing"


def test_a_marker_without_any_record_is_a_gate_that_died(tmp_path):
    (tmp_path / "gate.armed").touch()
    with paper_bench(tmp_path) as bench:
        assert bench.state == "safing"
        bench.safe()
        assert bench.state == "latched"


def test_a_simulated_bench_that_was_put_back_was_left_alone_by_nobody(tmp_path):
    with paper_bench(tmp_path, restored=True) as bench:
        bench.runs()
        bench.restarts()

        assert bench.state == "disarmed" and not bench.armed


def failing(bench):
    def refuse(_stamp, _payload):
        raise JournalUnwritable("the disk is full")

    bench.chain.append = refuse


def test_a_trip_and_its_safe_values_wait_for_no_disk_and_are_recorded_later(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        bench.write("furnace.setpoint", 300.0)
        working = bench.chain.append
        failing(bench)
        bench.show(exhaust__flow=1.0)
        bench.safe()
        assert bench.state == "latched" and bench.values["furnace.setpoint"] == 40.0
        bench.chain.append = working
        bench.passes(2.0)

        inputs = [r["input"] for r in bench.records("step")]
        assert inputs == ["arm", "begin", "trip", "reached"]


def test_with_a_record_that_fails_nothing_moves_but_safe_values_until_it_works_again(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        working = bench.chain.append
        failing(bench)
        for _ in range(2):
            with pytest.raises(JournalUnwritable, match="disk is full"):
                bench.write("furnace.setpoint", 300.0)
        assert bench.state == "hold"
        bench.write("furnace.setpoint", 40.0)
        bench.chain.append = working
        bench.passes(3.0)
        assert bench.state == "running"
        bench.write("furnace.setpoint", 300.0)

        assert bench.values["furnace.setpoint"] == 300.0


def test_a_disk_that_runs_full_holds_before_it_is(tmp_path):
    class Filling:
        said = ""

        def fault(self):
            return self.said

    disk = Filling()
    with paper_bench(tmp_path, disk=disk) as bench:
        bench.runs()
        disk.said = "100 MB left"
        bench.passes(2.0)
        assert bench.state == "hold"
        assert bench.gate.status().holds[0].name == "disk"
        disk.said = ""
        bench.passes(2.0)

        assert bench.state == "running"


def test_what_was_acknowledged_before_a_restart_must_be_seen_again(tmp_path):
    with paper_bench(tmp_path, EXHAUST) as bench:
        bench.runs()
        bench.do(bench.gate.stop, OFFICER)
        bench.safe()
        bench.do(bench.gate.acknowledge, OFFICER, 1)
        bench.restarts()

        assert not bench.gate.status().acknowledged


def test_the_record_can_be_replayed_through_the_table(tmp_path):
    with paper_bench(tmp_path, EXHAUST, PUMPED) as bench:
        story(bench)
        bench.runs()
        bench.restarts()
        bench.safe()
        records = [r for r in bench.records() if r["kind"] in ("step", "started")]

    standing = Standing()
    for record in records:
        if record["kind"] == "started":
            standing = restarted(standing, marker=record["marker"])[0]
        else:
            facts = Facts(**dict.fromkeys(record["facts"], True))
            taken = step(standing, Input(record["input"]), facts, record["standing"]["cause"])
            assert taken.taken, record
            standing = taken.standing
        assert asdict(standing) == record["standing"]
    assert len(records) > 10
