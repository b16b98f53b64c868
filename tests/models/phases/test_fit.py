"""The full-pattern fit finds what was put in, and says what it can't explain."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffraction.grid import Grid
from models.diffraction.pattern import PhasePatterns, Shape
from models.diffraction.phase import phases_of
from models.diffraction.powder import powder
from models.diffraction.radiation import radiation
from models.diffraction.resampling import on_grid
from models.diffraction.structure import read_structure
from models.phases.fit import FullPattern
from models.phases.templates import Templates, blurred

DATA = Path(__file__).parents[3] / "simulators" / "data" / "powder_cifs"
COPPER, GRID = radiation("CuKa"), Grid(20.0, 80.0, 1366)
NAMES = ("listed/CaO", "listed/Al2O3", "listed/TiO2_rutile", "unlisted/Fe2O3")
TRUE = {"displacement": 0.15, "strain": (0.004, -0.003, 0.002, 0.0)}


@pytest.fixture(scope="module")
def simulators():
    structures = [read_structure(DATA / f"{name}.cif") for name in NAMES]
    phases = phases_of(structures, COPPER, GRID.least_d(COPPER.wavelength))
    return [PhasePatterns(phase, GRID, COPPER) for phase in phases]


def _scan(simulators, masses, counts=3000.0, seed=0):
    total = np.zeros(GRID.count)
    for simulator, mass, strain in zip(simulators, masses, TRUE["strain"], strict=True):
        plain = Shape.plain(simulator.phase, 1, COPPER)
        strains = torch.zeros(1, simulator.phase.modes)
        strains[0, 0] = strain
        moved = torch.tensor([TRUE["displacement"]])
        shape = plain.with_(strain=strains, displacement=moved, size_nm=torch.tensor([30.0]))
        total += mass * simulator(shape)[0].double().numpy()
    mean = counts * total / total.max() + 150 + 100 * np.exp(-GRID.two_theta / 20)
    noisy = np.random.default_rng(seed).poisson(mean).astype(float)
    return on_grid(powder("simulated", GRID.two_theta, noisy), GRID, COPPER, COPPER)


def _fitted(simulators, scan, phases):
    listed = simulators[:3]
    guess = Templates(listed, GRID, COPPER).guess(
        blurred(scan.intensity - scan.intensity.min(), GRID), scan.measured
    )
    fit = FullPattern(listed, GRID, COPPER.weight)
    return fit.fit(scan, phases, guess.displacement, guess.strains[phases])


def test_fractions_strains_and_displacement_come_back(simulators):
    scan = _scan(simulators, (0.5, 0.3, 0.2, 0.0))

    found = _fitted(simulators, scan, [0, 1, 2])

    assert found.fractions == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    assert found.strains == pytest.approx(TRUE["strain"][:3], abs=5e-4)
    assert found.displacement == pytest.approx(TRUE["displacement"], abs=0.05)
    assert found.misfit < 1.3
    assert found.leftover.apart < 0.003


def test_a_phase_that_is_not_there_gets_little_and_gains_little(simulators):
    scan = _scan(simulators, (0.6, 0.4, 0.0, 0.0))

    found = _fitted(simulators, scan, [0, 1, 2])

    assert found.fractions[2] < 0.01
    assert found.gains[2] < 30 < found.gains[1]


def test_lines_of_a_phase_that_nobody_listed_are_left_over(simulators):
    scan = _scan(simulators, (0.5, 0.2, 0.0, 0.3))

    found = _fitted(simulators, scan, [0, 1])

    assert found.leftover.apart > 0.05
    assert found.leftover.highest > 20


def test_sigma_grows_as_counts_become_fewer(simulators):
    many, few = (_scan(simulators, (0.5, 0.3, 0.2, 0.0), counts) for counts in (2e4, 200.0))

    sigma = [_fitted(simulators, scan, [0, 1, 2]).sigma[0] for scan in (many, few)]

    assert sigma[1] > 2 * sigma[0]


def test_the_unit_of_the_intensity_changes_nothing(simulators):
    scan = _scan(simulators, (0.5, 0.3, 0.2, 0.0))
    same = type(scan)(scan.name, scan.intensity / 7, scan.variance / 49, scan.measured)

    first, second = (_fitted(simulators, each, [0, 1, 2]) for each in (scan, same))

    assert second.fractions == pytest.approx(first.fractions, abs=1e-3)
