"""Agents of a user's own file, and of another process, in a campaign."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import closing

import pytest

from agents.catalogue import build_agent
from agents.fallback import MODEL as FALLBACK
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import (
    Categorical,
    Continuous,
    Discrete,
    ForbiddenRegion,
    Integer,
    LinearConstraint,
    Space,
)
from controller.benches import installed
from controller.bus.consulting import Consult, SpaceSaid, Terms
from controller.bus.delivery import Answerer
from controller.bus.keys import ServerKeys, make_keys
from controller.bus.messages import MESSAGE, Done, Failed, Suggested
from controller.bus.wire import pack_message, unpack_message
from controller.checks.checking import check
from controller.cli import main
from controller.events import ObservationMade, SuggestionMade
from controller.files.campaign import Chosen
from controller.journal import read
from controller.outside.hosting import Host
from controller.outside.own import outside_agents
from controller.recorded.recording import recording
from controller.recorded.revising import digests_of
from controller.replay import compare
from controller.reporting.page import build_report
from controller.wiring import open_session, resume_session
from tests.support.campaigns import barrel_campaign
from tests.support.foreign_agents import Whimsical, steady
from tests.support.served_agents import made, serving

SPACE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
YIELD = (Objective("yield", Goal.MAXIMIZE),)
EVERYTHING = Space(
    (
        Continuous("t", 0.1, 10, "s", log=True),
        Integer("n", 0, 9),
        Discrete("d", (0.5, 1.0, 4.0), "mm"),
        Categorical("k", ("a", "b")),
    ),
    (LinearConstraint({"n": 1.0, "d": 2.0}, "<=", 12.0, 0.1),),
    (ForbiddenRegion((LinearConstraint({"n": 1.0}, ">=", 8.0),), "too many"),),
    once=("k",),
)
OWN = """
from agents.sobol import SobolAgent

def make(space, objectives, seed, start=0):
    return SobolAgent(space, objectives, seed + start)

def fail(space, objectives, seed):
    raise RuntimeError("no licence")

class Moody(SobolAgent):
    asked = 0
    def ask(self, count, pending=()):
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("not today")
        return super().ask(count, pending)

def moody(space, objectives, seed):
    return Moody(space, objectives, seed)
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "my_agents.py"
    file.write_text(OWN, encoding="utf-8")
    return file


@pytest.fixture
def place():
    """A short private folder: the path of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="heliostat-") as folder:
        yield folder


def remote(address, **options):
    given = {"address": address, "timeout_s": 5.0, **options}
    return build_agent("remote", given, SPACE, YIELD, 3, outside_agents())


def observed(suggestion, number):
    return Observation(f"e{number}", suggestion.parameters, {"yield": Measured(1.0, 0.1)})


def events(directory, kind):
    return [r.event for r in read(directory) if isinstance(r.event, kind)]


def run(tmp_path, agent, experiments=4):
    resolved = barrel_campaign(budget={"experiments": experiments})
    campaign = resolved.campaign.model_copy(update={"agent": agent})
    resolved = resolved.model_copy(update={"campaign": campaign})
    directory = tmp_path / "campaign"
    with open_session(resolved, directory, lambda *_: None) as session:
        session.loop.run()
    return directory


def test_a_space_of_every_kind_arrives_as_it_was():
    terms = Terms(space=SpaceSaid.of(EVERYTHING), objectives=YIELD, seed=1)
    consult = Consult(engagement="e", terms=terms, start=0, observations=(), count=1, pending=())

    arrived = unpack_message(pack_message(MESSAGE.validate_python(consult.model_dump())))

    assert arrived.terms.space.space() == EVERYTHING


def test_a_served_agent_decides_as_it_would_here(place):
    here = steady(SPACE, YIELD, 3)
    with serving(f"ipc://{place}/a", made(steady)):
        there = remote(f"ipc://{place}/a")
        for number in range(4):
            [expected], [suggestion] = here.ask(1), there.ask(1)
            assert suggestion.parameters == expected.parameters
            assert suggestion.known == number
            for agent in (here, there):
                agent.tell([observed(suggestion, number)])

    assert suggestion.agent == f"remote (ipc://{place}/a): sobol/1"


def test_nobody_at_the_address_costs_the_decision_and_it_is_tried_again(place):
    asked = remote(f"ipc://{place}/a", timeout_s=0.2)
    [instead] = asked.ask(1)
    asked.tell([observed(instead, 0)])
    with serving(f"ipc://{place}/a", made(steady)):
        [suggestion] = remote_again(asked)

    assert instead.model == FALLBACK
    assert "no answer" in instead.note
    assert suggestion.model == "sobol"
    assert suggestion.known == 1


def remote_again(asked):
    for _ in range(50):
        found = asked.ask(1)
        if found[0].model != FALLBACK:
            return found
    return found


def test_one_that_was_started_anew_is_told_everything_again(place):
    asked = remote(f"ipc://{place}/a")
    with serving(f"ipc://{place}/a", made(steady)):
        [first] = asked.ask(1)
    asked.tell([observed(first, 0)])
    with serving(f"ipc://{place}/a", made(steady)) as host:
        [second] = asked.ask(1)
        [engaged] = host._engaged.values()

    assert second.known == engaged.known == 1
    assert second.model == "sobol"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Done(), "answered 'done'"), (Failed(error="Odd", reason="no mood"), "Odd: no mood")],
)
def test_one_that_talks_nonsense_costs_the_decision(place, answer, words):
    with closing(Answerer(f"ipc://{place}/a", lambda _m, say, _r: say(answer))):
        [instead] = remote(f"ipc://{place}/a").ask(1)

    assert instead.model == FALLBACK
    assert words in instead.note


def test_what_the_served_agent_raises_is_told_and_the_next_question_is_answered(place):
    moods = ["", "raise"]

    def moody(space, objectives, seed):
        return Whimsical(space, objectives, seed, moods)

    with serving(f"ipc://{place}/a", made(moody)):
        asked = remote(f"ipc://{place}/a")
        models = [asked.ask(1)[0].model for _ in range(2)]
        moods.clear()
        models += [asked.ask(1)[0].model]

    assert models == ["sobol", FALLBACK, "sobol"]


def test_over_tcp_only_who_has_a_key_is_answered(tmp_path):
    make_keys(tmp_path / "server", "agent")
    public, secret = make_keys(tmp_path / "mine", "campaign")
    _, strangers = make_keys(tmp_path / "theirs", "stranger")
    clients = tmp_path / "clients"
    clients.mkdir(mode=0o700)
    (clients / "campaign.key").write_bytes(public.read_bytes())
    keys = ServerKeys(tmp_path / "server" / "agent.key_secret", clients)
    host = Host(made(steady))
    with closing(Answerer("tcp://127.0.0.1:*", host.put, keys=keys)) as answerer:
        address = answerer.address
    server_key = str(tmp_path / "server" / "agent.key")
    with serving(address, made(steady), keys=keys):
        models = [
            remote(address, key=str(key), server_key=server_key, timeout_s=wait).ask(1)[0].model
            for key, wait in ((secret, 10.0), (strangers, 0.5))
        ]

    assert models == ["sobol", FALLBACK]


def test_a_host_remembers_the_last_campaigns_and_asks_others_to_say_all_again():
    host = Host(made(steady))
    terms = Terms(space=SpaceSaid.of(SPACE), objectives=YIELD, seed=1)

    def consult(number, terms):
        said = {"engagement": str(number), "terms": terms, "start": 0, "observations": ()}
        return host.carry_out(Consult(**said, count=1, pending=()))

    for number in range(9):
        assert isinstance(consult(number, terms), Suggested)

    assert consult(0, None).error == "Behind"
    assert isinstance(consult(8, None), Suggested)


def test_the_command_serves_a_file_until_it_is_interrupted(own, place):
    command = [sys.executable, "-m", "controller.cli", "agent", f"{own}:make"]
    command += ["--at", f"ipc://{place}/a"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert "is served at" in process.stderr.readline()
        asked = remote(f"ipc://{place}/a", timeout_s=60.0, arguments={"start": 1})
        [suggestion] = asked.ask(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)

    assert suggestion.parameters == steady(SPACE, YIELD, 4).ask(1)[0].parameters
    assert process.returncode == 0


def test_a_function_that_isnt_there_is_refused_before_anything_is_served(own, capsys):
    assert main(["agent", f"{own}:nothing", "--at", "ipc:///tmp/x/a"]) == 2
    assert "has no function 'nothing'" in capsys.readouterr().err


# --- in a campaign ------------------------------------------------------------------------------


def test_an_own_agent_runs_a_campaign_and_a_promise_is_held_to_by_the_replay(own, tmp_path):
    options = {"object": f"{own}:make", "deterministic": True}
    directory = run(tmp_path, Chosen(name="python", options=options))

    found = compare(recording(directory))

    assert (found.decisions, found.once, found.difference) == (4, 0, None)


def test_without_a_promise_the_replay_says_that_it_cant_recompute(own, tmp_path, capsys):
    directory = run(tmp_path, Chosen(name="python", options={"object": f"{own}:make"}))

    found = compare(recording(directory))

    assert (found.decisions, found.once, found.difference) == (0, 4, None)
    assert main(["replay", str(directory)]) == 0
    assert "4 more can't be recomputed" in capsys.readouterr().out


def test_one_that_raises_in_a_campaign_is_stood_in_for_and_the_replay_agrees(own, tmp_path):
    directory = run(tmp_path, Chosen(name="python", options={"object": f"{own}:moody"}))

    made = [event.suggestion for event in events(directory, SuggestionMade)]

    assert [one.model for one in made] == ["sobol", FALLBACK, "sobol", FALLBACK]
    assert "not today" in made[1].note
    assert compare(recording(directory)).decisions == 2


def test_the_observation_says_who_chose_its_point(own, tmp_path):
    directory = run(tmp_path, Chosen(name="python", options={"object": f"{own}:make"}), 1)

    [made], [observed] = events(directory, SuggestionMade), events(directory, ObservationMade)

    assert observed.observation.chosen_by == made.suggestion.agent


def test_a_changed_agent_file_is_noticed_by_resume_and_replay(own, tmp_path):
    directory = run(tmp_path, Chosen(name="python", options={"object": f"{own}:make"}))
    assert str(own) in digests_of(recording(directory).resolved)

    own.write_text(OWN + "\n# mended\n", encoding="utf-8")

    [drift] = compare(recording(directory)).drift
    assert drift.startswith(f"{own}: ")


def test_the_report_is_built_though_the_agents_file_is_gone(own, tmp_path):
    directory = run(tmp_path, Chosen(name="python", options={"object": f"{own}:make"}))
    own.unlink()
    sys.modules.pop("my_agents", None)

    page = build_report(directory).read_text(encoding="utf-8")

    assert "python (my_agents.py:make)" in page


def test_a_portfolio_goes_on_after_an_interruption_as_if_there_had_been_none(tmp_path):
    agents = ["sobol", {"name": "bayesian", "options": {"initial": 3}}]
    chosen = Chosen(name="portfolio", options={"agents": agents})
    whole = run(tmp_path / "whole", chosen, 8)
    resolved = recording(whole).resolved
    directory = tmp_path / "cut"

    def cut(_record, state):
        if state.experiments == 5:
            raise KeyboardInterrupt

    with (
        open_session(resolved, directory, cut) as session,
        pytest.raises(KeyboardInterrupt),
    ):
        session.loop.run()
    with resume_session(directory, lambda *_: None) as session:
        session.loop.run()

    points = [
        [event.suggestion.parameters for event in events(place, SuggestionMade)]
        for place in (whole, directory)
    ]
    assert points[0] == points[1]
    assert compare(recording(directory)).difference is None
    assert "Who decides" in build_report(directory).read_text(encoding="utf-8")


def test_check_says_what_is_wrong_with_an_agents_file(own, tmp_path):
    file = tmp_path / "campaign.yaml"
    table = barrel_campaign().beamline.twin.table
    (tmp_path / "beamline.yaml").write_text(
        f"name: barrel\nstation: recorded_table\ntwin: {{name: recorded, table: {table}}}\n"
        "metadata: {required: []}\n",
        encoding="utf-8",
    )

    def problems(agent):
        file.write_text(
            f"name: c\nbeamline: beamline.yaml\nbudget: {{experiments: 3}}\nagent: {agent}\n",
            encoding="utf-8",
        )
        return [(one.key, one.message) for one in check(file, installed())]

    assert problems("{name: python, options: {object: 'my_agents.py:make'}}") == []
    assert problems("{name: portfolio, options: {agents: [sobol, bayesian]}}") == []
    for agent, key, words in (
        ("{name: python, options: {object: 'my_agents.py:fail'}}", "object", "no licence"),
        ("{name: python, options: {object: 'my_agents.py:none'}}", "object", "no function"),
        ("{name: python, options: {object: 'gone.py:make'}}", "object", "there is no file"),
        ("{name: python, options: {object: 'nonsense'}}", "object", "file.py:function"),
        ("{name: portfolio, options: {agents: [sobol, magic]}}", "agents.1", "unknown"),
        ("{name: operator, options: {points: [{x: 1}]}}", "points", "points.0"),
        (
            "{name: remote, options: {address: 'tcp://h:1', key: k, server_key: s}}",
            "key",
            "there is no file",
        ),
    ):
        [(where, message), *_] = problems(agent)
        assert where.endswith(key), (agent, where, message)
        assert words in message, (agent, message)
