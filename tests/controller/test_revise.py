"""A campaign that goes on is the one that was begun, or a person says why not."""

import os
import pwd
from pathlib import Path

import pytest
import yaml

from controller.benches import installed
from controller.checks.checking import load
from controller.commands.revising import Consent, settle
from controller.errors import ConfigurationError, NotAllowed
from controller.events import CampaignRevised, ObservationMade, SuggestionMade
from controller.journal import read
from controller.recorded.recording import recording
from controller.recorded.revising import require_possible, require_unchanged, revised, revision_of
from controller.replay import compare
from controller.resolving import Wishes
from controller.safety.desk.client import ActRefused
from controller.terms import Stop
from controller.wiring import open_session, resume_session
from controller.wishes import wished
from tests.support.campaigns import ARGUMENTS, BEAMLINE, ENVELOPE, REDUCER

SPACE = {
    "temperature": {"type": "continuous", "low": 150, "high": 400, "unit": "degC"},
    "o2": {"type": "continuous", "low": 0, "high": 10, "unit": "mL/min"},
    "dwell": {"type": "continuous", "low": 1, "high": 5, "unit": "min"},
}


@pytest.fixture
def files(tmp_path):
    """A campaign in files, as a user has it."""
    campaign = {
        "name": "short copper",
        "beamline": "xas.yaml",
        "safety": "copper.yaml",
        "space": SPACE,
        "objectives": [{"name": "cu1", "goal": "maximize", "unit": "1"}],
        "agent": {"name": "sobol"},
        "plan": {"name": "oxidise_and_measure", "arguments": ARGUMENTS},
        "reducer": {"name": "xanes", "options": REDUCER},
        "budget": {"experiments": 1},
        "seed": 7,
    }
    for name, data in (("c", campaign), ("xas", BEAMLINE), ("copper", ENVELOPE)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return tmp_path


@pytest.fixture
def begun(files):
    directory = files / "run"
    with open_session(read_again(files / "c.yaml"), directory, nobody) as session:
        session.loop.run()
    return directory


def nobody(_record, _state):
    """Listen to nothing."""


def read_again(path: Path):
    return load(path, installed())


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def revision(directory):
    return revision_of(read(directory), directory, read_again)


def test_a_campaign_whose_files_are_as_they_were_is_the_same(begun):
    assert revision(begun) is None
    require_unchanged(None, begun)


def test_a_comment_or_a_missing_file_changes_nothing(begun, files):
    edit(files / "c.yaml", "seed: 7", "seed: 7  # a note")
    assert revision(begun) is None

    edit(files / "copper.yaml", "20..500 degC", "10..500 degC")
    (files / "c.yaml").unlink()
    assert revision(begun) is None


def test_what_the_command_line_said_at_the_start_is_no_change_of_the_file(files):
    edit(files / "c.yaml", "experiments: 1", "experiments: 4")
    edit(files / "c.yaml", "name: sobol", "name: bayesian")
    (files / "other.yaml").write_text((files / "xas.yaml").read_text() + "\n# another\n")
    wishes = Wishes(experiments=1, seed=8, agent="sobol", beamline=str(files / "other.yaml"))
    directory = files / "run"
    with open_session(wished(read_again(files / "c.yaml"), wishes), directory, nobody) as session:
        session.loop.run()
    edit(files / "c.yaml", "seed: 7", "seed: 7  # a note")

    assert revision(directory) is None

    edit(files / "copper.yaml", "20..500 degC", "20..400 degC")
    edit(files / "c.yaml", "experiments: 4", "experiments: 5")
    found = revision(directory)
    assert found.changes == ('envelope.limits.furnace.setpoint: "20..500 degC" -> "20..400 degC"',)
    assert found.resolved.wishes == wishes
    assert found.resolved.campaign.budget.experiments == 1


def test_each_change_is_shown_with_its_key_its_old_and_its_new_value(begun, files):
    edit(files / "c.yaml", "experiments: 1", "experiments: 2")
    edit(files / "copper.yaml", "0..20 mL/min", "0..30 mL/min")

    with pytest.raises(ConfigurationError) as caught:
        require_unchanged(revision(begun), begun)

    text = str(caught.value)
    assert "campaign.budget.experiments: 1 -> 2" in text
    assert 'envelope.limits.o2.setpoint: "0..20 mL/min" -> "0..30 mL/min"' in text
    assert "o2.setpoint: 0 to 30 mL/min; before 0 to 20 mL/min" in text
    assert "--revise" in text


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ("20..500 degC", "20..400 degC", ()),
        ("20..500 degC", "10..500 degC", ("furnace.setpoint",)),
        ("- Closed\n", "- Closed\n  foil.position: [In, Out]\n", ("foil.position",)),
        ("- spectrometer.acquire", "- spectrometer.acquire\n- mono.*", ("free: mono.*",)),
        (
            "- spectrometer.acquire",
            "- spectrometer.acquire\nrelease: {at_most_per_h: 2}",
            ("release: 2 per hour",),
        ),
    ],
)
def test_limits_that_allow_more_than_before_are_named_as_such(begun, files, old, new, wider):
    edit(files / "copper.yaml", old, new)

    found = revision(begun).wider

    assert len(found) == len(wider)
    assert all(line.startswith(word) for line, word in zip(found, wider, strict=True))


def test_other_code_or_versions_are_changes_too(begun, monkeypatch):
    monkeypatch.setattr("controller.recorded.revising.code_digest", lambda: "0" * 64)
    monkeypatch.setattr("controller.recorded.revising.versions", lambda: {"python": "4.0"})

    changes = "\n".join(revision(begun).changes)

    settle(begun, Consent())  # it is over
    assert "code: " in changes
    assert 'version of python: "3' in changes


def test_with_a_persons_word_it_goes_on_as_it_is_now_and_replays(begun, files):
    edit(files / "c.yaml", "experiments: 1", "experiments: 2")
    edit(files / "c.yaml", "high: 400", "high: 300")
    edit(files / "c.yaml", "low: 150", "low: 250")

    with pytest.raises(ConfigurationError, match="--revise"):
        settle(begun, Consent())
    settle(begun, Consent(revise=True, reason="more time"))
    settle(begun, Consent())
    with resume_session(begun, nobody) as session:
        session.loop.run()

    [event] = [r.event for r in read(begun) if isinstance(r.event, CampaignRevised)]
    assert event.person
    assert event.reason == "more time"
    made = [r.event.suggestion for r in read(begun) if isinstance(r.event, SuggestionMade)]
    assert 250 <= made[1].parameters["temperature"] <= 300
    assert recording(begun).state.stop_reason == Stop.EXPERIMENTS
    assert len([r for r in read(begun) if isinstance(r.event, ObservationMade)]) == 2
    assert revision(begun) is None
    assert compare(recording(begun)).difference is None


def people(folder, role, user=None):
    """Let the beamline have a people file that has who runs this, or *user*, as *role* alone."""
    user = pwd.getpwuid(os.getuid()).pw_name if user is None else user
    file = folder / "people.yaml"
    file.write_text(f"people:\n  - {{name: Pat, roles: [{role}], user: {user}}}\n")
    file.chmod(0o644)
    if "people:" not in (folder / "xas.yaml").read_text():
        edit(folder / "xas.yaml", "station: xas", "station: xas\npeople: people.yaml")


NARROWER = ("copper.yaml", "20..500 degC", "20..450 degC")
WIDER = ("copper.yaml", "20..500 degC", "20..600 degC")
BY_CONSENT = Consent(revise=True, reason="so it must be")


@pytest.mark.parametrize(
    ("role", "change", "allowed"),
    [
        ("viewer", NARROWER, "operator or safety officer"),
        ("scientist", NARROWER, "operator or safety officer"),
        ("operator", NARROWER, ""),
        ("safety officer", NARROWER, ""),
        ("operator", WIDER, "safety officer"),
        ("admin", WIDER, "safety officer"),
        ("safety officer", WIDER, ""),
    ],
)
def test_a_revision_is_taken_by_who_may_and_what_is_wider_by_a_safety_officer(
    files, role, change, allowed
):
    people(files, role)
    directory = files / "run"
    with open_session(read_again(files / "c.yaml"), directory, nobody) as session:
        session.loop.run()
    name, old, new = change
    edit(files / name, old, new)

    if allowed:
        with pytest.raises(NotAllowed, match=rf"Pat \({role}\).* by a person of role {allowed} al"):
            settle(directory, BY_CONSENT)
    else:
        settle(directory, BY_CONSENT)

    events = [r.event for r in read(directory) if isinstance(r.event, CampaignRevised)]
    assert [event.person for event in events] == ([] if allowed else ["Pat"])


def test_who_is_not_in_the_people_file_revises_nothing_not_even_the_people_file(files):
    people(files, "safety officer", user="nobody")
    directory = files / "run"
    with open_session(read_again(files / "c.yaml"), directory, nobody) as session:
        session.loop.run()
    edit(files / "xas.yaml", "people: people.yaml\n", "")

    assert any(line.startswith("beamline people: none") for line in revision(directory).wider)
    with pytest.raises(ActRefused, match=f"user {os.getuid()} is not known"):
        settle(directory, BY_CONSENT)


def test_another_bench_counts_as_wider(begun, files):
    edit(files / "xas.yaml", "TEST:", "OTHER:")

    assert revision(begun).wider == (
        "beamline prefix: changed; the limits speak of what it says now",
    )


def test_a_revision_needs_a_reason(begun, files):
    edit(files / "c.yaml", "experiments: 1", "experiments: 2")

    with pytest.raises(ConfigurationError, match="--reason"):
        revised(revision(begun), " ", "P")


def test_a_space_that_what_was_measured_does_not_fit_into_is_refused(begun, files):
    edit(files / "c.yaml", "  dwell:", "  purge_s:")
    edit(files / "c.yaml", "unit: min", "unit: s")
    edit(files / "c.yaml", "    h2: 0.0", "    h2: 0.0\n    dwell: 1.0")

    with pytest.raises(ConfigurationError, match="begin a new campaign"):
        require_possible(revision(begun), recording(begun).state)


def test_a_file_that_became_unusable_is_told_and_nothing_goes_on(begun, files):
    edit(files / "c.yaml", "experiments: 1", "experiments: some")

    with pytest.raises(ConfigurationError, match=r"c\.yaml"):
        revision(begun)
