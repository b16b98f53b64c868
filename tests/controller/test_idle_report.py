"""The report and the summary on how long the bench waited, and who decided instead."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.fallback import MODEL
from controller.events import SuggestionMade
from controller.journal import Journal, read
from controller.outcome.idle import Idle
from controller.outcome.summary import summary_of
from controller.recorded.recording import recording
from controller.reporting import timeline
from controller.reporting.account import account_of
from controller.reporting.story import Story, tell
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign

STEP_S = 0.5


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of four experiments on the virtual clock."""
    directory = tmp_path_factory.mktemp("idle") / "c"
    with open_session(barrel_campaign(), directory, lambda _r, _s: None) as session:
        session.loop.run()
    return directory


@pytest.fixture(scope="module")
def told(inline: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same where each event took half a second, and the worker decided badly and early."""
    new = tmp_path_factory.mktemp("told") / "c"
    new.mkdir()
    journal = Journal.open(new)
    suggested: list[str] = []
    for number, record in enumerate(read(inline)):
        event = record.event
        if isinstance(event, SuggestionMade):
            model = MODEL if len(suggested) == 1 else event.suggestion.model
            pending = tuple(suggested[-1:])
            changed = replace(event.suggestion, model=model, pending=pending)
            suggested.append(changed.id)
            event = event.model_copy(update={"suggestion": changed})
        journal.append(record.stamp + STEP_S * number, event)
    journal.close()
    return tell(recording(new))


def facts(story: Story) -> dict[str, str]:
    return dict(account_of(story, None).facts)


def test_it_says_how_long_the_bench_waited_for_decisions(told):
    said = facts(told)["bench idle"]

    assert said == (
        "50.00% of its time, 2 s between two experiments, 0.5 s of it to begin "
        "(while the next experiment was decided)"
    )
    assert "stood idle for 50.00% of its time" in timeline.picture(told).caption


def test_it_says_how_many_decisions_were_made_ahead(told, inline):
    assert facts(told)["decided ahead"] == "3 experiments, while the one before was measured"
    assert "decided ahead" not in facts(tell(recording(inline)))


def test_decisions_that_the_worker_did_not_make_are_counted(told):
    (wrong,) = [text for heading, text in account_of(told, None).paragraphs if "wrong" in heading]

    assert "1 space-filling because the worker gave no usable decision in time" in wrong


def test_on_a_virtual_clock_it_says_that_nothing_can_be_said(inline):
    story = tell(recording(inline))

    assert facts(story)["bench idle"].startswith("not applicable on a virtual clock")
    assert "deciding takes no time there" in timeline.picture(story).caption


def test_the_summary_has_the_share_or_nothing(told):
    waited = Idle(deciding_s=1.0, people_s=0.0, measuring_s=99.0, gaps=4)

    assert summary_of(told.state, "c", "d", None, waited)["bench_idle_fraction"] == 0.01
    assert summary_of(told.state, "c", "d", None, Idle())["bench_idle_fraction"] is None
    assert summary_of(told.state, "c", "d")["bench_idle_fraction"] is None
