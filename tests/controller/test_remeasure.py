"""Where the reducer isn't sure, it is measured again; what it rejects may wait for a person."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from agents.protocols import Measured, Quality, Reduced, Verdict
from controller.events import (
    BenchTripped,
    ExperimentStarted,
    MeasuredAgain,
    MeasurementDoubted,
    ObservationAmended,
    ObservationMade,
    ObservationRetracted,
)
from controller.files.days import MEASURE_AGAIN, Remeasure, Upkeep
from controller.parts import Halting, Ran, Released, Sent
from controller.terms import RemeasureTerms, Stop, Terms, terms_of
from tests.support.campaigns import copper_campaign
from tests.support.days import YIELD, ShiftingReducer, days, unfit

SUSPECT = Quality(Verdict.SUSPECT, ("two phases are nearly alike",))
REJECTED = Quality(Verdict.REJECTED, ("nothing that it knows",))
FAILED = Ran((), False, "no beam", {})


def terms(at_most=1, verdicts=(Verdict.SUSPECT,), experiments=2, **others):
    again = RemeasureTerms(verdicts, at_most)
    return Terms((YIELD,), experiments=experiments, remeasure=again, **others)


def order(campaign):
    """Return what was done, one letter each: experiment, again."""
    return "".join(call[0][0] for call in campaign.bench.calls)


@pytest.fixture
def judged(monkeypatch):
    """Let each reduction have the next quality, by its run; the last one goes on."""

    def judge(*qualities):
        left = list(qualities)

        def reduce(_reducer, documents):
            quality = left.pop(0) if len(left) > 1 else left[0]
            return Reduced({"yield": Measured(len(documents[0][1]["uid"]), 0.1)}, quality)

        monkeypatch.setattr(ShiftingReducer, "reduce", reduce)

    return judge


def test_what_is_sure_at_once_is_measured_once(tmp_path, judged):
    judged(Quality())

    with days(tmp_path, terms()) as campaign:
        campaign.run()

    assert order(campaign) == "ee"


def test_a_doubtful_measurement_is_made_again_and_the_new_one_teaches(tmp_path, judged):
    judged(SUSPECT, Quality())

    with days(tmp_path, terms()) as campaign:
        campaign.run()

    first, second = (event.observation for event in campaign.events(ObservationMade))
    [doubt], [again] = campaign.events(MeasurementDoubted), campaign.events(MeasuredAgain)
    assert order(campaign) == "eae"
    assert doubt.reasons == SUSPECT.reasons
    assert first.runs == (*first.runs[:1], *again.runs)
    assert first.values["yield"].mean == len(again.runs[0])
    assert len(second.runs) == 1


def test_it_is_measured_again_as_often_as_allowed_and_then_told_as_doubtful(tmp_path, judged):
    judged(SUSPECT)

    with days(tmp_path, terms(at_most=2, experiments=1)) as campaign:
        campaign.run()

    [made] = campaign.events(ObservationMade)
    assert order(campaign) == "eaa"
    assert made.observation.quality == SUSPECT
    assert len(made.observation.runs) == 3


def test_a_verdict_that_is_not_named_is_no_reason(tmp_path, judged):
    judged(REJECTED)

    with days(tmp_path, terms(experiments=1)) as campaign:
        campaign.run()

    assert order(campaign) == "e"


@pytest.mark.parametrize("ending", [FAILED, unfit()])
def test_where_it_can_not_be_measured_again_the_first_measurement_stands(tmp_path, judged, ending):
    judged(SUSPECT)

    with days(tmp_path, terms(experiments=1), keeping=[ending]) as campaign:
        campaign.run()

    [made] = campaign.events(ObservationMade)
    assert order(campaign) == "ea"
    assert len(made.observation.runs) == 1


def test_a_crash_before_the_second_measurement_costs_it_nothing(tmp_path, judged):
    judged(SUSPECT, Quality())

    with days(tmp_path, terms(experiments=1)) as campaign:
        campaign.bench.upkeep = dies
        with pytest.raises(Killed):
            campaign.run()
    with days(tmp_path, terms(experiments=1)) as campaign:
        campaign.run()

    [made] = campaign.events(ObservationMade)
    assert order(campaign) == "a"
    assert len(made.observation.runs) == 2
    assert len(campaign.events(ExperimentStarted)) == 1


class Killed(BaseException):
    """Stands for kill -9: nothing of the loop's runs any more."""


def dies(*_about):
    raise Killed


def test_a_trip_waits_for_its_release_and_then_it_is_measured_again(tmp_path, judged):
    judged(SUSPECT, Quality())
    tripped = Halting("furnace above 850 degC", latched=True, occurrence=1)

    with days(
        tmp_path,
        terms(experiments=1),
        halting=[None, tripped, None],
        releases=[Released("P", "cold again")],
    ) as campaign:
        campaign.run()

    assert [call[0] for call in campaign.bench.calls] == ["experiment", "await release", "again"]
    assert campaign.events(BenchTripped)


def test_a_rejected_measurement_is_no_obstacle_unless_that_is_wanted(tmp_path, judged):
    judged(REJECTED)

    with days(tmp_path, terms(at_most=0)) as campaign:
        campaign.run()

    assert order(campaign) == "ee"


def test_where_it_is_to_hold_nothing_is_tried_after_a_rejected_measurement(tmp_path, judged):
    judged(REJECTED, Quality())

    with days(tmp_path, terms(at_most=0, hold_on_rejected=True)) as campaign:
        campaign.run()

    assert order(campaign) == "e"
    assert campaign.state.stop_reason == Stop.QUESTIONED


def test_a_person_who_resumes_it_lets_it_go_on(tmp_path, judged):
    judged(REJECTED, Quality())
    held = terms(at_most=0, hold_on_rejected=True)

    with days(tmp_path, held) as campaign:
        campaign.run()
    with days(tmp_path, held) as campaign:
        campaign.run()

    assert order(campaign) == "e"
    assert campaign.state.experiments == 2
    assert campaign.state.stop_reason == Stop.EXPERIMENTS


@pytest.mark.parametrize("word", ["amend", "retract"])
def test_a_word_that_is_sent_while_it_waits_lets_it_go_on(tmp_path, judged, word):
    judged(REJECTED, Quality())
    taken = []

    with days(
        tmp_path,
        terms(at_most=0, hold_on_rejected=True),
        await_people=lambda _s: said(campaign, word, taken),
    ) as campaign:
        campaign.run()

    assert len(taken) == 1
    assert campaign.state.experiments == 2
    assert not campaign.state.questioned


def said(campaign, word, taken):
    about = {
        "experiment_id": campaign.state.questioned,
        "person": "P",
        "reason": "it is the cubic form",
    }
    event = (
        ObservationRetracted(**about)
        if word == "retract"
        else ObservationAmended(values={"yield": Measured(3.0, 0.1)}, **about)
    )
    campaign.sent.append(Sent(event, taken.append, pytest.fail))
    return True


def test_a_campaign_file_says_what_is_measured_again():
    campaign = copper_campaign(
        remeasure={"plan": {"name": "xanes_step_scan"}, "verdicts": ["suspect", "rejected"]},
        on_rejected="hold",
    ).campaign

    said = terms_of(campaign, (YIELD,))

    assert said.remeasure == RemeasureTerms((Verdict.SUSPECT, Verdict.REJECTED), 1)
    assert said.hold_on_rejected


def test_what_was_accepted_is_no_reason_to_measure_again():
    with pytest.raises(ValidationError, match="accepted isn't measured again"):
        Remeasure.model_validate({"plan": {"name": "x"}, "verdicts": ["accepted"]})


def test_no_upkeep_has_the_name_of_measuring_again():
    with pytest.raises(ValidationError, match="choose another name"):
        Upkeep.model_validate({"name": MEASURE_AGAIN, "plan": {"name": "x"}})


def test_terms_without_it_never_measure_again():
    assert not replace(terms(), remeasure=RemeasureTerms()).remeasure.wanted(Verdict.SUSPECT, 0)
