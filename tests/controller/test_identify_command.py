"""heliostat train phases and heliostat identify, on a user's own files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from controller.cli import BAD_INPUT, OK, main
from models.diffraction.grid import Grid
from models.diffraction.mixing import Bank
from models.diffraction.phase import read_phases
from models.diffraction.radiation import radiation

LISTED = Path(__file__).parents[2] / "simulators" / "data" / "powder_cifs" / "listed"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases")
    (folder / "cifs").mkdir()
    for name in ("Cu", "CuO"):
        (folder / "cifs" / f"{name}.cif").write_text((LISTED / f"{name}.cif").read_text())
    asked = ["train", "phases", "--cifs", str(folder / "cifs"), "--out", str(folder / "model")]
    assert main([*asked, "--two-theta", "25", "60", "--minutes", "0.02"]) == OK
    return folder / "model"


@pytest.fixture
def scan(tmp_path, model):
    grid, copper = Grid(20.0, 70.0, 1200), radiation("CuKa")
    phases = read_phases(model.parent / "cifs", copper, grid.least_d(copper.wavelength))
    patterns = Bank(phases, grid, copper).draw(1, torch.Generator().manual_seed(5))[:, 0]
    mixture = (0.3 * patterns[0] + 0.7 * patterns[1]).double().numpy()
    counts = np.random.default_rng(0).poisson(50 + 5000 * mixture / mixture.max())
    rows = np.stack([grid.two_theta, counts], axis=1)
    np.savetxt(tmp_path / "scan.xy", rows, fmt="%.4f %d", header="2theta counts")
    return tmp_path / "scan.xy"


def test_a_trained_model_tells_phases_and_fractions_as_json(model, scan, capsys):
    assert main(["identify", str(model), str(scan), "--json"]) == OK

    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert sorted(told["present"]) == ["Cu", "CuO"]
    by_name = {entry["phase"]: entry for entry in told["phases"]}
    assert by_name["Cu"]["fraction"] == pytest.approx(0.3, abs=0.1)
    assert by_name["Cu"]["sigma"] > 0
    assert told["verdict"] in {"accepted", "suspect"}


def test_people_are_told_in_lines(model, scan, capsys):
    assert main(["identify", str(model), str(scan)]) == OK

    out = capsys.readouterr().out
    assert out.startswith("scan.xy: ")
    assert "CuO" in out
    assert "by mass" in out


def test_what_cant_be_read_is_said_and_the_others_are_told(model, scan, tmp_path, capsys):
    (tmp_path / "broken.xy").write_text("no numbers")

    code = main(["identify", str(model), str(tmp_path), "--json"])

    said = capsys.readouterr()
    assert code == BAD_INPUT
    assert "broken.xy: holds no rows of numbers" in said.err
    assert json.loads(said.out)["pattern"] == "scan.xy"


def test_a_model_is_not_replaced_unless_wanted(model, capsys):
    asked = ["train", "phases", "--cifs", str(model.parent / "cifs"), "--out", str(model)]

    assert main(asked) == BAD_INPUT
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--wavelength", "CuKx"], "CuKa"),
        (["--two-theta", "80", "20"], "--two-theta"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_at_once(model, tmp_path, capsys, more, message):
    cifs = str(model.parent / "cifs")

    assert main(["train", "phases", "--cifs", cifs, "--out", str(tmp_path / "m"), *more]) == 2
    assert message in capsys.readouterr().err


def test_one_phase_is_nothing_to_tell_apart(tmp_path, capsys):
    (tmp_path / "Cu.cif").write_text((LISTED / "Cu.cif").read_text())

    code = main(["train", "phases", "--cifs", str(tmp_path), "--out", str(tmp_path / "m")])

    assert code == BAD_INPUT
    assert "nothing to tell apart" in capsys.readouterr().err


def test_a_folder_that_holds_no_model_is_said(tmp_path, capsys):
    assert main(["identify", str(tmp_path), "x.xy"]) == BAD_INPUT
    assert "heliostat train" in capsys.readouterr().err
