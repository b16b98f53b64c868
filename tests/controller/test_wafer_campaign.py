"""The shipped campaign that maps a wafer, for a few spots."""

import pytest

from agents.phase_mapping import FEWEST, MODEL
from agents.protocols import Verdict
from controller.benches import installed
from controller.checks.checking import load
from controller.events import ExperimentFinished, ObservationMade, SuggestionMade
from controller.files.campaign import Budget
from controller.journal import read
from controller.wiring import open_session
from tests.support.campaigns import ROOT

FILE = ROOT / "config/campaigns/thin_film_library.yaml"
EXPERIMENTS = 8


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Return the events of a few spots, and what the bench shows when it is over."""
    folder = tmp_path_factory.mktemp("wafer")
    resolved = load(FILE, installed())
    campaign = resolved.campaign.model_copy(update={"budget": Budget(experiments=EXPERIMENTS)})
    resolved = resolved.model_copy(update={"campaign": campaign})
    with open_session(resolved, folder / "c", lambda _record, _state: None) as session:
        session.loop.run()
        shown = session.twin.readbacks()
    return [record.event for record in read(folder / "c")], shown


def test_every_spot_is_on_the_wafer_measured_once_and_learned_from(story):
    events, _ = story

    finished = [event for event in events if isinstance(event, ExperimentFinished)]
    made = [event.observation for event in events if isinstance(event, ObservationMade)]
    assert [event.succeeded for event in finished] == [True] * EXPERIMENTS
    assert len({tuple(o.parameters.values()) for o in made}) == EXPERIMENTS
    assert all(o.quality.verdict is not Verdict.REJECTED for o in made)
    assert all(sum(name.startswith("pattern_") for name in o.values) == 128 for o in made)


def test_after_the_first_spots_components_decide_where_the_next_one_is(story):
    events, _ = story

    models = [e.suggestion.model for e in events if isinstance(e, SuggestionMade)]

    assert models == ["sobol"] * FEWEST + [MODEL] * (EXPERIMENTS - FEWEST)


def test_the_stage_is_left_where_wafers_are_changed_and_the_shutter_closed(story):
    _, shown = story

    assert shown == {"x.readback": 50.0, "y.readback": 47.0, "shutter.open": 0.0}
