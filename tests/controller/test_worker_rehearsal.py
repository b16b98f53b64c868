"""The worker's rehearsal: what takes long once has been done before the first request."""

from pathlib import Path
from typing import Any

from agents.protocols import Documents, Observation, Reduced, Suggestion, Verdict
from controller.beginning import reducer_of, started
from controller.benches import words_of
from controller.clock import VIRTUAL_START
from controller.journal import Journal
from controller.recorded.recording import Recording, recording
from controller.remote.rehearsal import OBSERVATIONS, rehearse_agent, rehearse_reducer
from controller.resolving import ResolvedCampaign
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign, copper_campaign, modelled


class Watched:
    """A reducer that keeps what it was given, and what it made of it."""

    def __init__(self, reducer: Any) -> None:
        self.reducer = reducer
        self.name = reducer.name
        self.seen: list[tuple[Documents, Reduced]] = []

    def reduce(self, documents: Documents) -> Reduced:
        self.seen.append((documents, self.reducer.reduce(documents)))
        return self.seen[-1][1]


class Remembering:
    """An agent that keeps what it suggested."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.name = agent.name
        self.told: list[Observation] = []
        self.suggested: list[Suggestion] = []

    def tell(self, observations: Any) -> None:
        self.told += observations
        self.agent.tell(observations)

    def ask(self, count: int, pending: Any = ()) -> list[Suggestion]:
        self.suggested += self.agent.ask(count, pending)
        return self.suggested

    def explain(self, suggestion: Suggestion) -> str:
        return str(self.agent.explain(suggestion))


def begun(resolved: ResolvedCampaign, directory: Path) -> Recording:
    """Return a campaign that has a journal and nothing else."""
    directory.mkdir()
    journal = Journal.open(directory)
    now = VIRTUAL_START.timestamp()
    journal.append(now, started(resolved, words_of(resolved).space, now))
    journal.close()
    return recording(directory)


def test_the_agent_decides_by_its_model_once(tmp_path):
    campaign = begun(modelled(copper_campaign()), tmp_path / "c")
    agent = Remembering(campaign.agent())

    rehearse_agent(agent, campaign.words)

    assert len(agent.told) == OBSERVATIONS
    assert [s.model for s in agent.suggested] == ["gp-matern52/log-nei"]


def test_an_agent_with_fewer_points_than_that_is_rehearsed_too(tmp_path):
    small = {
        "space": {"temperature": {"type": "discrete", "values": [150, 200]}},
        "agent": {"name": "bayesian"},
    }
    campaign = begun(copper_campaign(**small), tmp_path / "c")
    agent = Remembering(campaign.agent())

    rehearse_agent(agent, campaign.words)

    assert agent.suggested == []


def test_the_reducer_sees_a_spectrum_like_those_that_will_come(tmp_path):
    campaign = begun(copper_campaign(), tmp_path / "c")
    reducer = Watched(reducer_of(campaign.resolved, campaign.words))

    rehearse_reducer(reducer, campaign)

    ((documents, reduced),) = reducer.seen
    assert dict(documents[2][1]["data"])["spectrometer-energies"][0] == 8900
    assert reduced.quality.verdict is not Verdict.REJECTED
    assert set(reduced.values) == {"cu0", "cu1", "cu2"}


def test_the_reducer_reduces_the_last_run_where_there_is_one(tmp_path):
    directory = tmp_path / "barrels"
    with open_session(barrel_campaign(), directory, lambda _r, _s: None) as session:
        session.loop.run()
    campaign = recording(directory)
    reducer = Watched(reducer_of(campaign.resolved, campaign.words))

    rehearse_reducer(reducer, campaign)

    ((_, reduced),) = reducer.seen
    assert reduced.values == campaign.state.observations[-1].values


def test_a_reducer_of_plain_columns_has_nothing_to_rehearse_before_the_first_run(tmp_path):
    campaign = begun(barrel_campaign(), tmp_path / "c")
    reducer = Watched(reducer_of(campaign.resolved, campaign.words))

    rehearse_reducer(reducer, campaign)

    assert reducer.seen == []
