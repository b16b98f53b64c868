"""What tests of besieged campaigns share: the undisturbed one, the siege, and the judgement."""

from pathlib import Path

from tests.support.besieged import campaign_file
from tests.support.crews import LEASE
from tests.support.killing import Victim
from tests.support.sieges import Siege
from tests.support.verdicts import events_of, uncatalogued, unmeasured, wrongs

EXPERIMENTS = 16
SPEED = ("--speed", "2")


def undisturbed(folder: Path) -> Path:
    """Return the directory of the campaign as it goes when nobody disturbs it."""
    victim = Victim(
        folder / "run", campaign_file(folder / "files", "repeatable", EXPERIMENTS, lease=LEASE)
    )
    done = victim.go()
    assert done.returncode == 0, done.stderr
    return folder / "run"


def besieged(folder: Path) -> Siege:
    """Return the same campaign in processes, to be disturbed."""
    file = campaign_file(folder / "files", "repeatable", EXPERIMENTS, lease=LEASE)
    return Siege(folder / "run", file, SPEED)


def judged(siege: Siege, whole: Path) -> list[str]:
    """Return what is wrong with the campaign, once it has been gone on with to its end."""
    siege.until(lambda: siege.ended() is not None)
    siege.finish()
    assert siege.command("catalog", str(siege.directory), "--no-serve") == 0, siege.story()
    assert len(unmeasured(events_of(siege.directory))) <= EXPERIMENTS // 4
    return wrongs(siege.directory, whole) + uncatalogued(siege.directory)
