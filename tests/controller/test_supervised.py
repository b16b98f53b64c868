"""Campaigns in processes, as a user meets them: begun, told something, stopped, gone on with.

Kills are elsewhere: ``tests/controller/test_siege.py``, ``python -m benchmarks.siege``.
"""

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.events import CampaignStopped, Event, FinalPlanRan, ObservationTold
from controller.journal import FILE
from controller.processes import launch
from controller.processes.launch import Launch
from controller.processes.leftovers import PREFIX, end_leftovers
from tests.support.besieged import campaign_file, press_for
from tests.support.crews import LEASE
from tests.support.sieges import OK, ROLES, Siege
from tests.support.verdicts import events_of, uncatalogued

FAILED, INTERRUPTED = 1, 130
FINAL = {"name": "move_and_read", "arguments": {"x": 0, "y": 0, "detectors": ["x"]}}


LONG_S, SHORT_S = 50.0, 0.1
"""Strokes (s of the campaign, whose time is twice as fast) that last until a signal was heard.

A put is given up after 60 s of the campaign.
"""
ENOUGH_N = 10.0
"""Ten times what the press can measure: a campaign goes on until a person tells of more."""
UNTIL_TOLD: dict[str, Any] = {"goal": {"objective": "force", "at_least": ENOUGH_N}}


def pressing(folder: Path, experiments: int, **changes: Any) -> Siege:
    """Return a campaign of *experiments*, with a final plan."""
    file = campaign_file(folder / "files", "repeatable", experiments, lease=LEASE)
    data = yaml.safe_load(file.read_text(encoding="utf-8")) | {"finally": FINAL} | changes
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return Siege(folder / "campaign", file, ("--speed", "2.0"))


def runtime_of(siege: Siege) -> Path:
    """Return the folder in which the processes of *siege* meet."""
    return Launch.read(siege.directory / launch.FOLDER / launch.FILE).runtime


def left_behind(siege: Siege) -> list[str]:
    """Return what is still there of a command that has ended: processes, the sockets' folder."""
    folder = runtime_of(siege)
    alive = [role for role in ROLES if siege.pid(role) is not None]
    return alive + ([str(folder)] if folder.exists() else [])


@dataclass(frozen=True)
class Finished:
    """A campaign that has run to its end, and its events."""

    siege: Siege
    code: int
    events: list[Event]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Run one with ``nohup``; the terminal hangs up, and a person tells a result meanwhile."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with pressing(tmp_path_factory.mktemp("finished"), experiments=10_000, **UNTIL_TOLD) as siege:
        press_for(siege.file.parent, 10.0)  # few are made while a command runs
        siege.start()
        signal.signal(signal.SIGHUP, before)
        siege.until(lambda: siege.count("observation_made"))
        siege.send("supervisor", signal.SIGHUP)
        tell(siege, "force=0.9±0.1")
        siege.until(lambda: decided_since_told(siege))
        tell(siege, f"force={2 * ENOUGH_N}±0.1")
        code = siege.wait()
        yield Finished(siege, code, events_of(siege.directory))


def tell(siege: Siege, value: str) -> None:
    """Tell the campaign as a person of a result got by hand."""
    given = ("--at", "x=1.5", "--at", "y=-0.5", "--value", value, "--reason", "by hand")
    assert siege.command("tell", str(siege.directory), *given) == OK, siege.story()


def decided_since_told(siege: Siege) -> bool:
    """Whether anything was suggested after a person had told something."""
    kinds = [event.kind for event in events_of(siege.directory)]
    return "suggestion_made" in kinds[kinds.index("observation_told") :]


def test_a_campaign_in_processes_runs_to_its_end_and_says_who_is_up(finished: Finished) -> None:
    said = finished.siege.output.read_text(encoding="utf-8").splitlines()

    assert finished.code == OK, finished.siege.story()
    assert all(any(line.startswith(f"{role}: up (process ") for line in said) for role in ROLES)
    [summary] = [json.loads(line) for line in said if line.startswith("{")]
    assert summary["stopped_because"] == "goal reached"
    assert left_behind(finished.siege) == []


def test_a_hang_up_under_nohup_ends_nothing(finished: Finished) -> None:
    stop, final = finished.events[-2:]
    assert isinstance(stop, CampaignStopped), finished.siege.story()
    assert isinstance(final, FinalPlanRan)


def test_a_result_told_to_a_running_campaign_is_known_to_later_decisions(
    finished: Finished,
) -> None:
    first, last = (n for n, e in enumerate(finished.events) if isinstance(e, ObservationTold))

    assert any(event.kind == "suggestion_made" for event in finished.events[first:last])
    assert finished.siege.command("replay", str(finished.siege.directory)) == OK


def test_its_catalog_is_whole(finished: Finished) -> None:
    directory = str(finished.siege.directory)

    # On a busy computer the last pass of the archive may have been cut short.
    assert finished.siege.command("catalog", directory, "--no-serve") == OK
    assert uncatalogued(finished.siege.directory) == []


def test_a_copy_of_the_journal_alone_is_the_whole_campaign(
    finished: Finished, tmp_path: Path
) -> None:
    shutil.copy(finished.siege.directory / FILE, tmp_path)

    assert events_of(tmp_path) == finished.events


def test_an_interrupt_runs_the_final_plan_and_the_campaign_goes_on_when_resumed(
    tmp_path: Path,
) -> None:
    with pressing(tmp_path, experiments=8) as siege:
        press_for(siege.file.parent, LONG_S)
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        siege.send("supervisor", signal.SIGINT)
        siege.until(lambda: "stopping" in siege.output.read_text(encoding="utf-8"))
        press_for(siege.file.parent, SHORT_S)

        assert siege.wait() == INTERRUPTED, siege.story()
        stopped = events_of(siege.directory)
        assert isinstance(stopped[-1], FinalPlanRan), siege.story()
        assert sum(event.kind == "experiment_started" for event in stopped) < 8
        assert left_behind(siege) == []

        siege.start()

        assert siege.wait() == OK, siege.story()
        assert events_of(siege.directory)[: len(stopped)] == stopped
        assert siege.count("observation_made") == 8


def test_a_second_interrupt_makes_the_bench_safe_at_once(tmp_path: Path) -> None:
    with pressing(tmp_path, experiments=8) as siege:
        press_for(siege.file.parent, LONG_S)
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        siege.send("supervisor", signal.SIGINT)
        siege.until(lambda: "stopping" in siege.output.read_text(encoding="utf-8"))
        siege.send("supervisor", signal.SIGINT)

        assert siege.wait() == INTERRUPTED, siege.story()
        assert "the bench was made safe" in siege.output.read_text(encoding="utf-8")
        assert left_behind(siege) == []


def test_an_engine_that_cannot_be_started_is_not_tried_for_ever(tmp_path: Path) -> None:
    with pressing(tmp_path, experiments=2) as siege:
        with (tmp_path / "files" / "press_lab.py").open("a", encoding="utf-8") as lab:
            lab.write('import sys\nif "engine" in sys.argv:\n    sys.exit("no crate")\n')
        siege.start()

        assert siege.wait() == FAILED, siege.story()
        said = siege.output.read_text(encoding="utf-8")
        assert "engine can't be started: aborting" in said
        assert f"heliostat resume {siege.directory}" in said
        assert left_behind(siege) == []


def test_the_folder_that_a_killed_start_had_for_its_sockets_is_removed(tmp_path: Path) -> None:
    runtime = tmp_path / f"{PREFIX}killed"
    runtime.mkdir()
    Launch(directory=tmp_path / "c", runtime=runtime).write()

    end_leftovers(tmp_path / "c")

    assert not runtime.exists()


def test_a_copied_campaign_leaves_the_original_its_sockets(tmp_path: Path) -> None:
    runtime = tmp_path / f"{PREFIX}running"
    runtime.mkdir()
    Launch(directory=tmp_path / "c", runtime=runtime).write()
    shutil.copytree(tmp_path / "c", tmp_path / "copy")

    end_leftovers(tmp_path / "copy")

    assert runtime.exists()
