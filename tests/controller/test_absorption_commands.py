"""Absorption files from the command line: train, fit, quality and drift, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from controller.cli import main
from models import fast
from models.spectra.reading import read_scans

DATA = Path(__file__).parents[2] / "simulators" / "data"
HERFD = DATA / "xanes_cu_herfd"
NIO = DATA / "xanes_nio_mono_drift" / "scans.csv.gz"
TRAIN = ["train", "absorption", "--references", str(HERFD), "--label", "Cu", "--label", "Cu2O"]


def _said(arguments, capsys):
    code = main([str(word) for word in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture
def foil(tmp_path):
    (scan, *_) = read_scans(HERFD / "scans.csv.gz")
    energy, mu = scan.points()
    path = tmp_path / "foil.dat"
    np.savetxt(path, np.stack([mu, energy / 1000], axis=1), header="xmu  Energy(keV)")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "copper"
    assert main([*TRAIN, "--out", str(folder), "--steps", "50"]) == 0
    return folder


def test_a_model_is_trained_once_and_asked_about_any_file(model, foil, capsys):
    code, out, _ = _said(["fit", model, foil, HERFD, "--json"], capsys)

    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(found) == 23
    assert found[0]["fractions"]["Cu"]["mean"] > 0.8
    assert 0 < found[0]["fractions"]["Cu"]["epistemic"] <= found[0]["fractions"]["Cu"]["sigma"]


def test_a_model_in_the_way_is_replaced_only_when_told(model, capsys):
    before = (model / "model.json").read_text()

    code, _, err = _said([*TRAIN, "--out", model, "--steps", "50"], capsys)

    assert code == 2
    assert "--force" in err
    assert (model / "model.json").read_text() == before


def test_fast_says_what_is_missing_and_goes_on(model, foil, capsys, monkeypatch):
    monkeypatch.setattr(fast, "missing", lambda: ("onnxruntime",))

    plain = _said(["fit", model, foil], capsys)
    quick = _said(["fit", model, foil, "--fast"], capsys)

    assert quick[:2] == plain[:2]
    assert "heliostat[fast]" in quick[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "{foil}"], "give a model and files"),
        (["fit", "{foil}", "{foil}"], "isn't a folder; the first argument is a model"),
        (["fit", "{model}", "{foil}", "--label", "Cu"], "go with --references"),
        (["fit", "{model}", "{foil}", "--signal", "foil"], "no column 'foil'"),
        (["fit", "{model}", "{foil}", "--columns", "energy"], "its rows have 2"),
        (["quality", "{model}/model.json"], "no table of numbers"),
        (["quality", "{foil}", "--model", "{model}"], "is a model of kind 'absorption'"),
        (["drift", "{foil}"], "two scans"),
        (["drift", "{foil}", "--only", "reference"], "no scan's name"),
        (["train", "quality", "--scans", "{foil}", "--out", "x"], "labelled scans"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_word_on_what_can(
    model, foil, capsys, arguments, said
):
    words = [word.format(foil=foil, model=model) for word in arguments]

    code, out, err = _said(words, capsys)

    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())
    assert not out


def test_quality_grades_each_scan_and_tells_the_unreadable_last(foil, tmp_path, capsys):
    dead, broken = tmp_path / "dead.csv", tmp_path / "broken.dat"
    energy = np.linspace(8900, 9200, 200)
    dead.write_text("energy_eV,i0,it\n" + "\n".join(f"{e},1000,0" for e in energy))
    broken.write_text("nothing here")

    code, out, err = _said(["quality", broken, foil, dead, "--json"], capsys)

    found = {Path(line["file"]).name: line for line in map(json.loads, out.splitlines())}
    assert code == 2
    assert "broken.dat" in err
    assert found["foil.dat"]["verdict"] == "good"
    assert found["dead.csv"]["verdict"] == "bad"
    assert found["dead.csv"]["probability_good"] == 0.0
    assert found["dead.csv"]["reasons"]


def test_quality_in_words_names_the_verdict_and_the_probability(foil, capsys):
    code, out, _ = _said(["quality", foil], capsys)

    assert code == 0
    assert "good, good with probability" in out


def test_drift_of_the_sample_is_that_of_the_foil_behind_it(capsys):
    _, sample, _ = _said(["drift", NIO, "--only", "sample", "--json"], capsys)
    code, foil, _ = _said(["drift", NIO, "--only", "reference", "--json"], capsys)

    one, other = ([json.loads(line) for line in text.splitlines()] for text in (sample, foil))
    assert code == 0
    assert len(one) == 10
    for a, b in zip(one, other, strict=True):
        assert a["shift_eV"] == pytest.approx(b["shift_eV"], abs=0.1)
