"""A person's points in the stream of suggestions, and campaigns that people decide alone."""

from dataclasses import replace

import pytest

from agents.operator import OperatorAgent
from agents.options import OperatorOptions
from agents.protocols import Measured, Observation
from controller.benches import words_of
from controller.commands.correcting import suggest
from controller.errors import ConfigurationError
from controller.events import (
    CampaignStopped,
    PointAwaited,
    PointProposed,
    SuggestionCleared,
    SuggestionMade,
)
from controller.files.campaign import Chosen
from controller.journal import read
from controller.outcome.progress import note_of
from controller.parts import Sent
from controller.recorded.recording import recording
from controller.replay import compare
from controller.reporting.page import build_report
from controller.terms import Stop, Terms
from controller.wiring import open_session, resume_session
from tests.support.campaigns import barrel_campaign
from tests.support.days import SPACE, YIELD, days

WANTED = {"x": 5.0, "n": 3}
ALSO = {"x": 2.5, "n": 7}


def proposed(point, person="Anna"):
    return PointProposed(parameters=point, person=person, reason="a hunch")


def send(campaign, event):
    answer = []
    campaign.sent.append(Sent(event, answer.append, answer.append))
    return answer


def chosen(campaign):
    return [event.suggestion for event in campaign.events(SuggestionMade)]


def events(directory, kind):
    return [r.event for r in read(directory) if isinstance(r.event, kind)]


def test_points_that_people_send_come_next_in_their_order_beside_any_agent(tmp_path):
    with days(tmp_path, Terms((YIELD,), experiments=4)) as campaign:

        def during():
            if len(campaign.bench.attempts()) == 1 and not campaign.state.proposed:
                send(campaign, proposed(WANTED))
                send(campaign, proposed(ALSO, "Ben"))
                campaign.loop.receive()

        campaign.bench.during = during
        campaign.run()

    made = chosen(campaign)
    agents = [one.agent for one in made]
    assert agents == ["sobol/1", "operator (Anna)", "operator (Ben)", "sobol/1"]
    assert [dict(one.parameters) for one in made[1:3]] == [WANTED, ALSO]
    assert made[1].note == "Anna wants it: a hunch."
    assert [one.known for one in made] == [0, 1, 2, 3]
    assert campaign.state.proposed == ()


def test_a_persons_point_passes_clearance_like_every_other(tmp_path):
    with days(tmp_path, Terms((YIELD,), experiments=2)) as campaign:
        campaign.loop.record(proposed(WANTED))
        campaign.run()

    first, *_ = campaign.events(SuggestionCleared)
    assert first.suggestion_id == chosen(campaign)[0].id
    assert campaign.state.observations[0].chosen_by == "operator (Anna)"


def test_where_people_decide_and_nobody_can_send_it_stops_and_says_what_to_do(tmp_path):
    agent = OperatorAgent(SPACE, 1, OperatorOptions(points=(WANTED,)))
    terms = Terms((YIELD,), experiments=5, people_decide=True)
    with days(tmp_path, terms, agent=agent) as campaign:
        campaign.run()
        assert campaign.state.stop_reason == Stop.NOBODY
        assert "heliostat suggest" in campaign.state.stop_reason
        campaign.loop.record(proposed(ALSO))

        campaign.run()

    assert [one.agent for one in chosen(campaign)] == ["operator/1", "operator (Anna)"]
    assert len(campaign.events(PointAwaited)) == 2
    assert [e.reason for e in campaign.events(CampaignStopped)] == [Stop.NOBODY] * 2


def test_where_somebody_may_send_it_waits_and_goes_on_with_what_comes(tmp_path):
    agent = OperatorAgent(SPACE, 1, OperatorOptions())
    terms = Terms((YIELD,), experiments=2, people_decide=True)
    waits, running = [], []

    def wait(patience_s):
        waits.append(patience_s)
        if len(waits) % 2 == 0:
            send(running[0], proposed(WANTED if len(waits) == 2 else ALSO))
        return True

    with days(tmp_path, terms, agent=agent, await_people=wait) as campaign:
        running.append(campaign)
        campaign.run()

    assert len(waits) == 4
    assert campaign.state.stop_reason == Stop.EXPERIMENTS
    assert len(chosen(campaign)) == 2


def test_a_list_is_worked_off_and_what_is_not_of_the_space_is_refused():
    agent = OperatorAgent(SPACE, 1, OperatorOptions(points=(WANTED, ALSO)))
    agent.tell([Observation("e1", WANTED, {"yield": Measured(1.0, 0.1)})])

    assert [dict(one.parameters) for one in agent.ask(5)] == [ALSO]


# --- from the command line ----------------------------------------------------------------------


def begun(tmp_path, experiments=3, **agent):
    """A campaign on a recorded table that was cut off after its first experiment."""
    resolved = barrel_campaign(budget={"experiments": experiments})
    if agent:
        campaign = resolved.campaign.model_copy(update={"agent": Chosen(**agent)})
        resolved = resolved.model_copy(update={"campaign": campaign})

    def cut(_record, state):
        if len(state.observations) == 1:
            raise KeyboardInterrupt

    with (
        open_session(resolved, tmp_path, cut) as session,
        pytest.raises(KeyboardInterrupt),
    ):
        session.loop.run()
    return session.words.space


def resumed(tmp_path):
    with resume_session(tmp_path, lambda *_: None) as session:
        session.loop.run()
    return [event.suggestion for event in events(tmp_path, SuggestionMade)]


def as_text(point):
    return [f"{name}={value}" for name, value in point.items()]


def test_a_point_is_journalled_at_once_tried_next_after_a_resumption_and_replayed(tmp_path):
    point = begun(tmp_path).sample(1, seed=99)[0]

    assert suggest(tmp_path, as_text(point), "looks good", "Anna") == 0

    [event] = events(tmp_path, PointProposed)
    assert (event.person, event.reason, event.parameters) == ("Anna", "looks good", point)
    made = resumed(tmp_path)
    assert [one.agent for one in made] == ["sobol/1", "operator (Anna)", "sobol/1"]
    assert dict(made[1].parameters) == point
    found = compare(recording(tmp_path))
    assert (found.decisions, found.difference) == (3, None)
    assert "operator (Anna)" in build_report(tmp_path).read_text(encoding="utf-8")


def test_a_replay_notices_a_point_that_isnt_the_one_that_was_sent(tmp_path):
    begun(tmp_path)
    space = recording(tmp_path).words.space
    suggest(tmp_path, as_text(space.sample(1, seed=99)[0]), "looks good", "Anna")
    resumed(tmp_path)
    recorded = recording(tmp_path)
    other = proposed(space.sample(1, seed=98)[0])
    records = tuple(
        replace(r, event=other) if isinstance(r.event, PointProposed) else r
        for r in recorded.records
    )

    found = compare(replace(recorded, records=records))

    assert found.difference.decision == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: at[1:], "missing"),
        (lambda at: [*at, "zeal=3"], "no such parameter"),
        (lambda at: [*at, at[0]], "more than once"),
        (lambda at: [at[0].split("=")[0] + "=much", *at[1:]], "is no number"),
        (lambda at: [at[0].split("=")[0] + "=1e9", *at[1:]], "1e+09|1000000000"),
        (lambda _at: ["nothing"], "name=value"),
    ],
)
def test_what_is_no_point_of_the_space_is_refused_and_nothing_is_journalled(
    tmp_path, change, words
):
    point = begun(tmp_path).sample(1, seed=99)[0]

    with pytest.raises(ConfigurationError, match=words):
        suggest(tmp_path, change(as_text(point)), "why", "Anna")

    assert events(tmp_path, PointProposed) == []


def test_after_the_end_no_point_is_taken(tmp_path):
    point = begun(tmp_path, experiments=1).sample(1, seed=99)[0]
    resumed(tmp_path)

    with pytest.raises(ConfigurationError, match="has ended"):
        suggest(tmp_path, as_text(point), "late", "Anna")


def test_a_campaign_of_people_alone_goes_on_with_each_point_they_send(tmp_path):
    listed, then = words_of(barrel_campaign()).space.sample(2, seed=5)
    begun(tmp_path, name="operator", options={"points": [listed]})
    assert [one.agent for one in resumed(tmp_path)] == ["operator/1"]
    suggest(tmp_path, as_text(then), "and here", "Ben")

    assert [one.agent for one in resumed(tmp_path)] == ["operator/1", "operator (Ben)"]

    found = compare(recording(tmp_path))
    assert (found.decisions, found.difference) == (2, None)
    assert [e.reason for e in events(tmp_path, CampaignStopped)] == [Stop.NOBODY] * 2


def test_people_are_told_who_wants_what_and_that_a_point_is_waited_for(tmp_path):
    with days(tmp_path, Terms((YIELD,), experiments=1)) as campaign:
        notes = [
            note_of(campaign.loop.record(event)) for event in (proposed(WANTED), PointAwaited())
        ]

    assert notes[0] == "note: Anna wants x 5, n 3 tried: a hunch"
    assert "heliostat suggest DIR --at" in notes[1]
