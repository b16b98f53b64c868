"""Upkeep: when it is due, what it teaches, and what happens when it fails."""

import pytest
from pydantic import ValidationError

from controller.events import ExperimentAbandoned, ObservationMade, UpkeepRan
from controller.files.days import Upkeep
from controller.parts import Ran
from controller.terms import UNFIT_IN_A_ROW, Stop, Terms, UpkeepTerms, terms_of
from tests.support.campaigns import copper_campaign
from tests.support.days import MEASURE_S, YIELD, Clearing, days, lost, unfit

FAILED = Ran((), False, "no foil", {})


def terms(*upkeep, experiments=4, **others):
    return Terms((YIELD,), experiments=experiments, upkeep=upkeep, **others)


def order(campaign):
    """Return what was done, one letter each: upkeep, experiment."""
    return "".join(call[0][0] for call in campaign.bench.calls)


@pytest.mark.parametrize(
    ("upkeep", "expected"),
    [
        (UpkeepTerms("foil"), "ueeee"),
        (UpkeepTerms("foil", at_start=False, experiments=2), "eeuee"),
        (UpkeepTerms("foil", experiments=1), "ueueueue"),
        (UpkeepTerms("foil", experiments=3), "ueeeue"),
        (UpkeepTerms("foil", at_start=False, time_s=2 * MEASURE_S), "eeuee"),
        (UpkeepTerms("foil", at_start=False, metric="drift", above=0.5), "eeee"),
    ],
)
def test_upkeep_runs_when_it_is_due_and_never_after_the_last_experiment(tmp_path, upkeep, expected):
    with days(tmp_path, terms(upkeep)) as campaign:
        campaign.run()

    assert order(campaign) == expected


def test_its_latest_result_is_in_the_journal_and_used_from_then_on(tmp_path):
    with days(tmp_path, terms(UpkeepTerms("foil", experiments=2))) as campaign:
        campaign.run()

    shifts = [event.values["shift"].mean for event in campaign.events(UpkeepRan)]
    values = [e.observation.values["yield"].mean for e in campaign.events(ObservationMade)]
    assert shifts == [0.25, 0.5]
    assert values == [1.25, 1.25, 1.5, 1.5]


def test_what_upkeep_said_is_still_used_after_a_resumption(tmp_path):
    with days(tmp_path, terms(UpkeepTerms("foil"), experiments=1)) as campaign:
        campaign.run()

    with days(tmp_path, terms(UpkeepTerms("foil"))) as campaign:
        campaign.loop.state = clear_of_stop(campaign.loop.state)
        campaign.run()

    assert order(campaign) == "eee"
    assert campaign.state.observations[-1].values["yield"].mean == 1.25


def clear_of_stop(state):
    from dataclasses import replace

    return replace(state, stop_reason="")


def test_upkeep_that_fails_is_tried_once_more_then_noted_and_the_campaign_goes_on(tmp_path):
    foil = UpkeepTerms("foil", experiments=2)

    with days(tmp_path, terms(foil), keeping=[FAILED, FAILED]) as campaign:
        campaign.run()

    assert order(campaign) == "uueeuee"
    assert [event.succeeded for event in campaign.events(UpkeepRan)] == [False, False, True]


@pytest.mark.parametrize("ending", [FAILED, lost()])
def test_required_upkeep_that_fails_twice_stops_the_campaign(tmp_path, ending):
    foil = UpkeepTerms("foil", required=True)

    with days(tmp_path, terms(foil, final_plan="cool"), keeping=[ending, ending]) as campaign:
        campaign.run()

    assert order(campaign) == "uuf"
    assert campaign.state.stop_reason == Stop.UPKEEP


def test_a_second_try_that_succeeds_is_as_good_as_a_first(tmp_path):
    foil = UpkeepTerms("foil", required=True)

    with days(tmp_path, terms(foil), keeping=[FAILED]) as campaign:
        campaign.run()

    assert order(campaign) == "uueeee"
    assert campaign.state.stop_reason == Stop.EXPERIMENTS


def test_upkeep_without_beam_is_done_again_when_there_is_and_counts_as_no_failure(tmp_path):
    foil = UpkeepTerms("foil", required=True)

    with days(tmp_path, terms(foil), keeping=[unfit(), unfit()], dumps=3) as campaign:
        campaign.run()

    assert order(campaign) == "uaaaauaueeee"
    assert campaign.state.stop_reason == Stop.EXPERIMENTS
    assert not campaign.events(ExperimentAbandoned)


def test_a_result_that_is_told_does_not_hide_the_drift_that_was_measured(tmp_path, monkeypatch):
    from agents.protocols import Measured, Observation, Quality, Reduced
    from controller.events import ObservationTold
    from tests.support.days import ShiftingReducer

    told = Observation("elsewhere", {"x": 1.0, "n": 2}, {"yield": Measured(1, 0.1)})
    scores = Quality(scores={"drift": 0.9})
    monkeypatch.setattr(
        ShiftingReducer, "reduce", lambda *_: Reduced({"yield": Measured(1, 0.1)}, scores)
    )
    drift = UpkeepTerms("foil", at_start=False, metric="drift", above=0.5)

    with days(tmp_path, terms(drift, experiments=1)) as campaign:
        campaign.run()
        campaign.loop.record(ObservationTold(observation=told, person="P", reason="at home"))

    assert campaign.state.upkeep_due() == drift


@pytest.mark.parametrize(
    ("required", "experiments"), [(False, 4), (True, 0)], ids=["optional", "required"]
)
def test_upkeep_that_the_conditions_cut_off_without_end_has_failed(tmp_path, required, experiments):
    foil = UpkeepTerms("foil", required=required)

    with days(tmp_path, terms(foil), keeping=[unfit()] * 99) as campaign:
        campaign.run()

    assert order(campaign).count("u") == UNFIT_IN_A_ROW
    assert campaign.state.experiments == experiments


def test_upkeep_is_not_begun_when_the_experiment_after_it_could_not_end_in_time(tmp_path):
    foil = UpkeepTerms("foil", experiments=1)
    start_s = 1000.0

    with days(
        tmp_path, terms(foil, experiments=9), clearing=Clearing(start_s + 5.5 * MEASURE_S)
    ) as campaign:
        campaign.run()

    assert order(campaign) == "ueue"
    assert campaign.state.stop_reason == Stop.UNTIL


def test_a_drift_that_a_score_shows_calls_for_upkeep_once(tmp_path, monkeypatch):
    from agents.protocols import Measured, Quality, Reduced
    from tests.support.days import ShiftingReducer

    scores = iter([0.1, 0.9, 0.2, 0.3])

    def reduce(_reducer, _documents):
        return Reduced({"yield": Measured(1, 0.1)}, Quality(scores={"drift": next(scores)}))

    monkeypatch.setattr(ShiftingReducer, "reduce", reduce)
    drift = UpkeepTerms("foil", at_start=False, metric="drift", above=0.5)

    with days(tmp_path, terms(drift)) as campaign:
        campaign.run()

    assert order(campaign) == "eeuee"


def test_a_campaign_file_says_when_upkeep_is_due():
    campaign = copper_campaign(
        upkeep=[
            {
                "name": "foil",
                "plan": {"name": "xanes_step_scan"},
                "every": {"experiments": 5, "time": "2 h"},
                "when": {"metric": "drift", "above": 0.3},
                "required": True,
            }
        ]
    ).campaign

    [upkeep] = terms_of(campaign, (YIELD,)).upkeep

    assert upkeep == UpkeepTerms("foil", True, 5, 7200.0, "drift", 0.3, True)


def test_upkeep_that_is_never_due_is_refused():
    with pytest.raises(ValidationError, match="never due"):
        Upkeep.model_validate({"name": "foil", "plan": {"name": "x"}, "at_start": False})
