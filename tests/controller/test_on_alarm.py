"""Lowered autonomy: who is asked, and what follows, where an agent's model isn't to be trusted."""

import pytest

from controller.errors import ConfigurationError
from controller.files.campaign import Chosen
from controller.outcome.progress import note_of
from controller.recorded.recording import recording
from controller.replay import compare
from controller.reporting.page import build_report
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign

OWN_AGENT = """
from dataclasses import replace

from agents.grounds import Grounds
from agents.sobol import SobolAgent


class Alarmed(SobolAgent):
    def ask(self, count, pending=()):
        known = len(self._history)
        grounds = Grounds(alarm="its outcomes lie outside") if known in (1, 2) else None
        note = "The model isn't trusted." if grounds else "Trusted."
        return [replace(one, grounds=grounds, note=note) for one in super().ask(count, pending)]


def make(space, objectives, seed):
    return Alarmed(space, objectives, seed)
"""


@pytest.fixture
def alarmed(tmp_path):
    """Return what makes a campaign of four experiments whose agent mistrusts itself in two."""
    (tmp_path / "own.py").write_text(OWN_AGENT)
    options = {"object": f"{tmp_path / 'own.py'}:make", "deterministic": True}
    agent = {"name": "python", "options": options}
    chosen = Chosen.model_validate(agent)

    def made(**changes):
        resolved = barrel_campaign(**changes)
        campaign = resolved.campaign.model_copy(update={"agent": chosen})
        return resolved.model_copy(update={"campaign": campaign})

    return made


class Person:
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *words):
        self.words, self.asked = list(words), []

    def __call__(self, suggestion):
        self.asked.append(suggestion.known)
        return self.words.pop(0)


def run(resolved, directory, approve=None, listener=lambda _r, _s: None):
    with open_session(resolved, directory, listener, approve) as session:
        session.loop.run()
    return session.loop.state


def test_a_person_is_asked_where_the_model_is_not_to_be_trusted_and_only_there(alarmed, tmp_path):
    person = Person(True, True)

    state = run(alarmed(), tmp_path / "c", person)

    assert person.asked == [1, 2]
    assert state.experiments == 4


def test_what_the_person_declines_is_not_run(alarmed, tmp_path):
    state = run(alarmed(), tmp_path / "c", Person(False, True))

    refused = [o for o in state.observations if not o.feasible]
    assert [o.quality.reasons for o in refused] == [("declined by a person",)]
    assert state.experiments == 4


def test_where_nobody_is_there_to_be_asked_it_goes_on(alarmed, tmp_path):
    person = Person(None, None)

    asked = run(alarmed(), tmp_path / "asked", person)
    unasked = run(alarmed(), tmp_path / "unasked", None)

    assert person.asked == [1, 2]
    assert asked.experiments == unasked.experiments == 4
    assert asked.observations == unasked.observations


def test_a_campaign_that_is_to_go_on_asks_nobody(alarmed, tmp_path):
    person = Person()

    state = run(alarmed(on_alarm="go_on"), tmp_path / "c", person)

    assert person.asked == []
    assert state.experiments == 4


def test_a_campaign_that_must_ask_does_not_begin_where_nobody_can_be_asked(alarmed, tmp_path):
    with pytest.raises(ConfigurationError, match="on_alarm is ask"):
        run(alarmed(on_alarm="ask"), tmp_path / "c", None)

    assert not (tmp_path / "c" / "journal.sqlite").exists()


def test_who_approves_of_each_one_is_asked_once_for_each(alarmed, tmp_path):
    person = Person(True, True, True, True)

    run(alarmed(autonomy="approve_each"), tmp_path / "c", person)

    assert person.asked == [0, 1, 2, 3]


def test_it_is_told_while_it_runs_and_in_the_report(alarmed, tmp_path):
    notes = []

    run(alarmed(), tmp_path / "c", None, lambda record, _state: notes.append(note_of(record)))

    assert [note for note in notes if note] == ["note: The model isn't trusted."] * 2
    page = build_report(tmp_path / "c").read_text(encoding="utf-8")
    assert "2 space-filling because the model was not to be trusted" in page
    assert compare(recording(tmp_path / "c")).difference is None
