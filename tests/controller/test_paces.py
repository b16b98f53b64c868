"""How fast a twin's time passes: what the command line said holds on; too fast is said."""

from pathlib import Path

import pytest

from controller.benches import envelope_of, installed, words_of
from controller.checks.checking import load
from controller.commands.paces import NETWORK_S, speed_of, too_fast
from controller.processes import launch
from controller.resolving import Wishes
from controller.safety.envelope.envelope import Envelope
from controller.wishes import wished
from tests.support.besieged import campaign_file, press_for
from tests.support.sieges import OK, Siege

COPPER = Path(__file__).parents[2] / "config" / "campaigns" / "copper_oxidation.yaml"


def speed_in(directory: Path) -> float:
    return launch.Launch.read(directory / launch.FOLDER / launch.FILE).speed


def copper() -> Envelope:
    resolved = load(COPPER, installed())
    return envelope_of(resolved, words_of(resolved).space)


def test_what_is_asked_for_now_goes_before_what_run_was_told_and_that_before_the_file(
    tmp_path: Path,
) -> None:
    resolved = load(campaign_file(tmp_path, "repeatable", 1), installed())
    told = wished(resolved, Wishes(speed=3.0))

    assert resolved.beamline.twin is not None
    assert speed_of(resolved) == resolved.beamline.twin.speed
    assert speed_of(told) == 3.0
    assert speed_of(told, 5.0) == 5.0


def test_resume_goes_on_as_fast_as_run_was_told(tmp_path: Path) -> None:
    file = campaign_file(tmp_path / "files", "repeatable", 2)
    directory = tmp_path / "campaign"
    with Siege(directory, file, ("--speed", "3")) as siege:
        press_for(tmp_path / "files", 30.0)
        siege.start()
        siege.until(lambda: siege.count("experiment_started"))
        assert speed_in(directory) == 3.0
    with Siege(directory, file) as siege:
        press_for(tmp_path / "files", 0.1)
        siege.start()
        assert siege.wait() == OK, siege.story()

    assert speed_in(directory) == 3.0


def test_a_speed_that_leaves_a_deadline_no_time_is_warned_of_with_one_that_does() -> None:
    envelope = copper()

    warning = too_fast(envelope, 1000.0)

    assert "60 ms of yours" in warning
    most = float(warning.rpartition("--speed ")[2].split()[0])
    assert too_fast(envelope, most) == ""
    assert too_fast(envelope, most * 1.01)


@pytest.mark.parametrize("speed", [0.001, 60.0, 1000.0])
def test_an_envelope_without_deadlines_allows_every_speed(tmp_path: Path, speed: float) -> None:
    resolved = load(campaign_file(tmp_path, "repeatable", 1), installed())
    envelope = envelope_of(resolved, words_of(resolved).space)

    assert too_fast(envelope, speed) == ""
    assert NETWORK_S > 0.0
