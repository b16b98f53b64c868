"""A campaign whose agent keeps to what is safe ends for its own reason where nothing is."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.fallback import MODEL
from agents.sobol import NAME
from controller.events import CampaignStopped, Event, SuggestionMade
from controller.files.campaign import Chosen
from controller.journal import read
from controller.recorded.recording import recording
from controller.replay import compare
from controller.terms import Stop
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign
from tests.support.journals import retold

START = {"n": 6.0, "theta": 0.0, "r": 1.5, "t": 0.7}


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose verified point breaks its limit when it is measured."""
    options = {
        "outcome_constraints": [{"outcome": "toughness", "at_least": 1e6}],
        "start": [START],
    }
    resolved = barrel_campaign()
    agent = Chosen(name="safe", options=options)
    campaign = resolved.campaign.model_copy(update={"agent": agent})
    resolved = resolved.model_copy(update={"campaign": campaign})
    directory = tmp_path_factory.mktemp("safe") / "campaign"
    with open_session(resolved, directory, lambda _r, _s: None) as session:
        session.loop.run()
    return directory


def test_where_nothing_is_safe_the_campaign_ends_for_that(still):
    [stopped] = [r.event for r in read(still) if isinstance(r.event, CampaignStopped)]

    assert stopped.reason == Stop.NOTHING_SAFE
    assert "`start`" in stopped.reason


def test_that_nothing_was_safe_is_recomputed(still):
    comparison = compare(recording(still))

    assert comparison.difference is None
    assert comparison.decisions == 1


def test_a_space_filling_point_in_the_place_of_a_safe_one_is_a_difference(still, tmp_path):
    def change(event: Event) -> Event:
        if not isinstance(event, SuggestionMade):
            return event
        filling = replace(event.suggestion, agent=NAME, model=MODEL)
        return event.model_copy(update={"suggestion": filling, "digest": filling.digest("")})

    difference = compare(recording(retold(still, tmp_path / "forged", change))).difference

    assert difference is not None
    assert difference.field == "agent"
