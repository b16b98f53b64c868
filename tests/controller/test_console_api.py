"""The console's calls: who may what, what is refused with which code, and what stands recorded."""

import json
import shutil

import pytest

from controller.chain import peek
from controller.console.app import description
from controller.console.console import Console
from controller.errors import ConfigurationError
from controller.events import ExperimentStarted, ObservationAmended
from controller.journal import read
from controller.processes.launch import Launch
from controller.safety.people.people import Role
from tests.controller.test_loop import run
from tests.support.campaigns import ROOT, barrel_campaign
from tests.support.consoles import console_of
from tests.support.desks import desked
from tests.support.waiting import until


@pytest.fixture(scope="module")
def barrels(tmp_path_factory):
    directory = tmp_path_factory.mktemp("console") / "c"
    run(barrel_campaign(budget={"experiments": 3}), directory)
    return directory


@pytest.fixture
def one(barrels, tmp_path):
    """A console of a copy of a campaign that has ended."""
    with console_of(shutil.copytree(barrels, tmp_path / "c")) as one:
        yield one


@pytest.fixture
def gated(barrels, tmp_path):
    """The same with a real gate that can be spoken to."""
    directory = shutil.copytree(barrels, tmp_path / "c")
    (directory / "gate.sqlite").unlink(missing_ok=True)
    with desked(directory, people=False) as desk:
        Launch(directory=directory, runtime=desk.runtime).write()
        with console_of(directory) as one:
            yield one, desk


def written(one):
    """Return what the console has recorded of requests."""
    links = peek(one.console.directory / "console.sqlite", "writes", 0, 1000)
    return [json.loads(link.payload) for link in links]


def journalled(one, kind):
    return [r.event for r in read(one.console.directory) if isinstance(r.event, kind)]


def commanded(one, verb, **said):
    body = {"verb": verb, "reason": "a test", "client_key": "abcdefgh", **said}
    return one.by(Role.OPERATOR).post(f"/campaigns/{one.campaign}/commands", json=body)


def test_the_campaign_can_be_read(one):
    viewer = one.by(Role.VIEWER)
    campaign = f"/campaigns/{one.campaign}"

    page = viewer.get(f"{campaign}/experiments", params={"after": 1, "limit": 1}).json()

    assert viewer.get("/about").json()["simulated"] is True
    assert viewer.get("/status").json()["word"] == "ENDED"
    assert viewer.get(campaign).json()["experiments"] == 3
    assert (page["total"], page["next"], page["experiments"][0]["number"]) == (3, 2, 2)
    assert "toughness" in viewer.get(f"{campaign}/best").json()["best"]["values"]
    assert viewer.get(f"{campaign}/budget").json()["experiments"] == {"used": 3, "of": 3}


def test_why_a_point_was_chosen_is_found_by_number_suggestion_and_experiment(one):
    began = journalled(one, ExperimentStarted)[1]
    names = ("2", began.suggestion_id, began.experiment_id[:8])

    found = [one.by(Role.VIEWER).get(f"/suggestions/{name}/why").json() for name in names]

    assert found[0] == found[1] == found[2]
    assert found[0]["suggestion"]["id"] == began.suggestion_id
    assert found[0]["outcome"] == "accepted"


def test_events_and_documents_come_line_by_line(one):
    viewer = one.by(Role.VIEWER)
    records = read(one.console.directory)
    run_uid = next(r.event.runs[0] for r in records if r.event.kind == "experiment_finished")

    lines = viewer.get("/events", params={"after": 2, "limit": 3}).text.splitlines()
    documents = viewer.get("/documents", params={"run": run_uid}).text.splitlines()

    assert [json.loads(line)["number"] for line in lines] == [3, 4, 5]
    assert json.loads(documents[0])[1]["uid"] == run_uid
    assert json.loads(documents[-1])[0] == "stop"


def test_healthz_and_about_need_no_key_and_all_else_does(one):
    nobody = one.by()

    assert nobody.get("/healthz").status_code == nobody.get("/about").status_code == 200
    for path, calls in description()["paths"].items():
        for method in calls:
            if path.endswith(("/healthz", "/about")):
                continue
            named = path.format(
                campaign=one.campaign, suggestion="2", experiment="abcd", occurrence=1
            )
            answer = nobody.request(method, one.listening.url + named, json={})
            assert answer.status_code in (401, 422), (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
    assert written(one) == []


@pytest.mark.parametrize(
    ("header", "code"),
    [("Apikey nobody", 401), ("Basic YTpi", 401), ("", 401), ("Apikey " + "x" * 9000, 401)],
)
def test_a_wrong_key_is_refused(one, header, code):
    answer = one.by().get("/status", headers={"Authorization": header})

    assert answer.status_code == code
    assert answer.json()["code"] == "not_authenticated"


def test_a_revoked_key_is_refused_at_once(one):
    viewer = one.by(Role.VIEWER)
    assert viewer.get("/status").status_code == 200

    one.console.keys.revoke(one.tokens[Role.VIEWER].split("_")[1])

    assert viewer.get("/status").status_code == 401


def test_many_wrong_keys_keep_nobody_out_who_has_a_good_one(one):
    answers = [
        one.by().get("/status", headers={"Authorization": "Apikey no"}).status_code
        for _ in range(25)
    ]

    assert answers[0] == 401 and answers[-1] == 429
    assert one.by(Role.VIEWER).get("/status").status_code == 200


def test_a_key_in_the_address_is_refused(one):
    token = one.tokens[Role.VIEWER]

    assert one.by().get("/status", params={"after": token}).json()["code"] == "key_in_url"
    assert one.by().get("/status", params={"api_key": "x"}).json()["code"] == "unknown_parameter"


def test_other_hosts_and_origins_are_refused(one):
    viewer = one.by(Role.VIEWER)

    host = viewer.get("/about", headers={"Host": "evil.example"})
    origin = viewer.get("/about", headers={"Origin": "http://evil.example"})
    own = viewer.get("/about", headers={"Origin": one.listening.url})

    assert (host.status_code, origin.status_code, own.status_code) == (421, 403, 200)
    assert "default-src 'self'" in own.headers["content-security-policy"]


def test_a_large_body_is_refused_however_it_comes(one):
    operator = one.by(Role.OPERATOR)
    large = b'{"text": "' + b"x" * 70_000 + b'"}'

    def pieces():
        yield large[:50_000]
        yield large[50_000:]

    announced = operator.post("/notes", content=large)
    chunked = operator.post("/notes", content=pieces())

    assert (announced.status_code, chunked.status_code) == (413, 413)
    assert written(one) == []


@pytest.mark.parametrize(
    "body",
    [
        {"text": "a", "more": 1},
        {"text": ""},
        {"text": "  "},
        {"text": 1},
        {},
        [],
        {"text": "x" * 501},
        {"text": "a", "client_key": "../../etc"},
    ],
)
def test_a_body_of_another_form_is_refused(one, body):
    answer = one.by(Role.OPERATOR).post("/notes", json=body)

    assert answer.status_code == 422
    assert answer.json()["code"] == "not_accepted"
    assert written(one) == []


@pytest.mark.parametrize(
    "path", ["/campaigns/..%2f..%2fetc", "/suggestions/..%2fjournal/why", "/nothing", "/../.."]
)
def test_paths_lead_nowhere_else(one, path):
    assert one.by(Role.VIEWER).get(path).status_code in (404, 422)


def test_roles_do_what_they_may_and_no_more(one):
    note = {"text": "a note"}
    reset = {"reason": "looked at it"}
    hold = {"verb": "hold", "reason": "x", "client_key": "abcdefgh"}

    def code(role, path, body):
        return one.by(role).post(path, json=body).status_code

    command = f"/campaigns/{one.campaign}/commands"
    assert code(Role.VIEWER, "/notes", note) == 403
    assert code(Role.ADMIN, "/notes", note) == 403
    assert code(Role.SCIENTIST, "/notes", note) == 200
    assert code(Role.SCIENTIST, command, hold) == 403
    assert code(Role.OPERATOR, "/trips/1/reset", reset) == 403
    assert code(Role.SCIENTIST, "/alarms/trip/ack", {"occurrence": 1}) == 403
    assert [r["by"] for r in written(one) if r["kind"] == "asked"] == ["scientist"]


def test_every_write_is_recorded_with_who_from_where_and_why(one):
    experiment = one.console.view.state.observations[0].experiment
    body = {"values": {"toughness": {"mean": 20.5, "sigma": 0.5}}, "reason": "scale was off"}

    answer = one.by(Role.SCIENTIST).post(f"/observations/{experiment}/amend", json=body)

    assert answer.status_code == 200
    (amended,) = journalled(one, ObservationAmended)
    assert amended.values["toughness"].mean == 20.5
    assert amended.reason == "scale was off"
    assert amended.person.startswith("scientist (console key ")
    asked, answered = written(one)
    assert (asked["act"], asked["address"]) == (f"amend {experiment}", "127.0.0.1")
    assert (asked["by"], asked["reason"]) == ("scientist", "scale was off")
    assert (answered["asked"], answered["status"]) == (1, 200)


def test_points_results_and_retractions_go_where_the_commands_put_them(one):
    scientist = one.by(Role.SCIENTIST)
    told = one.console.view.state.observations
    point = dict(told[0].parameters)
    about = {"reason": "a test"}

    new = scientist.post(
        "/observations", json={"parameters": point, "values": {"toughness": {"mean": 1.5}}} | about
    )
    gone = scientist.post(f"/observations/{told[1].experiment}/retract", json=about)
    again = scientist.post(f"/observations/{told[1].experiment}/retract", json=about)
    late = scientist.post("/suggestions", json={"parameters": point} | about)
    wrong = scientist.post("/suggestions", json={"parameters": {"x": 1.0}} | about)

    assert (new.status_code, gone.status_code, again.status_code) == (200, 200, 422)
    assert "retracted already" in again.json()["detail"]
    assert late.status_code == wrong.status_code == 422
    assert "has ended" in late.json()["detail"]
    assert "no such parameter" in wrong.json()["detail"]
    kinds = [record.event.kind for record in read(one.console.directory)]
    assert kinds[-2:] == ["observation_told", "observation_retracted"]


def test_the_same_client_key_is_carried_out_once_even_by_the_next_console(one):
    body = {"text": "once", "client_key": "note-0001"}
    first = one.by(Role.OPERATOR).post("/notes", json=body)
    second = one.by(Role.OPERATOR).post("/notes", json=body)
    other = one.by(Role.OPERATOR).post("/notes", json={**body, "text": "else"})

    one.console.log.close()
    one.console.log = type(one.console.log)(one.console.directory)
    third = one.by(Role.OPERATOR).post("/notes", json=body)

    assert first.json() == second.json() == third.json() == {"done": "noted", "record": 1}
    assert (other.status_code, other.json()["code"]) == (409, "client_key_used")
    assert len([r for r in written(one) if r["kind"] == "asked"]) == 1


@pytest.mark.parametrize("verb", ["start", "pause", "pause_now"])
def test_what_cannot_be_done_from_here_says_what_can(one, verb):
    answer = commanded(one, verb)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_offered")
    assert "`" in answer.json()["detail"]


def test_without_a_gate_or_a_runner_nobody_answers(one):
    held = commanded(one, "hold")
    stopped = commanded(one, "stop", client_key="stop-0001")
    estop = one.by(Role.VIEWER).post("/estop")

    assert (held.status_code, stopped.status_code, estop.status_code) == (503, 503, 503)
    assert "no gate" in held.json()["detail"]
    assert "nobody runs" in estop.json()["detail"]


def test_a_hold_holds_and_going_on_goes_on(gated):
    one, desk = gated

    held = commanded(one, "hold", reason="visitors")
    until(lambda: one.by(Role.VIEWER).get("/status").json()["gate"]["holds"], "the hold")
    (hold,) = one.by(Role.VIEWER).get("/status").json()["gate"]["holds"]
    went = commanded(one, "go_on", client_key="goon-0001")

    assert (held.status_code, went.status_code) == (200, 200)
    assert "operator (console key " in hold["reason"] and "visitors" in hold["reason"]
    until(lambda: not one.by(Role.VIEWER).get("/status").json()["gate"]["holds"], "going on")
    assert any("visitors" in json.dumps(record) for record in desk.records())


def test_anybody_stops_and_acknowledging_and_resetting_are_two_acts_of_two_roles(gated):
    one, desk = gated
    officer, operator = one.by(Role.SAFETY_OFFICER), one.by(Role.OPERATOR)

    stopped = one.by(Role.VIEWER).post("/estop")
    until(lambda: desk.gate.state.value == "latched", "the latch")
    status = until(lambda: _tripped(one), "the word")
    occurrence = status["gate"]["occurrence"]
    early = officer.post(f"/trips/{occurrence}/reset", json={"reason": "too early"})
    stale = officer.post(f"/trips/{occurrence + 1}/reset", json={"reason": "another one"})
    seen = operator.post("/alarms/trip/ack", json={"occurrence": occurrence})
    released = officer.post(f"/trips/{occurrence}/reset", json={"reason": "looked at it"})

    assert stopped.status_code == 202
    assert desk.registers["heater.setpoint"].value == 0.0
    assert "emergency stop" in status["cause"]
    assert (early.status_code, stale.status_code) == (409, 412)
    assert "acknowledged first" in early.json()["detail"]
    assert (seen.status_code, released.status_code) == (200, 200)
    assert desk.gate.state.value == "disarmed"
    asked = {r["act"].split()[0]: r["by"] for r in written(one) if r["kind"] == "asked"}
    assert asked == {"estop": "viewer", "reset": "safety officer", "acknowledge": "operator"}


def test_a_campaign_has_one_console(one):
    with pytest.raises(ConfigurationError, match="another console"):
        Console(one.console.directory, one.console.keys, one.console.acts).open()


def test_only_what_waits_can_be_approved(gated):
    one, _ = gated
    body = {"digest": "0" * 64, "reason": "looks fine"}

    answer = one.by(Role.SCIENTIST).post("/approvals", json=body)

    assert (answer.status_code, answer.json()["code"]) == (412, "stale_digest")


def test_the_openapi_document_is_the_one_that_is_committed():
    committed = (ROOT / "docs/reference/openapi.json").read_text(encoding="utf-8")

    assert json.loads(committed) == description(), "run: python -m tests.support.reference"


def _tripped(one):
    status = one.by(Role.VIEWER).get("/status").json()
    return status if status["word"] == "TRIPPED" else None
