"""A small identifier, trained for seconds: what it knows, what it doesn't, and how it is kept."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffraction.grid import Grid
from models.diffraction.mixing import Bank, measure
from models.diffraction.phase import phases_of
from models.diffraction.powder import powder
from models.diffraction.radiation import radiation
from models.diffraction.structure import read_structure
from models.errors import ModelFileError, PatternError
from models.phases.learning import Learning, learn
from models.phases.store import load_identifier, save_identifier
from models.phases.training import Source, Training, train
from models.values import Verdict

DATA = Path(__file__).parents[3] / "simulators" / "data" / "powder_cifs"
COPPER, GRID = radiation("CuKa"), Grid(20.0, 80.0, 683)
LISTED = ("Cu", "Cu2O", "CuO")
LEARNING = Learning(Training(steps=12, members=2, batch=24, variants=16), scans=48)


def _phases(*names):
    structures = [read_structure(DATA / f"{name}.cif") for name in names]
    return phases_of(structures, COPPER, GRID.least_d(COPPER.wavelength))


@pytest.fixture(scope="module")
def learnt():
    told = []
    done = learn(_phases(*(f"listed/{n}" for n in LISTED)), GRID, COPPER, LEARNING, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    return done


def _pattern(names, fractions, seed=0):
    bank = Bank(_phases(*names), GRID, COPPER)
    random = torch.Generator().manual_seed(seed)
    mixture = torch.tensordot(torch.tensor(fractions), bank.draw(1, random)[:, 0], dims=1)
    quiet = replace(bank.conditions, counts=(5000.0, 5000.0), background=(0.02, 0.02))
    counts = measure(mixture[None], GRID, quiet, random)[0].double().numpy()
    return powder("simulated", GRID.two_theta, counts)


def test_a_mixture_is_told_with_its_fractions(learnt):
    found = learnt.identifier.identify(_pattern(("listed/Cu", "listed/CuO"), (0.4, 0.6)))

    assert {phase.name for phase in found.present} == {"Cu", "CuO"}
    assert found.quality.verdict is not Verdict.REJECTED
    fractions = {phase.name: phase.fraction for phase in found.present}
    assert fractions["Cu"].mean == pytest.approx(0.4, abs=0.1)
    assert all(part.sigma > 0 for part in fractions.values())
    assert sum(part.mean for part in fractions.values()) == pytest.approx(1.0)


def test_a_phase_that_nobody_listed_is_noticed(learnt):
    names = ("listed/Cu", "unlisted/SiO2_quartz")
    # quartz scatters a tenth of what copper does
    found = learnt.identifier.identify(_pattern(names, (0.2, 0.8)))

    assert found.quality.verdict is Verdict.REJECTED
    assert any("no listed phase has" in reason for reason in found.quality.reasons)


def test_figures_of_the_training_stand_beside_it(learnt):
    assert learnt.figures["exact_set"] > 0.7
    assert learnt.figures["novelty_auroc"] > 0.8
    assert sum(learnt.table["count"]) == LEARNING.scans * len(LISTED)


def test_part_of_the_range_is_enough_and_too_little_is_refused(learnt):
    whole = _pattern(("listed/Cu2O",), (1.0,))
    some = (whole.axis > 30) & (whole.axis < 65)
    little = whole.axis < 25

    found = learnt.identifier.identify(powder("part", whole.axis[some], whole.intensity[some]))

    assert [phase.name for phase in found.present] == ["Cu2O"]
    with pytest.raises(PatternError, match="covers"):
        learnt.identifier.identify(powder("no", whole.axis[little], whole.intensity[little]))


def test_a_pattern_of_another_tube_is_told_as_well(learnt):
    whole = _pattern(("listed/Cu2O",), (1.0,))
    molybdenum = radiation("MoKa1")
    own = np.radians(whole.axis / 2)
    theta = np.arcsin(np.sin(own) * molybdenum.wavelength / COPPER.wavelength)
    d = COPPER.wavelength / 2 / np.sin(own)
    # the same crystals: lines of the same areas over LP, on an axis that is narrower
    narrower = np.gradient(theta) / np.gradient(own)
    lines = whole.intensity * molybdenum.factor(d) / COPPER.factor(d) / narrower
    other = powder("Mo", 2 * np.degrees(theta), lines)

    found = learnt.identifier.identify(other, molybdenum)

    assert [phase.name for phase in found.present] == ["Cu2O"]


def test_the_same_seed_trains_the_same_networks():
    training = Training(steps=3, members=1, batch=8, variants=8)

    first, second = (
        train(
            Source(_phases("listed/Cu", "listed/CuO"), GRID, COPPER, training), lambda _: None
        ).state_dict()
        for _ in range(2)
    )

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_comes_back_from_its_folder_as_it_was(learnt, tmp_path):
    save_identifier(tmp_path / "model", learnt, LEARNING, {"Cu.cif": "0" * 64})
    pattern = _pattern(("listed/Cu", "listed/CuO"), (0.4, 0.6))

    back = load_identifier(tmp_path / "model")

    assert back.identify(pattern) == learnt.identifier.identify(pattern)
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    assert card["ranges"]["two_theta_deg"] == [20.0, 80.0]
    assert card["data"] == {"Cu.cif": "0" * 64}


def test_a_card_that_says_something_else_is_refused(learnt, tmp_path):
    save_identifier(tmp_path / "model", learnt, LEARNING, {})
    path = tmp_path / "model" / "model.json"
    card = json.loads(path.read_text())
    card["options"]["hidden"] = 7
    path.write_text(json.dumps(card))

    with pytest.raises(ModelFileError, match="train it again"):
        load_identifier(tmp_path / "model")
