"""A live campaign decided again by another agent, and decisions that were made early."""

import json
from dataclasses import replace

import pytest

from agents.sobol import SobolAgent
from controller.commands.replaying import redecide_under
from controller.events import CampaignStarted, SuggestionMade
from controller.files.campaign import Chosen
from controller.journal import read
from controller.loop import Loop
from controller.recorded.recording import recording
from controller.replay import compare, redecide
from controller.wiring import open_session
from tests.support.campaigns import copper_campaign
from tests.support.journals import retold


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A campaign that says of itself that it ran on a live bench."""
    folder = tmp_path_factory.mktemp("live")
    with open_session(copper_campaign(), folder / "twin", lambda _r, _s: None) as session:
        session.loop.run()

    def without_twin(event):
        if not isinstance(event, CampaignStarted):
            return event
        beamline = {**event.campaign["beamline"], "twin": None}
        beamline["metadata"] = {**beamline["metadata"], "defaults": {}}
        return event.model_copy(update={"campaign": {**event.campaign, "beamline": beamline}})

    return retold(folder / "twin", folder / "live", without_twin)


def test_another_agent_is_told_what_was_measured_and_says_what_it_would_have_tried(live):
    decisions = redecide(recording(live), Chosen(name="bayesian", options={"initial": 1}))

    assert [decision.decision for decision in decisions] == [1, 2, 3]
    assert [decision.instead.known for decision in decisions] == [0, 1, 2]
    assert all("cu1" in decision.measured for decision in decisions)
    assert decisions[0].distance == 0.0
    assert decisions[2].instead.predictions["cu1"]
    assert all(0.0 <= decision.distance <= 1.0 for decision in decisions)


def test_the_same_agent_would_have_done_the_same(live):
    decisions = redecide(recording(live), Chosen(name="sobol"))

    assert [decision.distance for decision in decisions] == [0.0, 0.0, 0.0]


def test_it_is_shown_and_said_that_nobody_knows_what_the_others_would_have_given(live, capsys):
    recorded = recording(live)

    redecide_under(recorded, Chosen(name="sobol"), as_json=False)
    shown = capsys.readouterr()
    redecide_under(recorded, Chosen(name="sobol"), as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert "can't be had again" in shown.err
    assert "decided again by sobol" in shown.out
    assert told["counterfactual"] is False
    assert len(told["decisions"]) == 3


def test_a_decision_that_was_made_while_the_one_before_was_measured_replays_as_it_was(tmp_path):
    with open_session(copper_campaign(), tmp_path / "c", lambda _r, _s: None) as session:
        decide_early(session.loop)
        session.loop.run()

    made = [r.event.suggestion for r in read(tmp_path / "c") if isinstance(r.event, SuggestionMade)]
    assert [s.known for s in made] == [0, 0, 1]
    assert made[2].pending == (made[1].id,)
    assert compare(recording(tmp_path / "c")).difference is None
    again = redecide(recording(tmp_path / "c"), Chosen(name="sobol"))
    assert [decision.instead.known for decision in again] == [0, 0, 1]


class Early:
    """Suggests what was foreseen, if anything was."""

    def __init__(self, agent: SobolAgent) -> None:
        self.agent, self.foreseen, self.name = agent, [], agent.name
        self.tell = agent.tell

    def foresee(self, pending):
        self.foreseen = self.agent.ask(1, pending)

    def ask(self, count, pending=()):
        return self.foreseen or self.agent.ask(count, pending)


def decide_early(loop: Loop) -> None:
    """Have *loop* ask for the next suggestion while an experiment is made."""
    early = Early(loop._parts.agent)
    loop._agent = early
    loop._parts = replace(loop._parts, agent=early, foresee=early.foresee)
