"""When measuring makes sense, and what becomes of what was measured when it didn't."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import ExpressionError, UnitError
from controller.events import (
    ConditionsHeld,
    ExperimentAbandoned,
    ExperimentFinished,
    ObservationMade,
)
from controller.files.campaign import Campaign
from controller.files.conditions import condition_of
from controller.terms import UNFIT_IN_A_ROW, Stop, Terms
from instruments.effects import Effect
from tests.support.campaigns import copper_campaign
from tests.support.days import YIELD, Clearing, days, say, unfit

HOURS = 3600.0


@pytest.mark.parametrize(
    ("text", "holding", "failing"),
    [
        ("ring.current > 50 mA", [50.1, 51, np.float64(60), np.array([60.0])], [50.0, -1, 0]),
        ("ring.current >= 50", [50, 50.0], [49.999]),
        ("a.b < -1.5e-3 mbar", [-2], [-0.0015, 0]),
        ("a <= 5", [5, -math.inf], [5.1]),
        ("n == 3", [3, 3.0], [2, 4]),
        ("front_end.status == Open", ["Open"], ["Closed", "open", ""]),
        ("mode == 'In Position'", ["In Position"], ["In"]),
        ("shutter.open", [True, np.bool_(True)], [False]),
        ("shutter.open == false", [False], [True]),
    ],
)
def test_a_condition_holds_for_what_it_says_and_nothing_else(text, holding, failing):
    condition = condition_of(text)

    assert all(condition.holds(value) for value in holding)
    assert not any(condition.holds(value) for value in failing)


@pytest.mark.parametrize("text", ["a > 1", "a < 1", "a == 1", "a == Open", "a"])
@pytest.mark.parametrize(
    "value", [None, math.nan, np.nan, "", b"Open", [1.0], np.array([1.0, 2.0]), {}, object()]
)
def test_no_value_or_one_of_another_kind_never_keeps_a_condition(text, value):
    assert not condition_of(text).holds(value)


def test_true_is_no_number_and_a_number_is_no_true():
    assert not condition_of("a > 0").holds(True)
    assert not condition_of("a").holds(1)


@given(st.text())
def test_any_text_is_a_condition_or_refused_with_what_is_accepted(text):
    try:
        condition = condition_of(text)
    except ExpressionError as error:
        assert "accepted" in str(error)
    else:
        assert condition.text == text.strip()
        assert isinstance(condition.holds(3.0), bool)


def test_a_bound_is_converted_to_the_unit_of_the_signal_or_refused():
    condition = condition_of("ring.current > 50 mA")

    assert condition.given_in("A").holds(0.051)
    assert not condition.given_in("A").holds(0.049)
    assert condition.given_in("") is condition
    with pytest.raises(UnitError):
        condition.given_in("bar")


def test_a_campaign_file_says_when_to_measure():
    campaign = copper_campaign(
        measure_when={
            "all": ["ring.current > 50 mA", "front_end.status == Open"],
            "for": "2 min",
            "settle": {"name": "xanes_step_scan"},
        }
    ).campaign

    conditions = campaign.measure_when.conditions()
    assert conditions.signals == ("ring.current", "front_end.status")
    assert conditions.for_s == 120.0
    assert conditions.settle.name == "xanes_step_scan"
    assert Campaign.model_validate(campaign.model_dump(mode="json")) == campaign


def test_what_was_measured_under_bad_conditions_is_waited_for_and_measured_again(tmp_path):
    with days(tmp_path, script=[unfit()], dumps=120) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 2, 1, 1]
    [held] = campaign.events(ConditionsHeld)
    assert 2 * HOURS <= held.waited_s < 2.1 * HOURS
    observations = [event.observation for event in campaign.events(ObservationMade)]
    assert all(o.usable and "spoilt" not in o.runs for o in observations)
    assert len(observations) == 3


def test_a_beam_that_goes_again_and_again_costs_attempts_and_no_bad_observation(tmp_path):
    with days(tmp_path, script=[unfit(), unfit(), unfit()]) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 2, 3, 4, 1, 1]
    assert len(campaign.events(ConditionsHeld)) == 3
    assert len(campaign.state.observations) == 3


def test_conditions_that_never_last_stop_the_campaign_and_a_word_lets_it_go_on(tmp_path):
    with days(tmp_path, script=[unfit()] * (UNFIT_IN_A_ROW + 1)) as campaign:
        campaign.run()
    assert campaign.bench.attempts() == list(range(1, UNFIT_IN_A_ROW + 1))
    assert campaign.state.stop_reason == Stop.UNFIT
    say(tmp_path, "not_done", campaign.events(ExperimentAbandoned)[0].experiment_id)

    with days(tmp_path, script=[unfit()]) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [UNFIT_IN_A_ROW + 1, UNFIT_IN_A_ROW + 2, 1, 1]
    assert campaign.state.stop_reason == Stop.EXPERIMENTS


@pytest.mark.parametrize("effect", [Effect.IRREVERSIBLE, Effect.RECONCILABLE])
def test_what_cannot_be_repeated_is_rejected_with_the_reason_and_not_taken_for_a_bad_point(
    tmp_path, effect
):
    with days(tmp_path, script=[unfit("no beam")], effect=effect) as campaign:
        campaign.run()

    assert campaign.bench.attempts() == [1, 1, 1]
    first = campaign.events(ObservationMade)[0].observation
    assert (first.feasible, first.usable, first.values) == (True, False, {})
    assert first.quality.reasons == ("no beam",)


@pytest.mark.parametrize(
    ("terms", "clearing", "stop"),
    [
        (Terms((YIELD,), experiments=3, final_plan="cool"), Clearing(until=8200), Stop.UNTIL),
        (Terms((YIELD,), duration_s=2 * HOURS, final_plan="cool"), Clearing(), Stop.DURATION),
    ],
)
def test_it_is_not_waited_longer_than_there_is_time(tmp_path, terms, clearing, stop):
    with days(tmp_path, terms, clearing=clearing, script=[unfit()], dumps=10**6) as campaign:
        campaign.run()

    assert campaign.clock.time < 8200 + 200
    assert campaign.state.stop_reason == stop
    assert campaign.kinds()[-2:] == ["experiment_abandoned", "final_plan_ran"]


def test_an_interrupt_ends_the_waiting_and_it_is_gone_on_with(tmp_path):
    with days(tmp_path, script=[unfit()]) as campaign:
        campaign.bench.await_conditions = interrupted
        with pytest.raises(KeyboardInterrupt):
            campaign.run()

    with days(tmp_path) as campaign:
        campaign.run()

    assert campaign.bench.calls[0] == ("await",)
    assert campaign.bench.attempts() == [2, 1, 1]
    assert len(campaign.events(ExperimentFinished)) == 4


def interrupted(_patience_s):
    raise KeyboardInterrupt
