"""Where the processes of a campaign meet: a private folder, the same one after each resumption."""

import shutil
import stat
from pathlib import Path

import pytest

from controller.processes.launch import Launch
from controller.processes.leftovers import end_leftovers, new_runtime


def begun(directory: Path) -> Path:
    """Begin processes in *directory*, as far as their folder goes, and return it."""
    runtime = new_runtime(directory)
    Launch(directory=directory.resolve(), runtime=runtime).write()
    return runtime


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))


def test_a_campaign_that_is_resumed_has_its_sockets_where_they_were(tmp_path: Path) -> None:
    first = begun(tmp_path / "c")
    shutil.rmtree(first)

    second = begun(tmp_path / "c")

    assert second == first
    assert stat.S_IMODE(second.stat().st_mode) == 0o700


def test_one_whose_supervisor_was_killed_has_them_there_too_and_empty(tmp_path: Path) -> None:
    first = begun(tmp_path / "c")
    (first / "documents").touch()
    end_leftovers(tmp_path / "c")

    second = begun(tmp_path / "c")

    assert second == first
    assert list(second.iterdir()) == []


def test_a_place_that_somebody_else_has_taken_is_left_alone(tmp_path: Path) -> None:
    first = begun(tmp_path / "c")
    shutil.rmtree(first)
    first.symlink_to(tmp_path)

    second = begun(tmp_path / "c")

    assert second != first
    assert not second.is_symlink()


def test_a_copy_meets_elsewhere(tmp_path: Path) -> None:
    first = begun(tmp_path / "c")
    shutil.copytree(tmp_path / "c", tmp_path / "copy")

    assert begun(tmp_path / "copy") != first
