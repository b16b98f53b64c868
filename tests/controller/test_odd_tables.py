"""Any folder with data.csv and meta.json is a bench, whatever its columns are called."""

import csv
import json
from pathlib import Path

import pytest

from controller.cli import main

ODD = ("read", "parent", "a.b", "flow mL/min", "_x", "1st", "Übergang [°]", "name", "%2E", "<b>")
"""Names that attributes of devices have, that documents can't have, that HTML would take."""


def table(folder: Path, inputs: tuple[str, ...], output: str, **stated: object) -> Path:
    """Write a table of 12 rows, the last one without a result, and return its folder."""
    folder.mkdir()
    meta = {
        "parameters": [{"name": name, "type": "continuous", "unit": "1"} for name in inputs],
        "objectives": [{"name": output, "goal": "maximize", "unit": "%"}],
        **stated,
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([output, *inputs])
        for row in range(12):
            result = "" if row == 11 else row
            writer.writerow([result, *(row * (place + 1) for place in range(len(inputs)))])
    return folder


@pytest.mark.parametrize("output", ["yield g/L", "set", "_y_", "y.max"])
def test_columns_may_be_called_anything(tmp_path, capsys, output):
    folder = table(tmp_path / "odd", ODD, output)
    arguments = ["--agent", "sobol", "--experiments", "11", "--data", str(tmp_path / "c"), "--json"]

    code = main(["run", "--recorded", str(folder), *arguments])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["best"]["values"][output]["mean"] == 10.0
    assert set(found["best"]["parameters"]) == set(ODD)
    assert found["best_rank"] == 1
    assert main(["replay", str(tmp_path / "c")]) == 0


def test_what_a_table_says_of_itself_is_shown_and_never_a_rule(tmp_path, capsys):
    prose = "x == 0; only even rows"
    folder = table(tmp_path / "t", ("x",), "y", constraint=prose, rows=12)
    arguments = ["--agent", "sobol", "--experiments", "11", "--data", str(tmp_path / "c"), "--json"]

    main(["run", "--recorded", str(folder), *arguments])

    said = capsys.readouterr()
    assert json.loads(said.out)["experiments"] == 11
    assert prose in said.err
    assert "1 of 12 rows have no value for y and are left out" in said.err
    assert prose in (tmp_path / "c" / "report" / "index.html").read_text(encoding="utf-8")
