"""Suggestions that wait for people who are told: a yes, a no, or silence after a delivery."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.cli import main
from controller.events import ExperimentStarted
from controller.files.notifying import Topic
from controller.journal import read as read_journal
from controller.notify.asked import Answered, Asked, append, open_question, questions
from controller.notify.asking import ByNotice
from controller.notify.ledger import Ledger, read
from controller.notify.notices import Failed, Notice, Sent
from controller.terms import Stop
from tests.controller.test_notify_campaign import file_in
from tests.support.sinks import http_sink
from tests.support.waiting import until

BY_EXCEPTION = "autonomy: approve_by_exception\nnotify:\n  object_within: {period}\n"


def asking(folder: Path, url: str, period: str) -> Path:
    """Write a campaign of one experiment that asks, and return its file."""
    file = file_in(folder, f"url: {url}")
    text = file.read_text().replace("experiments: 3", "experiments: 1")
    file.write_text(text.replace("notify:\n", BY_EXCEPTION.format(period=period)))
    return file


def run(file: Path, directory: Path) -> int:
    return main(["run", str(file), "--inline", "--data", str(directory), "--no-report"])


def kinds(directory, kind):
    return [r.event for r in read_journal(directory) if isinstance(r.event, kind)]


def test_what_nobody_objects_to_runs_once_people_were_told(tmp_path):
    directory = tmp_path / "c"
    with http_sink() as sink:
        assert run(asking(tmp_path, sink.url, "0.1 s"), directory) == 0

    (asked,) = questions(directory)
    assert (asked.answer.yes, asked.answer.person) == (True, "")
    assert len(kinds(directory, ExperimentStarted)) == 1
    assert "sobol/1 suggests n " in sink.posts[0][2]["subject"]
    assert "0.1 s after this was delivered" in sink.posts[0][2]["text"]


def test_without_a_delivery_no_period_begins_and_a_yes_is_waited_for(tmp_path):
    directory = tmp_path / "c"
    with http_sink() as sink, ThreadPoolExecutor(1) as threads:
        sink.refuse += ["503"] * 1000
        file = asking(tmp_path, sink.url, "0.1 s")
        ran = threads.submit(run_in_thread, file, directory)
        until(lambda: any(isinstance(e, Failed) for e in read(directory)), "the refusal")
        waited = open_question(directory)
        code = main(["answer", str(directory), "yes", "--reason", "fine", "--person", "anna"])
        ended = ran.result()

    assert waited is not None
    assert (code, ended) == (0, Stop.EXPERIMENTS)
    assert questions(directory)[0].answer.person == "anna"
    assert not any(isinstance(e, Sent) for e in read(directory))


def run_in_thread(file, directory):
    """Run as the command does, but for the signals, which only a main thread hears."""
    from controller.benches import installed
    from controller.checks.checking import load
    from controller.notify.asking import asker
    from controller.notify.following import told_beside
    from controller.wiring import open_session

    resolved = load(file, installed())
    ask = asker(resolved.campaign, directory, None, lambda _text: None)
    with open_session(resolved, directory, lambda *_: None, ask) as session:
        with told_beside(directory, resolved.campaign.notify, lambda _text: None):
            session.loop.run()
        return session.loop.state.stop_reason


def test_what_somebody_objects_to_does_not_run_and_another_point_is_asked_about(tmp_path):
    directory = tmp_path / "c"
    with http_sink() as sink, ThreadPoolExecutor(1) as threads:
        ran = threads.submit(run_in_thread, asking(tmp_path, sink.url, "3 h"), directory)
        until(lambda: sink.posts, "the notice")
        no = main(["answer", str(directory), "no", "--reason", "too hot", "--person", "bo"])
        until(lambda: len(questions(directory)) == 2 or ran.done(), "the next question")
        yes = main(["answer", str(directory), "yes", "--reason", "fine", "--person", "bo"])
        ran.result()

    first, second = questions(directory)
    assert (no, yes) == (0, 0)
    assert (first.answer.yes, second.answer.yes) == (False, True)
    (began,) = kinds(directory, ExperimentStarted)
    assert began.suggestion_id == second.asked.suggestion


def test_the_period_counts_from_the_delivery(tmp_path):
    notice = Notice(id="approval 1", topic=Topic.APPROVAL, severity="warning", subject="", text="")
    ask = ByNotice(tmp_path, 60.0, lambda _text: None, now=lambda: 1060.0)
    ledger = Ledger.open(tmp_path)
    ledger.write(notice.model_copy(update={"to": ("chat",)}), 0.0)
    before = ask._passed("approval 1")
    ledger.write(Sent(channel="chat", message="m", notices=("other",), at=0.0), 0.0)
    other = ask._passed("approval 1")
    ledger.write(Sent(channel="chat", message="m", notices=("approval 1",), at=1000.0), 0.0)
    ledger.close()

    assert (before, other) == (False, False)
    assert ask._passed("approval 1")
    assert not ByNotice(tmp_path, 60.0, print, now=lambda: 1059.9)._passed("approval 1")
    assert not ByNotice(tmp_path, None, print, now=lambda: 1e9)._passed("approval 1")


def test_the_first_answer_counts(tmp_path):
    number = append(tmp_path, Asked(suggestion="s", text="x 1"))
    append(tmp_path, Answered(question=number, yes=False, person="bo", reason="no"))
    append(tmp_path, Answered(question=number, yes=True, person="anna", reason="yes"))

    (one,) = questions(tmp_path)
    assert (one.answer.person, one.answer.yes) == ("bo", False)
    assert open_question(tmp_path) is None


def test_without_anybody_to_tell_or_ask_it_is_not_begun(tmp_path, capsys):
    file = asking(tmp_path, "http://x.org", "1 min")
    file.write_text(file.read_text().partition("notify:")[0])

    assert run(file, tmp_path / "c") == 2
    assert "autonomy is approve_by_exception, and nobody can be asked" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["yes", "no"])
def test_where_nothing_is_asked_no_answer_is_taken(tmp_path, capsys, word):
    from controller.wiring import open_session
    from tests.support.campaigns import barrel_campaign

    with open_session(barrel_campaign(), tmp_path / "c", lambda *_: None):
        pass

    assert main(["answer", f"{tmp_path}/c", word, "--reason", "r"]) == 2
    assert "nothing is asked now" in capsys.readouterr().err
