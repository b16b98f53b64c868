"""The archive's process when it is asked to end: soon, nothing lost, and true about what lacks."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.archive.following import KEY, Hope
from controller.archive.server import Catalog
from controller.processes.launch import Launch
from tests.support.campaigns import ROOT, barrel_campaign
from tests.support.catalogs import run_in, sent_to

PATIENCE_S = 120.0
MOST_S = 20.0


@pytest.fixture
def nowhere() -> Iterator[Catalog]:
    """Give the address of a catalog at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Catalog(f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1", "key")


def test_with_a_catalog_that_is_away_it_says_that_not_all_is_archived(
    tmp_path: Path, nowhere: Catalog
) -> None:
    directory = run_in(tmp_path / "c", sent_to(barrel_campaign(budget={"experiments": 1}), nowhere))
    launch = Launch(directory=directory, runtime=tmp_path).write()

    with subprocess.Popen(
        [sys.executable, "-m", "controller.processes", "archive", str(launch)],
        cwd=ROOT,
        env={**os.environ, KEY: "key"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "not archived for now" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1


def hope_after(done: int, due: int, seconds: float) -> bool:
    """Return whether there is hope once *done* of *due* runs have taken *seconds*."""
    now = [0.0]
    hope = Hope(lambda: now[0], MOST_S)
    hope.note(0, due)
    now[0] = seconds
    hope.note(done, due)
    return hope()


def test_what_can_be_archived_in_time_is() -> None:
    assert hope_after(done=1, due=15, seconds=1.0)
    assert hope_after(done=14, due=15, seconds=18.0)


def test_what_will_not_be_done_in_time_is_left_at_once_to_who_comes_next() -> None:
    assert not hope_after(done=1, due=40, seconds=1.0)
    assert not hope_after(done=10, due=11, seconds=MOST_S)


def test_the_wait_for_a_catalog_to_answer_is_not_counted_as_the_runs_own() -> None:
    now = [0.0]
    hope = Hope(lambda: now[0], MOST_S)
    now[0] = 8.0
    hope.note(0, 10)
    now[0] = 9.0
    hope.note(1, 10)

    assert hope()
