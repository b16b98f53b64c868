"""Processes of a real campaign killed, stopped and told to end; it ends as if they had not been.

Hundreds of kills at random instants: ``python -m benchmarks.siege``; every signal to everybody:
``python -m benchmarks.signals``.
"""

import signal

import pytest

from tests.support.besieged import campaign_file
from tests.support.killing import Victim
from tests.support.sieges import ROLES, Siege
from tests.support.signalling import measuring, stopped, to_child, to_command
from tests.support.verdicts import events_of, uncatalogued, unmeasured, wrongs

EXPERIMENTS = 16
SPEED = ("--speed", "2")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    victim = Victim(folder / "run", campaign_file(folder / "files", "repeatable", EXPERIMENTS))
    done = victim.go()
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def siege(tmp_path):
    file = campaign_file(tmp_path / "files", "repeatable", EXPERIMENTS)
    with Siege(tmp_path / "run", file, SPEED) as siege:
        yield siege


def judged(siege, whole):
    """Return what is wrong with the campaign, once it has been gone on with to its end."""
    siege.until(lambda: siege.ended() is not None)
    siege.finish()
    assert siege.command("catalog", str(siege.directory), "--no-serve") == 0, siege.story()
    assert len(unmeasured(events_of(siege.directory))) <= 2
    return wrongs(siege.directory, whole) + uncatalogued(siege.directory)


def test_whoever_is_killed_the_campaign_ends_as_the_undisturbed_one(siege, whole):
    for role in (*ROLES, "supervisor"):
        assert measuring(siege), siege.story()
        assert siege.send(role), f"there was no {role}"

    assert judged(siege, whole) == []


def test_whoever_is_told_to_stop_the_bench_is_left_safe_and_the_campaign_goes_on(siege, whole):
    found = stopped(siege, "gate", 1.0)
    found += to_child(siege, "engine", signal.SIGTERM)
    found += to_command(siege, signal.SIGINT, 2)

    assert found == []
    siege.start()
    assert judged(siege, whole) == []
