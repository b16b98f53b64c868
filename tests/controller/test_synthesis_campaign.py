"""The shipped campaign that makes a spinel, with a model that was trained for seconds."""

import pytest

from agents.protocols import Verdict
from controller.benches import installed
from controller.checks.checking import load
from controller.commands.preparing import prepare
from controller.errors import ConfigurationError
from controller.events import ExperimentFinished, MeasuredAgain, ObservationMade
from controller.files.campaign import Budget, Chosen
from controller.journal import read
from controller.wiring import open_session
from tests.support.campaigns import ROOT

FILE = ROOT / "config/campaigns/solid_state_synthesis.yaml"
EXPERIMENTS = 2


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Return the events of two experiments, every pattern of which is measured again."""
    folder = tmp_path_factory.mktemp("synthesis")
    resolved = load(FILE, installed())
    campaign = resolved.campaign
    options = {**campaign.reducer.options, "minutes": 0.01, "points": 512}
    everything = tuple(v for v in Verdict if v is not Verdict.ACCEPTED)
    changes = {
        "agent": Chosen(name="sobol"),
        "budget": Budget(experiments=EXPERIMENTS),
        "goal": None,
        "reducer": Chosen(name="phases", options=options),
        "remeasure": campaign.remeasure.model_copy(update={"verdicts": everything}),
    }
    resolved = resolved.model_copy(update={"campaign": campaign.model_copy(update=changes)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        said = []
        for _ in range(2):
            prepare(resolved.campaign, said.append)
        with open_session(resolved, folder / "c", lambda _record, _state: None) as session:
            session.loop.run()
            shown = session.twin.readbacks()
    models = list((folder / "cache" / "heliostat").glob("phases-*/model.json"))
    return [record.event for record in read(folder / "c")], shown, (said, models)


def test_every_crucible_is_heated_measured_and_reduced(story):
    events, _, _ = story

    finished = [event for event in events if isinstance(event, ExperimentFinished)]
    made = [event.observation for event in events if isinstance(event, ObservationMade)]
    assert [event.succeeded for event in finished] == [True] * EXPERIMENTS
    assert len(made) == EXPERIMENTS
    for observation in made:
        assert observation.quality.scores
        assert all(
            0 <= value.mean <= 1 and value.sigma > 0 for value in observation.values.values()
        )


def test_what_was_doubted_was_measured_for_longer_and_both_runs_are_told(story):
    events, _, _ = story

    again = [event for event in events if isinstance(event, MeasuredAgain)]
    made = {
        event.observation.experiment: event.observation
        for event in events
        if isinstance(event, ObservationMade)
    }
    assert all(event.succeeded for event in again)
    for event in again:
        assert made[event.experiment_id].runs[-1:] == event.runs
    twice = {event.experiment_id for event in again}
    sure = [o for name, o in made.items() if name not in twice]
    assert all(o.quality.verdict is Verdict.ACCEPTED for o in sure)


def test_the_model_is_trained_once_before_anything_runs_and_kept(story):
    _, _, (said, models) = story

    [line] = said
    assert "training the model of the phases" in line
    assert len(models) == 1


def test_files_that_are_no_structures_end_it_before_anything_runs(tmp_path):
    (tmp_path / "a.cif").write_text("no structure\n")
    options = {"cifs": str(tmp_path), "names": {"a": "a"}, "minutes": 0.01}
    chosen = Chosen(name="phases", options=options)
    campaign = load(FILE, installed()).campaign.model_copy(update={"reducer": chosen})

    with pytest.raises(ConfigurationError, match="nothing has run"):
        prepare(campaign, lambda _line: None)


def test_the_furnace_is_left_cold_and_the_shutter_closed(story):
    _, shown, _ = story

    assert shown["furnace.readback"] == pytest.approx(60.0, abs=3.0)
    assert shown["shutter.open"] == 0.0
    assert shown["dispenser.loaded"] == EXPERIMENTS
