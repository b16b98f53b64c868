"""What people say of results, while a campaign runs or when it doesn't."""

import shutil
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from agents.protocols import Measured, Observation
from agents.sobol import SobolAgent
from controller.bus.delivery import Answerer
from controller.bus.messages import Failed, Taken
from controller.commands import correcting
from controller.commands.correcting import Outcome, Results, amend, resolve, retract, tell
from controller.corrections import reason_against
from controller.errors import ConfigurationError
from controller.events import (
    CampaignStopped,
    ExperimentResolved,
    ObservationAmended,
    ObservationMade,
    ObservationRetracted,
    ObservationTold,
    SuggestionMade,
)
from controller.journal import locked, read
from controller.outcome.summary import summary_of
from controller.parts import Sent
from controller.processes.launch import Launch
from controller.recorded.recording import recording
from controller.replay import compare
from controller.terms import Stop, Target, Terms
from controller.wiring import open_session, resume_session
from tests.support.campaigns import barrel_campaign
from tests.support.days import SPACE, YIELD, days

ABOUT = {"person": "P", "reason": "the sample was broken"}


class Remembering(SobolAgent):
    """A Sobol agent that remembers what it was told, in order."""

    def __init__(self):
        super().__init__(SPACE, (YIELD,), 3)
        self.told = []

    def tell(self, observations):
        super().tell(observations)
        self.told += observations


def send(campaign, event):
    """Send *event* to the running *campaign*; return where the answer will be."""
    answer = []
    campaign.sent.append(Sent(event, answer.append, answer.append))
    return answer


def sent_after(campaign, number, make):
    """Have the event that *make* returns sent while experiment *number* runs; return the answer."""
    answers = []

    def during():
        if len(campaign.bench.attempts()) == number:
            answers.append(send(campaign, make(campaign.state)))

    campaign.bench.during = during
    return answers


def told(name="elsewhere", value=7.0):
    observation = Observation(name, {"x": 5.0, "n": 3}, {"yield": Measured(value, 0.1)})
    return ObservationTold(observation=observation, **ABOUT)


def test_a_result_that_is_told_while_the_campaign_runs_teaches_the_agent(tmp_path):
    agent = Remembering()

    with days(tmp_path, agent=agent) as campaign:
        answers = sent_after(campaign, 2, lambda _state: told())
        campaign.run()

    assert [o.experiment for o in agent.told].count("elsewhere") == 1
    assert answers[0][0].event.observation.experiment == "elsewhere"
    assert campaign.state.experiments == 3
    assert len(campaign.state.observations) == 4


@pytest.mark.parametrize("kind", ["amend", "retract"])
def test_after_a_correction_the_agent_is_told_everything_anew_and_as_it_is_now(tmp_path, kind):
    built = []

    def rebuild():
        built.append(Remembering())
        return built[-1]

    def make(state):
        name = state.observations[0].experiment
        if kind == "retract":
            return ObservationRetracted(experiment_id=name, **ABOUT)
        return ObservationAmended(experiment_id=name, values={"yield": Measured(9.0, 0.5)}, **ABOUT)

    with days(tmp_path, rebuild=rebuild) as campaign:
        sent_after(campaign, 2, make)
        campaign.run()

    [agent] = built
    assert agent.told == list(campaign.state.observations)
    values = [o.values["yield"].mean for o in agent.told]
    assert values == ([1.0, 1.0] if kind == "retract" else [9.0, 1.0, 1.0])
    assert len(campaign.events(SuggestionMade)) == 3


def test_a_retracted_result_no_longer_reaches_the_goal_and_the_campaign_goes_on(tmp_path):
    terms = Terms((YIELD,), experiments=3, target=Target("yield", 0.5, True, 0.8))
    with days(tmp_path, terms) as campaign:
        campaign.run()
        assert campaign.state.stop_reason == Stop.GOAL
        name = campaign.state.observations[0].experiment
        campaign.loop.record(ObservationRetracted(experiment_id=name, **ABOUT))

        campaign.run()

    assert [e.reason for e in campaign.events(CampaignStopped)] == [Stop.GOAL, Stop.GOAL]
    assert len(campaign.events(ObservationMade)) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda state: told(state.observations[0].experiment),
        lambda state: told(state.running.experiment_id),
        lambda _state: ObservationAmended(experiment_id="none", values={}, **ABOUT),
        lambda state: ObservationRetracted(experiment_id=state.running.experiment_id, **ABOUT),
        lambda state: ExperimentResolved(
            experiment_id=state.running.experiment_id, outcome="discard", **ABOUT
        ),
        lambda _state: ExperimentResolved(experiment_id="none", outcome="done", **ABOUT),
        lambda _state: CampaignStopped(reason="stop"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason_and_not_journalled(tmp_path, make):
    with days(tmp_path) as campaign:

        def during():
            if len(campaign.bench.attempts()) == 2:
                answer = send(campaign, make(campaign.state))
                campaign.loop.receive()
                assert isinstance(answer[0], str)

        campaign.bench.during = during
        campaign.run()

    assert len(campaign.events(ObservationMade)) == 3
    assert "retracted" not in " ".join(campaign.kinds())


# --- the commands, on a recorded bench -----------------------------------------------------------


@pytest.fixture
def campaign(tmp_path):
    directory = tmp_path / "c"
    with open_session(barrel_campaign(), directory, lambda _r, _s: None) as session:
        session.loop.run()
    return directory


def observed(directory):
    return recording(directory).state.observations


def last(directory):
    return read(directory)[-1].event


def free_point(directory):
    """Return a point of the pool that was not tried, as words of the command line."""
    recorded = recording(directory)
    tried = {recorded.words.space.key(o.parameters) for o in recorded.state.observations}
    point = next(p for p in recorded.words.space.pool if recorded.words.space.key(p) not in tried)
    return point, tuple(f"{name}={value}" for name, value in point.items())


def test_an_observation_is_amended_and_retracted_by_the_beginning_of_its_id(campaign):
    first, second = observed(campaign)[:2]

    amend(campaign, first.experiment[:8], ["toughness=12.5±0.5"], "calibration was wrong", "P")
    retract(campaign, second.experiment, "the sample was broken")

    now = observed(campaign)
    assert now[0].values["toughness"] == Measured(12.5, 0.5)
    assert second.experiment not in [o.experiment for o in now]
    assert last(campaign).reason == "the sample was broken"
    assert last(campaign).person


def test_a_point_that_was_measured_elsewhere_is_told_and_the_campaign_resumes_with_it(campaign):
    point, at = free_point(campaign)

    tell(campaign, Results(at=at, values=("toughness=30±1",)), "measured at home", "P")

    new = observed(campaign)[-1]
    assert (dict(new.parameters), new.values) == (dict(point), {"toughness": Measured(30, 1)})
    summary_of(recording(campaign).state, "c", "d")
    with resume_session(campaign, lambda _r, _s: None) as session:
        session.loop.run()
        session.ranks()


def test_told_twice_it_is_refused_the_second_time(campaign):
    at = free_point(campaign)[1]
    results = Results(at=at, values=("toughness=30±1",))
    tell(campaign, results, "at home")

    with pytest.raises(ConfigurationError, match="has an observation already"):
        tell(campaign, results, "at home")


def table(path, rows, header="n,theta,r,t,toughness,toughness_sigma"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_table_is_taken_as_a_whole(campaign, tmp_path):
    names = recording(campaign).words.space.names
    point = free_point(campaign)[0]
    row = ",".join(str(point[name]) for name in names)
    header = ",".join([*names, "toughness", "toughness_sigma"])
    before = len(observed(campaign))

    tell(campaign, Results(csv=table(tmp_path / "t.csv", [f"{row},3,0.5"], header)), "lab")

    assert len(observed(campaign)) == before + 1
    assert observed(campaign)[-1].values == {"toughness": Measured(3.0, 0.5)}


def test_every_bad_row_is_told_with_its_line_and_nothing_is_taken(campaign, tmp_path):
    names = recording(campaign).words.space.names
    point = free_point(campaign)[0]
    good = ",".join(str(point[name]) for name in names)
    header = ",".join([*names, "toughness", "toughness_sigma"])
    rows = [f"{good},3,0.5", f"{good},three,0.5", f"{good},3,-1", f"{good},,", f"{good},3"]
    before = read(campaign)

    with pytest.raises(ConfigurationError) as caught:
        tell(campaign, Results(csv=table(tmp_path / "t.csv", rows, header)), "lab")

    text = str(caught.value)
    assert all(f"t.csv:{line}" in text for line in (3, 4, 6)), text
    assert "three" in text
    assert [r.hash for r in read(campaign)] == [r.hash for r in before]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xff\xfe,a", "UTF-8"),
        (b"toughness\n", "no line but"),
        (b"toughnes\n3\n", "did you mean 'toughness'"),
        (b"toughness,toughness\n3,3\n", "more than once"),
        (b"experiment\nx\n", "no column is a value"),
        (b'toughness\n"3\n', "no table"),
    ],
)
def test_what_is_no_table_of_results_is_refused_with_what_is_accepted(
    campaign, tmp_path, content, words
):
    path = tmp_path / "t.csv"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=words):
        tell(campaign, Results(csv=path), "lab")


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda d: amend(d, "nobody", ["toughness=1"], "why"), "no observation"),
        (lambda d: amend(d, "nobody", ["strength=1"], "why"), "toughness"),
        (lambda d: amend(d, "nobody", ["toughness=1±x"], "why"), "accepted"),
        (lambda d: amend(d, "nobody", [], "why"), "--value"),
        (lambda d: retract(d, "nobody", "why"), "no observation"),
        (lambda d: retract(d, "nobody", " "), "--reason"),
        (lambda d: resolve(d, "nobody", Outcome.DONE, "why"), "doesn't wait"),
        (lambda d: tell(d, Results(), "why"), "--csv FILE"),
        (lambda d: tell(d, Results(values=("toughness=1",), at=("x",)), "why"), "name=value"),
        (lambda d: tell(d, Results(values=("toughness=1",), at=("xx=1",)), "why"), "no such"),
        (lambda d: tell(d, Results(values=("toughness=1",)), "why"), "missing"),
    ],
)
def test_what_cannot_be_said_is_refused_and_the_journal_left_alone(campaign, do, words):
    before = len(read(campaign))

    with pytest.raises(ConfigurationError, match=words):
        do(campaign)

    assert len(read(campaign)) == before


@pytest.fixture
def running(campaign, tmp_path_factory):
    """A campaign that a process runs, as far as others can tell; what is sent to it is kept."""
    taken = []

    def handle(message, answer, _request):
        taken.append(message.event)
        refused = Failed(error="Refused", reason="is running now", refused=True)
        answer(Taken(sequence=99) if len(taken) == 1 else refused)

    runtime = tmp_path_factory.mktemp("r")
    launch = Launch(directory=campaign, runtime=runtime)
    launch.write()
    with locked(campaign):
        answerer = Answerer(launch.address("controller"), handle)
        yield campaign, taken
        answerer.close()


def test_a_running_campaign_is_sent_what_is_said_and_its_refusal_is_told(running, capsys):
    campaign, taken = running
    before = len(read(campaign))
    first = observed(campaign)[0].experiment

    amend(campaign, first, ["toughness=12.5±0.5"], "calibration was wrong", "P")
    with pytest.raises(ConfigurationError, match="is running now"):
        retract(campaign, first, "the sample was broken")

    assert [event.kind for event in taken] == ["observation_amended", "observation_retracted"]
    assert "record 99" in capsys.readouterr().out
    assert len(read(campaign)) == before


@pytest.mark.parametrize("of", ["itself", "the one it was copied from"])
def test_two_people_who_speak_at_once_are_both_heard(running, campaign, tmp_path, of):
    """Nobody runs the campaign: its directory is held by a person, or processes are of another."""
    _, taken = running
    copy = tmp_path / "copy"
    shutil.copytree(campaign, copy)
    if of == "itself":
        Launch(directory=copy, runtime=tmp_path / "gone").write()
    before = len(read(copy))
    with ThreadPoolExecutor() as people:
        with locked(copy):
            first = observed(copy)[0].experiment
            said = people.submit(retract, copy, first, "the sample was broken", "P")
            assert wait([said], timeout=0.5).not_done
        assert said.result(timeout=300.0) == 0

    assert len(read(copy)) == before + 1
    assert taken == []


def test_a_campaign_that_runs_in_one_process_can_be_sent_nothing_and_says_so(campaign, monkeypatch):
    monkeypatch.setattr(correcting, "BRIEFLY_S", 0.0)
    with locked(campaign), pytest.raises(ConfigurationError, match="--inline"):
        retract(campaign, observed(campaign)[0].experiment, "the sample was broken")


def test_decisions_after_corrections_are_recomputed_with_what_was_known_at_the_time(tmp_path):
    directory = tmp_path / "c"
    changes = {"budget": {"experiments": 5}}
    with open_session(barrel_campaign("bayesian", **changes), directory, nobody) as session:
        interrupt_after(session, 3)
    first = observed(directory)[0].experiment
    amend(directory, first, ["toughness=50±1"], "calibration", "P")
    with resume_session(directory, nobody) as session:
        interrupt_after(session, 4)
    retract(directory, first, "broken after all", "P")
    with resume_session(directory, nobody) as session:
        session.loop.run()

    comparison = compare(recording(directory))

    assert comparison.difference is None, comparison.difference
    assert comparison.decisions == 5


def nobody(_record, _state):
    """Listen to nothing."""


def interrupt_after(session, count):
    """Run *session* until *count* observations were made."""
    listener = session.loop._listener

    def stop(record, state):
        listener(record, state)
        if isinstance(record.event, ObservationMade) and len(state.observations) == count:
            raise KeyboardInterrupt

    session.loop._listener = stop
    with pytest.raises(KeyboardInterrupt):
        session.loop.run()


@pytest.mark.parametrize(("experiments", "said"), [(5, "known: "), (6, "known: the last 5 of 6: ")])
def test_who_names_an_unknown_experiment_is_told_which_are_known_and_whether_those_are_all(
    tmp_path, experiments, said
):
    directory = tmp_path / "c"
    with open_session(
        barrel_campaign(budget={"experiments": experiments}), directory, nobody
    ) as session:
        session.loop.run()
        state = session.loop.state
        gone = ObservationRetracted(experiment_id="nowhere", **ABOUT)
        why = reason_against(state, gone)

    names = [observation.experiment for observation in state.observations][-5:]
    assert why.endswith(said + ", ".join(names))
