"""How far a catalog is that is being brought up to date, as a person sees it."""

from pathlib import Path

import pytest

from controller.archive.following import Follower, catalog_of
from controller.commands.cataloguing import PATIENCE_S, SHOWN_S, Shown
from tests.support.campaigns import barrel_campaign
from tests.support.catalogs import run_in


def test_each_run_that_is_due_is_told_before_it_is_archived(tmp_path: Path) -> None:
    directory = run_in(tmp_path / "c", barrel_campaign(budget={"experiments": 3}))
    told: list[tuple[int, int]] = []

    with catalog_of(directory) as catalog:
        follower = Follower(directory, catalog)
        follower.once(progress=lambda done, due: told.append((done, due)))
        follower.once(progress=lambda done, due: told.append((done, due)))
        follower.close()

    assert told == [(0, 3), (1, 3), (2, 3)]


def test_it_is_silent_at_first_and_then_says_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    shown = Shown(lambda: now[0])

    for done, moment in enumerate((0.0, 0.9, PATIENCE_S, PATIENCE_S + 1.0, PATIENCE_S + SHOWN_S)):
        now[0] = moment
        shown(done, 400)

    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split()[2] for line in said.err.splitlines()] == ["2", "4"]
    assert "of 400 runs" in said.err
