"""Documents on disk: long arrays in files of their own, torn ends, who hears of what when."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller import arrays
from controller.documents import FOLDER, DocumentWriter, finished_runs, read_file, read_run
from controller.errors import JournalBroken, JournalUnwritable

LONG = np.linspace(8900.0, 9200.0, 300)
SHORT = np.arange(10.0)


def write(
    writer: DocumentWriter, run: str, values: Mapping[str, Any], *, stop: bool = True, **start: Any
) -> None:
    writer("start", {"uid": run, "scan_id": writer.next_scan_id(), **start})
    writer("descriptor", {"uid": f"d-{run}", "run_start": run, "name": "primary"})
    writer("event", {"descriptor": f"d-{run}", "seq_num": 1, "data": dict(values)})
    if stop:
        writer("stop", {"uid": f"s-{run}", "run_start": run, "exit_status": "success"})


def file_of(directory: Path) -> Path:
    (path,) = (directory / FOLDER).iterdir()
    return path


@pytest.mark.parametrize(
    "array",
    [LONG, LONG.reshape(30, 10), np.arange(400, dtype=">i4"), LONG > 9000, LONG[::-1]],
    ids=["float", "two axes", "big-endian", "bool", "reversed"],
)
def test_a_long_array_comes_back_where_it_was(tmp_path, array):
    writer = DocumentWriter(tmp_path)
    write(writer, "r", {"x": array, "y": SHORT})
    writer.finish()

    data = read_run(tmp_path, "r")[2][1]["data"]

    np.testing.assert_array_equal(data["x"], array)
    assert data["y"] == SHORT.tolist()
    assert data["x"].shape == array.shape
    assert "8900.0,8901" not in file_of(tmp_path).read_text()


def test_a_short_array_stands_in_its_document_and_makes_no_file(tmp_path):
    writer = DocumentWriter(tmp_path)
    write(writer, "r", {"y": SHORT})
    writer.finish()

    assert json.loads(file_of(tmp_path).read_text().splitlines()[2])[1]["data"]["y"] == list(SHORT)
    assert not (tmp_path / arrays.FOLDER).exists()


def test_a_document_is_on_disk_before_anybody_hears_of_it(tmp_path):
    heard = []

    def hear(name: str, _document: Mapping[str, Any]) -> None:
        heard.append((name, len(read_file(file_of(tmp_path)))))

    writer = DocumentWriter(tmp_path, hear)
    write(writer, "r", {"x": LONG})
    before = list(heard)
    assert writer.finish() == ("r",)

    assert before == [("start", 1), ("descriptor", 2), ("event", 3)]
    assert heard[3:] == [("stop", 4)]


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_run_that_was_cut_off_is_read_up_to_its_last_whole_line(tmp_path, cut):
    writer = DocumentWriter(tmp_path)
    write(writer, "r", {"x": LONG}, stop=False)
    writer.finish()
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])

    assert [name for name, _ in read_file(path)] == ["start", "descriptor"]
    with pytest.raises(JournalBroken, match="no finished run"):
        read_run(tmp_path, "r")


def test_a_damaged_line_that_is_not_the_last_is_told(tmp_path):
    writer = DocumentWriter(tmp_path)
    write(writer, "r", {"y": SHORT})
    writer.finish()
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"descriptor"', b'"\xff"', 1))

    with pytest.raises(JournalBroken, match="line 2"):
        read_file(path)


def test_an_array_that_its_file_does_not_hold_is_told(tmp_path):
    writer = DocumentWriter(tmp_path)
    write(writer, "r", {"x": LONG})
    writer.finish()
    (file,) = (tmp_path / arrays.FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(JournalBroken, match="can't be read"):
        read_run(tmp_path, "r")


def test_an_array_is_looked_for_in_its_folder_alone(tmp_path):
    (tmp_path / "secret").write_bytes(LONG.tobytes())
    kept = arrays.Arrays(tmp_path / arrays.FOLDER)
    place = {"file": "../secret", "offset": 0, "dtype": "<f8", "shape": [300]}

    with pytest.raises(JournalBroken):
        kept.given_back({arrays.KEY: place})


def test_a_run_counts_as_finished_when_it_ended_well_and_says_what_is_wanted(tmp_path):
    writer = DocumentWriter(tmp_path)
    write(writer, "r-1", {}, experiment_id="e", attempt=1)
    write(writer, "r-2", {}, experiment_id="e", attempt=2)
    write(writer, "r-3", {}, stop=False, experiment_id="e", attempt=3)
    writer.finish()

    assert finished_runs(tmp_path, {"experiment_id": "e", "attempt": 2}) == ("r-2",)
    assert finished_runs(tmp_path, {"experiment_id": "e", "attempt": 3}) == ()


def test_a_run_whose_sync_fails_is_not_finished(tmp_path, monkeypatch):
    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    writer = DocumentWriter(tmp_path)
    write(writer, "r", {})
    monkeypatch.setattr("controller.documents.os.fsync", fail)

    with pytest.raises(JournalUnwritable, match="Input/output error"):
        writer.finish()
    monkeypatch.undo()
    assert writer.finish() == ()
