"""People are told of whole campaigns: in one process, beside one, after kills, by the command."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from controller.cli import main
from controller.journal import read as read_journal
from controller.notify.following import notifier
from controller.notify.ledger import read
from controller.notify.notices import Failed, Notice, Sent
from controller.processes.launch import Launch
from controller.wiring import open_session
from tests.support.campaigns import ROOT, barrel_campaign
from tests.support.sinks import http_sink
from tests.support.waiting import until

FILE = """
name: barrels
beamline: {root}/config/beamlines/recorded/pvlab_crossed_barrel.yaml
safety: {root}/config/safety/recorded/crossed_barrel.yaml
agent: {{name: sobol}}
budget: {{experiments: 3}}
notify:
  channels:
    chat: {{type: webhook, {place}}}
"""


def file_in(folder: Path, place: str) -> Path:
    path = folder / "barrels.yaml"
    path.write_text(FILE.format(root=ROOT, place=place))
    return path


def ended_campaign(directory: Path, url: str) -> Path:
    """Run a campaign of which nobody has been told yet."""
    notify = {"channels": {"chat": {"type": "webhook", "url": url}}}
    with open_session(barrel_campaign(notify=notify), directory, lambda *_: None) as session:
        session.loop.run()
    return directory


def taught(directory):
    """Return what each experiment of the campaign in *directory* was, and what it gave."""
    made = [
        r.event.observation for r in read_journal(directory) if r.event.kind == "observation_made"
    ]
    return [(one.parameters, one.values) for one in made]


def subjects(sink):
    return [body["subject"] for _, _, body in sink.posts]


def test_the_end_of_a_campaign_in_one_process_is_told_and_stands_in_the_log(tmp_path, capsys):
    with http_sink() as sink:
        file = file_in(tmp_path, f"url: {sink.url}")
        code = main(["run", str(file), "--inline", "--data", f"{tmp_path}/c", "--no-report"])
        main(["notify", "log", f"{tmp_path}/c"])

    assert code == 0
    ended = "[barrels] INFO: the campaign has ended: budget: experiments used up"
    assert subjects(sink) == [ended]
    assert "experiment 3/3, best" in sink.posts[0][2]["text"]
    assert "chat has it" in capsys.readouterr().out


def test_a_campaign_goes_its_way_whether_or_not_anybody_can_be_told(tmp_path, capsys):
    with http_sink() as sink:
        gone = sink.url
    file = file_in(tmp_path, f"url: {gone}")
    quiet = tmp_path / "quiet.yaml"
    quiet.write_text(file.read_text().partition("notify:")[0])
    for name, path in (("told", file), ("quiet", quiet)):
        assert (
            main(["run", str(path), "--inline", "--data", f"{tmp_path}/{name}", "--no-report"]) == 0
        )

    told, untold = (taught(tmp_path / name) for name in ("told", "quiet"))

    assert len(told) == 3
    assert told == untold
    assert "not told: chat: 1 not told" in capsys.readouterr().err


def test_what_could_not_be_told_is_by_the_command_and_only_once(tmp_path, capsys):
    with http_sink() as sink:
        ended_campaign(tmp_path / "c", sink.url)
        sink.refuse.append("503")
        codes = [main(["notify", "send", f"{tmp_path}/c"]) for _ in range(3)]

    assert codes == [1, 0, 0]
    assert len(sink.posts) == 1
    assert "HTTP 503" in capsys.readouterr().err
    assert main(["notify", "log", f"{tmp_path}/c", "--json"]) == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["begun", "notice", "failed", "sent"]


def test_verify_finds_a_notice_that_was_changed(tmp_path, capsys):
    with http_sink() as sink:
        ended_campaign(tmp_path / "c", sink.url)
        main(["notify", "send", f"{tmp_path}/c"])
    sound = main(["verify", f"{tmp_path}/c"])
    with closing(sqlite3.connect(tmp_path / "c/notices/notices.sqlite")) as file, file:
        file.execute("UPDATE notices SET payload = replace(payload, 'sent', 'lost')")

    assert sound == 0
    assert "notices.sqlite (notices): 3 records, unbroken" in capsys.readouterr().out
    assert main(["verify", f"{tmp_path}/c"]) == 1
    assert "notices.sqlite" in capsys.readouterr().err


@contextmanager
def process_of(launch: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.processes", "notifier", str(launch)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_that_is_killed_is_followed_by_one_that_tells_the_rest_once(tmp_path):
    directory = tmp_path / "c"
    with http_sink() as sink:
        ended_campaign(directory, sink.url)
        launch = Launch(directory=directory, runtime=tmp_path, anchor_wall=1.0).write()
        sink.refuse.append("503")
        with process_of(launch) as process:
            until(lambda: any(isinstance(e, Failed) for e in read(directory)), "the refusal")
            process.send_signal(signal.SIGKILL)
            process.wait()
        with process_of(launch) as process:
            until(lambda: sink.posts, "the notice")
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        with notifier(directory) as found:
            assert found.finish() == ()

    assert len(sink.posts) == 1
    assert [type(e) for e in read(directory)][1:] == [Notice, Failed, Sent]


def test_a_test_notice_goes_by_every_channel_and_says_which_take_it(tmp_path, capsys):
    with http_sink() as sink:
        file = file_in(tmp_path, f"url: {sink.url}")
        good = main(["notify", "test", str(file)])
        sink.refuse.append("403")
        bad = main(["notify", "test", str(file), "--json"])

    assert (good, bad) == (0, 1)
    assert subjects(sink) == ["[barrels] INFO: this is a test"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("chat: taken")
    assert json.loads(said[1]) == [
        {"channel": "chat", "taken": False, "error": "NOT TAKEN: 127.0.0.1: HTTP 403"}
    ]


def test_a_channel_that_there_is_not_and_a_file_without_any_are_said(tmp_path, capsys):
    file = file_in(tmp_path, "url: http://x.org")
    bare = tmp_path / "bare.yaml"
    bare.write_text(file.read_text().partition("notify:")[0])

    assert main(["notify", "test", str(file), "--channel", "chta"]) == 2
    assert main(["notify", "test", str(bare)]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'chat'?" in said
    assert "add `notify:`" in said


def test_a_campaign_is_not_begun_without_its_secrets(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("HOOK", raising=False)
    file = file_in(tmp_path, "url_from: HOOK")

    assert main(["run", str(file), "--inline", "--data", f"{tmp_path}/c"]) == 2
    assert "the variable HOOK of the environment isn't set" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("url: nowhere", "notify.channels.chat.url"),
        ("url: http://x.org, ca: missing.pem", "notify.channels.chat.ca: no certificates"),
        ("url: http://x.org, urgency: 3", "urgency"),
    ],
)
def test_check_names_what_is_wrong_with_a_channel_and_its_line(tmp_path, capsys, place, said):
    assert main(["check", str(file_in(tmp_path, place))]) == 2

    error = capsys.readouterr().err
    assert said in error
    assert "barrels.yaml:9" in error
