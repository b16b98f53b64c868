"""Campaigns that end by their own rules, cut off and gone on with, and recomputed."""

from typing import Any

import pytest

from controller.events import CampaignStopped
from controller.files.campaign import Campaign
from controller.files.reading import parse_yaml
from controller.files.validation import validated
from controller.journal import read
from controller.recorded.recording import recording
from controller.replay import compare
from controller.terms import Stop
from tests.controller.test_loop import Died, resume, run, told
from tests.support.campaigns import barrel_campaign

RULES = {
    "gain": ({"expected_gain_below": 1.0, "in_a_row": 2}, Stop.LITTLE_TO_GAIN),
    "regret": ({"regret_below": 14.0, "in_a_row": 2}, Stop.LITTLE_MISSED),
    "idle": ({"no_gain_in": 5}, Stop.NOTHING_GAINED),
}


def campaign(rules: dict[str, Any] | None, experiments: int = 40) -> Any:
    changes = {} if rules is None else {"stop": rules}
    return barrel_campaign("bayesian", budget={"experiments": experiments}, **changes)


@pytest.fixture(scope="module")
def unruled(tmp_path_factory):
    return run(campaign(None), tmp_path_factory.mktemp("unruled") / "c").loop.state


def points(state):
    return [suggestion.parameters for suggestion in state.suggestions.values()]


@pytest.fixture(scope="module", params=RULES)
def ended(request, tmp_path_factory):
    rules, reason = RULES[request.param]
    directory = tmp_path_factory.mktemp("ruled") / "c"
    session = run(campaign(rules), directory)
    return directory, rules, reason, session.loop.state


def test_a_campaign_ends_by_its_rule_and_no_sooner(ended, unruled):
    _, _, reason, state = ended

    assert state.stop_reason == reason
    assert 10 <= state.experiments < 40
    assert points(state) == points(unruled)[: len(points(state))]
    assert unruled.experiments == 40


def test_a_suggestion_that_promises_too_little_is_not_run(ended):
    _, _, reason, state = ended

    assert len(state.waiting) == (reason is not Stop.NOTHING_GAINED)
    assert (
        len(state.observations) == state.experiments == len(state.suggestions) - len(state.waiting)
    )


def test_what_ended_it_stands_in_the_decisions(ended):
    _, rules, reason, state = ended
    last = [s.grounds for s in state.suggestions.values() if s.grounds is not None][-2:]

    if reason is Stop.LITTLE_TO_GAIN:
        assert all(grounds.expected_gain < rules["expected_gain_below"] for grounds in last)
    elif reason is Stop.LITTLE_MISSED:
        assert all(grounds.regret_bound < rules["regret_below"] for grounds in last)
    else:
        values = [o.values[state.terms.objectives[0].name].mean for o in state.observations]
        assert max(values[-5:]) <= max(values[:-5])


def test_cut_off_anywhere_it_ends_by_the_same_rule(ended, tmp_path):
    directory, rules, _, _ = ended
    count = len(read(directory))

    for cut in (count // 3, count - 3, count - 1):

        def die(record, _state, cut=cut):
            if record.sequence == cut:
                raise Died

        with pytest.raises(Died):
            run(campaign(rules), tmp_path / str(cut), die)
        resume(tmp_path / str(cut))

        assert told(tmp_path / str(cut)) == told(directory)


def test_its_decisions_are_recomputed(ended):
    directory, _, _, state = ended

    comparison = compare(recording(directory))

    assert comparison.difference is None
    assert comparison.decisions == len(state.suggestions)


def test_once_ended_it_is_over(ended):
    directory, _, reason, _ = ended
    before = len(read(directory))

    resume(directory)

    assert len(read(directory)) == before
    assert [r.event.reason for r in read(directory) if isinstance(r.event, CampaignStopped)] == [
        reason
    ]


def test_before_so_many_are_measured_no_rule_holds(tmp_path):
    rules = {"expected_gain_below": 1e9, "in_a_row": 1, "at_least": 14}

    state = run(campaign(rules, 20), tmp_path / "c").loop.state

    assert state.experiments == 14
    assert state.stop_reason == Stop.LITTLE_TO_GAIN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stop: {}", "give `expected_gain_below`"),
        ("stop: {at_least: 12}", "give `expected_gain_below`"),
        ("stop: {expected_gain_below: 0}", "greater than 0"),
        ("stop: {regret_below: .inf}", "a number is needed"),
        ("stop: {no_gain_in: 0}", "greater than or equal to 1"),
        ("stop: {no_gain_in: 3, gain: 2}", "gain"),
        ("on_alarm: panic", "on_alarm"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text, words):
    whole = f"name: x\nbeamline: b\nbudget: {{experiments: 9}}\n{text}\n"

    found, problems = validated(Campaign, parse_yaml(whole.encode(), "f.yaml"))

    assert found is None
    assert words in " ".join(map(str, problems))
