"""What the processes of a campaign have in common: time, parentage, what is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.beginning import started
from controller.benches import words_of
from controller.bus.delivery import Answerer
from controller.bus.messages import Done, Message, Note
from controller.clock import RealClock, ScaledClock
from controller.events import CampaignStopped
from controller.journal import Journal
from controller.processes.launch import FOLDER, Launch
from controller.processes.leftovers import end_leftovers, note_process
from controller.recorded.following import Follower
from controller.terms import terms_of
from tests.support.campaigns import barrel_campaign
from tests.support.waiting import PATIENCE_S


def test_all_clocks_of_one_launch_agree_about_campaign_time(tmp_path: Path) -> None:
    wall = time.time()
    launch = Launch(
        directory=tmp_path, runtime=tmp_path, speed=50.0, anchor_wall=wall, anchor_campaign=1e9
    )

    first, second = launch.clock(), launch.clock()

    assert first.now() == pytest.approx(second.now(), abs=5.0)
    assert first.now() == pytest.approx(1e9 + 50.0 * (time.time() - wall), abs=5.0)
    for clock in (first, second):
        clock.loop.close()


def test_a_launch_without_a_twin_is_in_real_time(tmp_path: Path) -> None:
    clock = Launch(directory=tmp_path, runtime=tmp_path).clock()

    assert isinstance(clock, RealClock)
    clock.loop.close()


def test_a_sleep_on_a_scaled_clock_ends_in_campaign_time() -> None:
    clock = ScaledClock(100.0, time.time(), 0.0)
    before_real, before = time.monotonic(), clock.monotonic()

    clock.loop.run_until_complete(asyncio.sleep(20.0))

    assert clock.monotonic() - before >= 20.0
    assert time.monotonic() - before_real >= 0.2
    clock.loop.close()


@given(speed=st.floats(0.5, 1000.0), anchor=st.floats(0.0, 2e9))
def test_campaign_time_never_runs_backwards(speed: float, anchor: float) -> None:
    clock = ScaledClock(speed, time.time(), anchor)

    moments = [clock.now() for _ in range(5)]

    assert moments == sorted(moments)
    assert moments[0] >= anchor - 1e-3 * speed
    clock.loop.close()


def test_a_launch_file_reads_as_it_was_written(tmp_path: Path) -> None:
    launch = Launch(directory=tmp_path, runtime=tmp_path / "r", speed=7.0, epics={"A": "b"})

    assert Launch.read(launch.write()) == launch


def test_a_follower_tells_of_each_record_once_while_another_appends(tmp_path: Path) -> None:
    resolved = barrel_campaign()
    words = words_of(resolved)
    journal = Journal.open(tmp_path)
    journal.append(1.0, started(resolved, words.space, 1.0))
    journal.close()
    told: list[int] = []
    follower = Follower(
        tmp_path,
        terms_of(resolved.campaign, words.objectives),
        lambda record, _state: told.append(record.sequence),
    )
    follower.catch_up()

    journal = Journal.open(tmp_path)
    journal.append(2.0, CampaignStopped(reason="because"))
    follower.catch_up()
    follower.catch_up()

    assert told == [1, 2]
    assert follower.state.stop_reason == "because"
    follower.close()
    journal.close()


def test_a_follower_keeps_to_itself_what_was_known_before(tmp_path: Path) -> None:
    resolved = barrel_campaign()
    words = words_of(resolved)
    journal = Journal.open(tmp_path)
    journal.append(1.0, started(resolved, words.space, 1.0))
    told: list[int] = []
    terms = terms_of(resolved.campaign, words.objectives)

    follower = Follower(tmp_path, terms, lambda _record, _state: told.append(1), known=1)
    follower.catch_up()

    assert told == []
    assert follower.state.campaign_id
    follower.close()
    journal.close()


ORPHAN = """
import os, sys, time
from controller.processes.parting import when_orphaned
when_orphaned(lambda: (open(sys.argv[1], "w").close(), os._exit(0)))
print("ready", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdout=sys.stdout)
time.sleep(600)
"""


def test_a_process_notices_that_its_parent_was_killed(tmp_path: Path) -> None:
    mark = tmp_path / "orphaned"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(mark), ORPHAN],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().strip() == "ready"

    parent.kill()
    parent.wait()

    assert _comes_true(mark.exists)
    parent.stdout.close()


@pytest.mark.parametrize("relative", [False, True])
def test_a_leftover_process_is_ended_even_when_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    launch = Launch(directory=tmp_path, runtime=tmp_path).write()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(launch)])
    reaper = threading.Thread(target=left.wait)
    reaper.start()
    note_process(tmp_path, "engine", left.pid)
    os.kill(left.pid, signal.SIGSTOP)

    ended = end_leftovers(Path(tmp_path.name) if relative else tmp_path, patience_s=0.3)

    assert ended == (left.pid,)
    reaper.join(PATIENCE_S)
    assert left.returncode == -signal.SIGKILL


def test_a_process_number_that_is_somebody_elses_now_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    note_process(tmp_path, "engine", os.getpid())

    assert end_leftovers(tmp_path, patience_s=0.1) == ()


def _comes_true(condition: object) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


TOLD_TO_END = """
import os, signal
from controller.processes.controller import Inbox, ToldToEnd
from controller.bus.messages import EndCampaign
ToldToEnd()
try:
    Inbox().handle(EndCampaign(reason="enough"), print, "")
    print("ignored")
except KeyboardInterrupt:
    print("ends")
"""


def test_a_controller_that_was_started_with_interrupts_ignored_ends_when_it_is_told_to() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'trap \'\' INT; exec "$0" -c "$1"', sys.executable, TOLD_TO_END],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout.split()[-1] == "ends"


def test_a_controller_that_fails_says_why_though_nothing_can_be_written_into_its_log(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    launch = Launch(directory=tmp_path, runtime=tmp_path_factory.mktemp("r"))
    notes: list[Message] = []

    def handle(message: Message, answer: Callable[[Message], None], _request: str) -> None:
        notes.append(message)
        answer(Done())

    with (
        closing(Answerer(launch.address("supervisor"), handle)),
        Path("/dev/full").open("wb") as full,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "controller.processes", "controller", str(launch.write())],
            stdout=full,
            stderr=full,
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=400.0,
        )

    assert done.returncode == 1
    (note,) = notes
    assert isinstance(note, Note) and str(tmp_path) in note.text
