"""The lines of a campaign that runs away from a terminal: no experiment is left out."""

import io
import re
from pathlib import Path

from rich.console import Console

from controller.journal import Record
from controller.outcome.progress import Lines, note_of
from controller.state import CampaignState
from controller.wiring import open_session, resume_session
from tests.support.campaigns import barrel_campaign

LINE = re.compile(r"experiments? (\d+)(?:-(\d+))?/(\d+): ")


def told(text: str) -> list[int]:
    """Return the experiments that the lines of *text* tell of, in order."""
    found = [match.groups() for match in map(LINE.match, text.splitlines()) if match]
    return [n for first, last, _ in found for n in range(int(first), int(last or first) + 1)]


def test_the_lines_of_a_long_campaign_tell_of_each_experiment_once(tmp_path: Path) -> None:
    output = io.StringIO()
    lines = Lines(Console(file=output, width=200), note_of)
    campaign = barrel_campaign(budget={"experiments": 60})

    with open_session(campaign, tmp_path / "c", lines) as session:
        session.loop.run()

    assert told(output.getvalue()) == list(range(1, 61))
    assert "experiments " in output.getvalue()
    assert len(output.getvalue().splitlines()) < 60


class EnoughError(Exception):
    """Breaks a campaign off."""


def test_a_campaign_that_goes_on_tells_of_what_is_new(tmp_path: Path) -> None:
    def until_the_fifth(_record: Record, state: CampaignState) -> None:
        if len(state.observations) == 5:
            raise EnoughError

    output = io.StringIO()
    campaign = barrel_campaign(budget={"experiments": 60})
    try:
        with open_session(campaign, tmp_path / "c", until_the_fifth) as session:
            session.loop.run()
    except EnoughError:
        pass
    with resume_session(tmp_path / "c", Lines(Console(file=output, width=200), note_of)) as session:
        session.loop.run()

    assert told(output.getvalue()) == list(range(6, 61))
