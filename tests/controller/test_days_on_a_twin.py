"""Days at a beamline on the copper twin: dumps of the beam, a foil, and what it teaches."""

import pytest

from controller.benches import installed
from controller.documents import read_run
from controller.events import (
    ConditionsHeld,
    ExperimentFinished,
    ExperimentStarted,
    ObservationMade,
    UpkeepRan,
)
from controller.journal import read
from controller.resolving import ResolvedCampaign
from controller.terms import Stop
from controller.wiring import open_session
from models.spectra.foil import DRIFT, OFFSET
from tests.support.campaigns import ARGUMENTS, BEAMLINE, ENVELOPE, REDUCER, copper_campaign

WHEN = {
    "all": ["ring.current > 50 mA", "front_end.status == Open"],
    "for": "60 s",
}


def on_twin(options, **changes) -> ResolvedCampaign:
    beamline = {**BEAMLINE, "twin": {"name": "copper", "options": options}}
    envelope = {
        **ENVELOPE,
        "limits": {**ENVELOPE["limits"], "foil.position": ["In", "Out"]},
    }
    resolved = copper_campaign(**changes).model_dump(mode="json", exclude_none=True)
    return ResolvedCampaign.model_validate({**resolved, "beamline": beamline, "envelope": envelope})


def run(resolved, directory):
    with open_session(resolved, directory, lambda _r, _s: None) as session:
        session.loop.run()
    return session.loop.state


def events(directory, kind):
    return [record.event for record in read(directory) if isinstance(record.event, kind)]


def starts(directory):
    """Return when experiments were started, attempts included (s since the campaign's start)."""
    records = read(directory)
    started = [r.stamp for r in records if isinstance(r.event, ExperimentStarted)]
    return [stamp - records[0].stamp for stamp in started]


def first_spectrum(directory):
    """Return when the first spectrum was there (s since the campaign's start)."""
    [finished, *_] = events(directory, ExperimentFinished)
    documents = read_run(directory, finished.runs[0])
    [event] = [document for name, document in documents if name == "event"]
    return event["time"] - read(directory)[0].stamp


@pytest.mark.parametrize("lasting", [120.0, 7200.0])
def test_a_beam_dump_in_mid_scan_costs_an_attempt_and_no_bad_observation(tmp_path, lasting):
    run(on_twin({}, budget={"experiments": 1}), tmp_path / "calm")
    ends = first_spectrum(tmp_path / "calm")
    dump = {"start_s": ends - 5.0, "duration_s": lasting}

    state = run(on_twin({"beam_dumps": [dump]}, measure_when=WHEN), tmp_path / "c")

    finished = events(tmp_path / "c", ExperimentFinished)
    assert [bool(event.unfit) for event in finished] == [True, False, False, False]
    assert len(events(tmp_path / "c", ConditionsHeld)) == 1
    first, second, *_ = starts(tmp_path / "c")
    assert first == 0.0
    assert second >= ends - 5.0 + lasting + 60.0
    assert all(event.observation.usable for event in events(tmp_path / "c", ObservationMade))
    assert len(state.observations) == state.experiments == 3


def test_a_foil_gives_the_energy_scale_that_later_spectra_are_reduced_on(tmp_path):
    foil = {
        "name": "foil",
        "plan": {"name": "xanes_of_foil", "arguments": {"grid": ARGUMENTS["grid"]}},
        "every": {"experiments": 2},
    }
    reducer = {"name": "xanes", "options": {**REDUCER, "foil": "Cu"}}
    resolved = on_twin({}, upkeep=[foil], reducer=reducer)

    state = run(resolved, tmp_path / "c")

    ran = events(tmp_path / "c", UpkeepRan)
    assert [event.succeeded for event in ran] == [True, True], ran
    assert all(OFFSET in event.values for event in ran)
    scores = [o.quality.scores for o in state.observations]
    assert all(score[DRIFT] < 1.5 for score in scores), scores
    assert state.stop_reason == Stop.EXPERIMENTS


def test_this_installation_has_a_plan_for_the_foil():
    assert "xanes_of_foil" in installed().plans
