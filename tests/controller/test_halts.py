"""A bench that trips or holds: the campaign waits, says so, repeats what was lost, goes on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.actions import AwaitBench, next_action
from controller.bench.halts import ended_by, halting_of, is_released, what_to_do
from controller.bus.gate_status import CauseTold, HoldTold, Status
from controller.events import (
    EVENT,
    BenchHeld,
    BenchReleased,
    BenchTripped,
    BenchWentOn,
    CampaignStopped,
    ExperimentAbandoned,
    ExperimentLost,
    FinalPlanRan,
    SuggestionCleared,
    UpkeepRan,
)
from controller.journal import Record, read
from controller.outcome.progress import note_of
from controller.parts import Halting, Ran, Released
from controller.terms import LOSSES_IN_A_ROW, Stop, Terms, UpkeepTerms
from controller.verdict import Found, PlanVerdict
from instruments.effects import Effect
from tests.support.days import YIELD, days

TRIP = Halting("exhaust before hydrogen: exhaust.flow is 1.2 L/min", latched=True, occurrence=7)
HOLD = Halting("beam: ring.current is 0 mA", latched=False)
BY = Released("ana", "the hose was off")


def tripped(halting: Halting = TRIP) -> Ran:
    return Ran((), False, "refused: the gate has tripped", {}, lost=True, halt=halting)


def kinds(directory: Path, *wanted: type) -> list[Any]:
    return [r.event for r in read(directory) if isinstance(r.event, wanted)]


def test_a_tripped_attempt_is_repeated_after_the_release_and_is_nobodys_failure(tmp_path):
    with days(tmp_path, script=[tripped()], releases=[None, BY]) as campaign:
        campaign.run()

        assert campaign.bench.attempts()[:3] == [1, 2, 1]
        assert campaign.state.trips == 1
        assert campaign.state.halted is None
        assert all(one.feasible for one in campaign.state.observations)
    [trip] = kinds(tmp_path, BenchTripped)
    assert (trip.cause, trip.occurrence, trip.attempt) == (TRIP.reason, 7, 1)
    [released] = kinds(tmp_path, BenchReleased)
    assert (released.by, released.reason) == ("ana", "the hose was off")
    assert released.waited_s == 120.0
    assert not kinds(tmp_path, ExperimentLost)


def test_trips_are_not_counted_among_losses_however_many_there_are(tmp_path):
    many = 2 * LOSSES_IN_A_ROW
    with days(tmp_path, script=[tripped() for _ in range(many)], releases=[BY] * many) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
        assert campaign.bench.attempts()[:many] == list(range(1, many + 1))


def test_an_irreversible_attempt_that_was_tripped_waits_for_a_persons_word(tmp_path):
    with days(tmp_path, effect=Effect.IRREVERSIBLE, script=[tripped()], releases=[BY]) as campaign:
        campaign.run()

        assert campaign.bench.attempts() == [1]
        assert campaign.state.stop_reason == Stop.UNDECIDED
    assert kinds(tmp_path, ExperimentAbandoned)


def test_a_gate_that_is_latched_before_a_plan_lets_nothing_begin(tmp_path):
    with days(tmp_path, halting=[TRIP], releases=[BY]) as campaign:
        campaign.run()

        assert campaign.bench.calls[0] == ("await release", TRIP.reason)
    names = [r.event.kind for r in read(tmp_path)]
    assert names.index("bench_released") < names.index("experiment_started")


def test_where_nobody_can_release_it_meanwhile_the_campaign_ends_and_a_resumption_goes_on(tmp_path):
    with days(tmp_path, script=[tripped()]) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.TRIPPED
        assert "heliostat reset" in campaign.state.stop_reason
        assert isinstance(next_action(campaign.state), AwaitBench)
    with days(tmp_path) as again:
        again.run()

        assert again.state.stop_reason == Stop.TRIPPED
    assert len(kinds(tmp_path, CampaignStopped)) == 1
    with days(tmp_path, releases=[BY]) as after_reset:
        after_reset.run()

        assert after_reset.state.stop_reason == Stop.EXPERIMENTS
        assert after_reset.bench.attempts()[0] == 2
        assert len(after_reset.state.observations) == 3


def test_a_hold_goes_on_by_itself(tmp_path):
    with days(tmp_path, halting=[HOLD], releases=[Released()]) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
    assert [e.reason for e in kinds(tmp_path, BenchHeld)] == [HOLD.reason]
    assert len(kinds(tmp_path, BenchWentOn)) == 1


def test_a_hold_is_noted_once_though_the_figures_in_its_reason_pass(tmp_path):
    reason = (
        "not armed: trip: h2 ramp: furnace.readback is {} degC (over, but kept for {} s of 60 s)"
    )
    passing = [Halting(reason.format(353.6 + n, 18 + n / 10), latched=False) for n in range(5)]
    other = Halting("not armed: trip: o2 ramp: furnace.readback is 3 degC", latched=False)
    halting = [*passing, other, replace(other, reason=other.reason.replace("3", "-4.5e-3"))]
    with days(tmp_path, halting=halting, releases=[Released()] * len(halting)) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
    told = [event.reason for event in kinds(tmp_path, BenchHeld)]
    assert told == [passing[0].reason, other.reason]
    assert len(kinds(tmp_path, BenchWentOn)) == 1


def test_a_hold_that_becomes_a_trip_is_told_as_one(tmp_path):
    with days(tmp_path, halting=[HOLD, TRIP], releases=[Released(), BY]) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
    told = kinds(tmp_path, BenchHeld, BenchTripped, BenchReleased, BenchWentOn)
    assert [e.kind for e in told] == ["bench_held", "bench_tripped", "bench_released"]


def test_what_is_missing_after_the_release_holds_it_still(tmp_path):
    unready = Halting("not armed: freshness: exhaust.flow: nothing is known of it", latched=False)
    with days(tmp_path, halting=[TRIP, unready], releases=[BY, Released()]) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
    told = kinds(tmp_path, BenchHeld, BenchTripped, BenchReleased, BenchWentOn)
    assert [e.kind for e in told] == [
        "bench_tripped",
        "bench_released",
        "bench_held",
        "bench_went_on",
    ]


def test_upkeep_that_a_trip_has_ended_is_done_again(tmp_path):
    upkeep = UpkeepTerms("darks", required=True)
    terms = Terms((YIELD,), experiments=2, upkeep=(upkeep,))
    with days(tmp_path, terms, keeping=[tripped(), tripped(), tripped()], releases=[BY] * 3) as one:
        one.run()

        assert one.state.stop_reason == Stop.EXPERIMENTS
    assert [e.succeeded for e in kinds(tmp_path, UpkeepRan)] == [False, False, False, True]


def test_the_final_plan_waits_for_the_release_too(tmp_path):
    terms = Terms((YIELD,), experiments=1, final_plan="cool")
    with days(tmp_path, terms, halting=[None, TRIP], releases=[BY]) as campaign:
        campaign.run()

    assert [e.succeeded for e in kinds(tmp_path, FinalPlanRan)] == [True]
    names = [r.event.kind for r in read(tmp_path)]
    assert names[-3:] == ["bench_tripped", "bench_released", "final_plan_ran"]


def test_whoever_interrupts_the_wait_leaves_a_bench_that_was_made_safe_alone(tmp_path):
    terms = Terms((YIELD,), experiments=3, final_plan="cool")
    with days(tmp_path, terms, script=[tripped()], releases=[None]) as campaign:
        before = campaign.bench.await_release

        def interrupt(halting: Halting, patience_s: float) -> Released | None:
            before(halting, patience_s)
            raise KeyboardInterrupt

        campaign.bench.await_release = interrupt
        with pytest.raises(KeyboardInterrupt):
            campaign.run()
    assert not kinds(tmp_path, FinalPlanRan)
    with days(tmp_path, terms, releases=[BY]) as again:
        again.run()

        assert again.state.stop_reason == Stop.EXPERIMENTS
        assert again.state.final_done


def test_a_journal_from_before_trips_and_verdicts_is_read_as_it_was():
    old = {"kind": "suggestion_cleared", "version": 1, "suggestion_id": "s", "allowed": True}

    event = EVENT.validate_python(old)

    assert isinstance(event, SuggestionCleared)
    assert event.verdict is None


def test_a_verdict_travels_through_the_journal_unchanged():
    found = Found("refused", "purge", "120 s of He first", 12, 340.0)
    verdict = PlanVerdict(True, 60, 1200.0, found=(found,), unjudged=("permit: nobody knows",))
    event = SuggestionCleared(suggestion_id="s", allowed=False, reasons=("no",), verdict=verdict)

    again = EVENT.validate_python(json.loads(event.model_dump_json()))

    assert again == event
    assert "message 12" in verdict.reasons[0]
    assert "purge" in note_of(Record(1, 0.0, event, ""))


STATUS = Status(boot="b", state="latched", limits="l", occurrence=3)


def test_a_trip_by_the_death_of_our_own_process_is_a_lost_attempt_and_another_a_trip():
    died = CauseTold(kind="process", reason="the engine died")
    rule = CauseTold(kind="rule", rule="exhaust", reason="too low")

    assert ended_by(STATUS.model_copy(update={"cause": died})) is None
    assert ended_by(STATUS.model_copy(update={"cause": rule})) == Halting(
        "exhaust: too low", latched=True, occurrence=3
    )
    assert ended_by(STATUS.model_copy(update={"state": "running"})) is None


def test_a_hold_says_what_holds():
    holds = (HoldTold(name="budget", reason="90 % of the dose is used"),)
    status = STATUS.model_copy(update={"state": "hold", "holds": holds})

    assert halting_of(status).reason == "budget: 90 % of the dose is used"
    assert ended_by(status) == Halting("budget: 90 % of the dose is used", latched=False)


def test_a_latch_is_released_when_the_gate_is_anywhere_else():
    assert not is_released(STATUS)
    assert not is_released(STATUS.model_copy(update={"state": "safing"}))
    assert is_released(STATUS.model_copy(update={"state": "disarmed"}))


def test_the_operator_is_told_what_to_do_with_the_campaigns_own_directory():
    said = what_to_do(TRIP, "runs/copper")

    for command in ("heliostat ack runs/copper", "heliostat reset runs/copper --reason"):
        assert command in said
    assert "Ctrl-C" in said
    assert "goes on by itself" in what_to_do(HOLD, "runs/copper")
