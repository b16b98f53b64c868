"""The shipped campaign of the microscope: a worn tip is noticed and mended, the rest follows."""

import pytest

from agents.protocols import Verdict
from controller.benches import installed
from controller.checks.checking import load
from controller.events import ObservationMade, SuggestionMade, UpkeepRan
from controller.files.campaign import Budget
from controller.journal import read
from controller.wiring import open_session
from tests.support.campaigns import ROOT

FILE = ROOT / "config/campaigns/microscope.yaml"
EXPERIMENTS = 12


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Return the events of a few looks, and the twin as it was left."""
    folder = tmp_path_factory.mktemp("microscope")
    resolved = load(FILE, installed())
    changes = {"budget": Budget(experiments=EXPERIMENTS)}
    campaign = resolved.campaign.model_copy(update=changes)
    resolved = resolved.model_copy(update={"campaign": campaign})
    with open_session(resolved, folder / "c", lambda _record, _state: None) as session:
        session.loop.run()
        pulses = session.twin.pulses
    return [record.event for record in read(folder / "c")], pulses


def observations(events):
    return [event.observation for event in events if isinstance(event, ObservationMade)]


def test_it_surveys_first_and_then_takes_loops(story):
    looks = [observation.parameters["look"] for observation in observations(story[0])]

    assert len(looks) == EXPERIMENTS
    assert looks[0] == "survey"
    assert looks.count("loop") >= EXPERIMENTS - 4


def test_a_survey_is_told_pixel_by_pixel_with_an_uncertainty(story):
    surveys = [o for o in observations(story[0]) if o.parameters["look"] == "survey" and o.values]

    assert surveys
    assert len(surveys[-1].values) == 50 * 50
    assert all(value.sigma > 0 for value in surveys[-1].values.values())


def test_what_a_bad_tip_saw_is_never_told_and_the_tip_is_mended_before_the_next_look(story):
    events, pulses = story
    bad = [
        at
        for at, event in enumerate(events)
        if isinstance(event, ObservationMade)
        and event.observation.quality.scores.get("tip_bad", 0) > 0.5
    ]
    mended = [at for at, event in enumerate(events) if isinstance(event, UpkeepRan)]
    made = [at for at, event in enumerate(events) if isinstance(event, ObservationMade)]

    assert bad
    for at in bad:
        observation = events[at].observation
        assert observation.quality.verdict is Verdict.REJECTED
        assert not observation.values
        following = [other for other in made if other > at]
        if following:
            assert any(at < upkeep < following[0] for upkeep in mended)
    assert pulses == len(mended)


def test_loops_of_a_good_tip_are_told_with_their_opening(story):
    told = [o.values["opening"] for o in observations(story[0]) if "opening" in o.values]

    assert len(told) >= 3
    assert all(0 <= value.mean < 1e-3 and value.sigma > 0 for value in told)


def test_every_suggestion_says_why(story):
    notes = [event.suggestion.note for event in story[0] if isinstance(event, SuggestionMade)]

    assert len(notes) >= EXPERIMENTS
    assert all(notes)
