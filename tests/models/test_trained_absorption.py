"""A trained model says the same after it was saved, and what it was trained on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import ModelFileError
from models.saved import CARD
from models.spectra.references import load_references, reference_files
from models.spectra.simulation import _fractions
from models.spectra.spectrum import Spectrum, checked
from models.spectra.trained import (
    hashes,
    load_absorption,
    save_absorption,
    spans_for,
    train_absorption,
)
from models.spectra.training import Training

REFERENCES = Path(__file__).parents[2] / "simulators" / "data" / "xanes_cu_herfd"
QUICK = Training(members=2, hidden=16, steps=40, batch=32, features=12)


@pytest.fixture(scope="module")
def references():
    return load_references(REFERENCES, ("Cu", "Cu2O"))


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def model(references, told):
    data = hashes(reference_files(REFERENCES), REFERENCES)
    return train_absorption(references, QUICK, data, told.append)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "copper"
    save_absorption(folder, model)
    return folder


@pytest.fixture(scope="module")
def mixture(references):
    foil, oxide = (references.spectra[label][0] for label in ("Cu", "Cu2O"))
    energy = foil.energy[2:-2]
    mu = 0.3 * foil.mu[2:-2] + 0.7 * np.interp(energy, oxide.energy, oxide.mu)
    return checked(energy, mu + 1e-4 * np.sin(7 * energy))


def test_a_saved_model_says_what_it_said_before(model, folder, mixture):
    before = model.absorption().analyse(mixture)

    after = load_absorption(folder).absorption().analyse(mixture)

    assert after.fractions == before.fractions
    assert after.method == "ensemble of 2"
    assert set(after.epistemic) == {"Cu", "Cu2O"}
    assert all(after.epistemic[k] <= after.fractions[k].sigma for k in after.epistemic)


def test_the_card_says_range_calibration_hashes_and_versions(folder, model):
    card = load_absorption(folder).card

    assert card.ranges["energy_eV"][0] < 8980 < card.ranges["energy_eV"][1]
    assert set(card.data) == {"scans.csv.gz"}
    assert card.versions["torch"]
    assert len(card.calibration) == len(model.ensembles)
    for table in card.calibration.values():
        assert table["coverage"]["0.9"] == pytest.approx(0.9, abs=0.03)
        assert 0 < table["epistemic_share"] < 1


def test_progress_goes_up_to_all_steps_of_all_ranges(told, model):
    assert told[-1].done == told[-1].total == 40 * len(model.ensembles)
    assert [p.done for p in told] == sorted(p.done for p in told)


def test_a_short_scan_is_answered_by_the_ensemble_of_a_shorter_range(folder, mixture):
    near = (mixture.energy > 8955) & (mixture.energy < 9045)
    short = Spectrum(mixture.energy[near], mixture.mu[near])

    found = load_absorption(folder).absorption().analyse(short)

    assert found.method == "ensemble of 2"


def test_a_scan_shorter_than_any_range_falls_back_and_says_so(folder, mixture):
    model = load_absorption(folder)
    near = (mixture.energy > 8955) & (mixture.energy < 9045)
    widest = max(model.ensembles, key=lambda span: span[1] - span[0])
    only = replace(model, ensembles={widest: model.ensembles[widest]})

    found = only.absorption().analyse(Spectrum(mixture.energy[near], mixture.mu[near]))

    assert "fallback" in found.method
    assert "isn't trained on" in found.method


def test_ranges_stay_inside_those_of_the_references():
    for whole in ((-12.0, 30.0), (-30.0, 70.0), (-200.0, 900.0)):
        spans = spans_for(whole)
        assert spans[0] == whole
        assert all(whole[0] <= low < high <= whole[1] for low, high in spans)


@pytest.mark.parametrize("lost", ["spectra", "spans_eV", "training"])
def test_a_card_without_what_it_takes_is_refused(folder, tmp_path, lost):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    card = json.loads((tmp_path / CARD).read_text())
    del card["options"][lost]
    (tmp_path / CARD).write_text(json.dumps(card))

    with pytest.raises(ModelFileError, match="train it again"):
        load_absorption(tmp_path)


def test_of_many_labels_a_spectrum_holds_few():
    random = torch.Generator().manual_seed(0)
    held = {
        labels: (_fractions(4000, labels, random) > 1e-9).sum(dim=1).double()
        for labels in (3, 4, 13)
    }

    assert float((held[13] <= 4).double().mean()) > 0.5
    assert float((held[13] == 13).double().mean()) > 0.2
    assert float((held[3] == 3).double().mean()) > 0.6
