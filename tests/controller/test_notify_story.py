"""What of the journal and of the gate's record people are told."""

from agents.protocols import Observation, Quality
from controller.events import (
    BenchHeld,
    BenchWentOn,
    CampaignResumed,
    CampaignStopped,
    ObservationMade,
    PointAwaited,
    PointProposed,
)
from controller.files.notifying import Severity, Topic
from controller.journal import Record
from controller.notify.notices import Notice, Over
from controller.notify.story import Story
from controller.state import CampaignState
from controller.terms import Stop, Terms
from models.values import Verdict
from tests.support.days import YIELD


class Told:
    """A story and its records, numbered as they come."""

    def __init__(self, no_progress_s=None):
        self.story = Story("/runs/c", no_progress_s)
        self.number = 0
        self.state = CampaignState(Terms(objectives=(YIELD,)))

    def say(self, event, stamp=0.0, **state):
        from dataclasses import replace

        self.number += 1
        self.state = replace(self.state, **state)
        return list(self.story.journal(Record(self.number, stamp, event, ""), self.state))


def step(what, state, cause=None, by="", acknowledged=False):
    trip = {"cause": None if cause is None else {"kind": "rule", "reason": cause, "rule": "r"}}
    return {
        "kind": "step",
        "input": what,
        "standing": {"state": state, "acknowledged": acknowledged},
        "trip": trip,
        "by": by,
        "reason": "",
    }


def test_a_trip_is_told_once_until_it_is_reset_and_an_acknowledgement_answers_it():
    story = Story("/runs/c")
    said = [
        step("trip", "safing", "too hot"),
        step("reached", "latched", "too hot"),
        step("trip", "latched", "too hot"),
        step("acknowledge", "latched", "too hot", by="anna"),
        step("reset", "disarmed", by="bo"),
        step("trip", "safing", "too cold"),
    ]

    told = [list(story.gate(i, one)) for i, one in enumerate(said, start=1)]

    (first,) = told[0]
    assert (first.id, first.topic, first.severity) == ("trip 1", Topic.TRIP, Severity.ALARM)
    assert first.subject == "TRIPPED: r: too hot"
    assert told[1] == told[2] == []
    assert told[3] == [Over(id="trip 1", how="acknowledged by anna")]
    assert told[4] == [Over(id="trip 1", how="reset by bo")]
    assert told[5][0].id == "trip 6"


def test_a_bench_that_is_not_safe_is_told_with_what_is_not():
    failed = {"kind": "safe", "reason": "x", "reached": [], "failed": {"furnace": "stuck"}}

    (notice,) = Story("/runs/c").gate(9, failed)

    assert notice.severity is Severity.ALARM
    assert notice.text == "furnace: stuck"


def test_a_gate_that_finds_the_bench_armed_after_its_death_is_told_as_a_trip():
    found = {**step("", "safing", "the gate died"), "kind": "started", "marker": True}

    (notice,) = Story("/runs/c").gate(3, found)

    assert notice.id == "trip 3"


def test_a_hold_is_told_and_over_when_it_went_on():
    told = Told()

    (notice,) = told.say(BenchHeld(reason="visitors"))
    again = told.say(BenchHeld(reason="visitors"))
    over = told.say(BenchWentOn(waited_s=120.0))

    assert (notice.topic, notice.subject) == (Topic.HOLD, "the bench holds: visitors")
    assert again == []
    assert over == [Over(id=notice.id, how="it went on after 2 min 0 s")]


def test_a_rejected_measurement_that_waits_for_a_word_is_told_until_somebody_says_it():
    told = Told()
    quality = Quality(verdict=Verdict.REJECTED, reasons=("unlike anything",))
    seen = Observation("e1234567890", {"x": 1.0}, {}, quality=quality)

    (notice,) = told.say(
        ObservationMade(observation=seen), questioned=seen.experiment, observations=(seen,)
    )
    stopped = told.say(CampaignStopped(reason=Stop.QUESTIONED))
    over = told.say(CampaignResumed(), questioned="")

    assert notice.topic is Topic.WORD
    assert notice.text == "experiment e1234567 at x 1: unlike anything"
    assert "heliostat explain /runs/c" in notice.wants
    assert stopped == []
    assert over == [Over(id=notice.id, how="it goes on")]


def test_a_point_that_is_waited_for_is_told_until_a_person_gives_one():
    told = Told()

    (notice,) = told.say(PointAwaited())
    over = told.say(PointProposed(parameters={"x": 1.0}, person="anna", reason="try it"))

    assert notice.topic is Topic.WORD
    assert over == [Over(id=notice.id, how="anna: try it")]


def test_the_goal_and_other_ends_are_told_and_ill_ones_as_alarms():
    (goal,) = Told().say(CampaignStopped(reason=Stop.GOAL))
    (spent,) = Told().say(CampaignStopped(reason=Stop.EXPERIMENTS))
    (ill,) = Told().say(CampaignStopped(reason=Stop.FAILURES))

    assert (goal.topic, goal.severity, goal.wants) == (Topic.GOAL, Severity.INFO, "")
    assert (spent.topic, spent.severity) == (Topic.END, Severity.INFO)
    assert (ill.severity, ill.wants != "") == (Severity.ALARM, True)


def test_no_progress_is_told_once_until_something_is_measured():
    told = Told(no_progress_s=100.0)
    told.say(CampaignResumed(), stamp=1000.0)

    early = list(told.story.quiet(1099.0))
    (late,) = told.story.quiet(1100.0)
    later = list(told.story.quiet(1200.0))
    seen = Observation("e1", {"x": 1.0}, {})
    over = told.say(ObservationMade(observation=seen), stamp=1300.0)
    (again,) = told.story.quiet(1400.0)

    assert early == later == []
    assert late.topic is Topic.NO_PROGRESS
    assert over == [Over(id=late.id, how="it goes on")]
    assert again.id != late.id


def test_nothing_is_missed_of_a_campaign_that_has_ended():
    told = Told(no_progress_s=100.0)
    told.say(CampaignResumed(), stamp=0.0)
    told.say(CampaignStopped(reason=Stop.GOAL), stamp=1.0)

    assert list(told.story.quiet(1e6)) == []
    assert list(told.story.cut_off()) == []


def test_a_campaign_whose_supervisor_died_is_told_as_cut_off():
    told = Told()
    told.say(CampaignResumed())

    (notice,) = told.story.cut_off()

    assert isinstance(notice, Notice)
    assert notice.severity is Severity.ALARM
    assert "heliostat resume /runs/c" in notice.wants


def test_the_same_records_give_the_same_notices():
    def notices():
        told = Told()
        return told.say(BenchHeld(reason="a")) + told.say(CampaignStopped(reason=Stop.LOST))

    assert notices() == notices()
