"""Simulated patterns: areas, places and widths of lines, and mixtures by mass."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffraction.conditions import Conditions
from models.diffraction.grid import Grid
from models.diffraction.mixing import Bank, Recipe, fractions_of, measure, mix, simulate
from models.diffraction.pattern import PhasePatterns, Shape
from models.diffraction.phase import phase_of
from models.diffraction.radiation import radiation
from models.diffraction.structure import read_structure

LISTED = Path(__file__).parents[3] / "simulators" / "data" / "powder_cifs" / "listed"
COPPER, ONE_LINE = radiation("CuKa"), radiation("CuKa1")
GRID = Grid(20.0, 80.0, 1366)


def _phase(name):
    return phase_of(read_structure(LISTED / f"{name}.cif"), COPPER, GRID.least_d(1.5406))


def _width(pattern):
    """Full width at half maximum, in degrees, of the highest line."""
    top = int(pattern.argmax())
    x = GRID.two_theta
    left = np.interp(pattern[top] / 2, pattern[top - 30 : top + 1], x[top - 30 : top + 1])
    right = np.interp(-pattern[top] / 2, -pattern[top : top + 30], x[top : top + 30])
    return right - left


def test_the_area_of_a_pattern_is_that_of_its_lines():
    simulator = PhasePatterns(_phase("Cu"), GRID, COPPER)
    plain = Shape.plain(simulator.phase, 1, COPPER)

    pattern = simulator(plain)[0]

    inside = simulator.places(plain)[0] < GRID.stop
    area = float(simulator.areas(plain)[0][inside].sum())
    assert float(pattern.sum()) * GRID.step == pytest.approx(area, rel=0.01)


def test_scherrer_and_the_instrument_make_the_width():
    simulator = PhasePatterns(_phase("CaO"), GRID, ONE_LINE)
    plain = Shape.plain(simulator.phase, 2, ONE_LINE)
    shape = plain.with_(size_nm=torch.tensor([1e5, 10.0]), fwhm=torch.tensor([0.3, 0.12]))

    sharp, small = simulator(shape).numpy()

    assert _width(sharp) == pytest.approx(0.3, abs=0.01)
    # 0.9 λ / (L cos θ) of 10 nm at 37.4 degrees is 0.84; a Voigt's width is nearly the sum
    assert 0.84 < _width(small) < 0.92


def test_a_line_moves_with_strain_displacement_and_zero():
    simulator = PhasePatterns(_phase("CaO"), GRID, ONE_LINE)
    plain = Shape.plain(simulator.phase, 4, ONE_LINE)
    shape = plain.with_(
        strain=torch.tensor([[0.0], [0.01], [0.0], [0.0]]),
        displacement=torch.tensor([0.0, 0.0, 0.2, 0.0]),
        zero=torch.tensor([0.0, 0.0, 0.0, -0.1]),
    )

    tops = GRID.two_theta[simulator(shape).argmax(dim=1)]

    theta = np.radians(tops[0] / 2)
    expected = [0.0, -2 * np.degrees(0.01 * np.tan(theta)), 0.2 * np.cos(theta), -0.1]
    assert tops - tops[0] == pytest.approx(expected, abs=1.2 * GRID.step)


def test_texture_favours_the_lines_of_its_axis():
    simulator = PhasePatterns(_phase("Al2O3"), GRID, COPPER)
    log_r = torch.tensor([-0.5, 0.0, 0.5])
    factors = [
        simulator.textures(torch.stack([x, torch.zeros(()), torch.zeros(())])[None])[0]
        for x in log_r
    ]
    (along,) = np.flatnonzero((simulator.phase.hkl[:, :2] == 0).all(axis=1))  # (0 0 6)

    # the largest spacing is (0 0 1): along it March and Dollase have r to the power of -3
    assert float(factors[0][along]) == pytest.approx(np.exp(1.5), rel=0.02)
    assert float(factors[2][along]) == pytest.approx(np.exp(-1.5), rel=0.02)
    assert factors[1].numpy() == pytest.approx(np.ones(len(factors[1])), abs=1e-5)


def test_many_patterns_at_a_time_are_those_of_one_at_a_time():
    simulator = PhasePatterns(_phase("TiO2_rutile"), GRID, COPPER)
    random = torch.Generator().manual_seed(3)
    plain = Shape.plain(simulator.phase, 70, COPPER)
    shape = plain.with_(
        displacement=0.3 * torch.randn(70, generator=random),
        asymmetry=0.02 * torch.rand(70, generator=random),
    )

    together = simulator(shape)
    single = torch.cat([simulator(shape.rows(slice(k, k + 1))) for k in range(70)])

    assert torch.allclose(together, single, atol=1e-4 * float(single.max()))


def test_another_radiation_has_its_lines_at_the_places_of_the_models_own():
    phase = _phase("CaO")
    own = PhasePatterns(phase, GRID, ONE_LINE)(Shape.plain(phase, 1, ONE_LINE))[0]
    molybdenum = radiation("MoKa1")

    other = PhasePatterns(phase, GRID, ONE_LINE, molybdenum)(Shape.plain(phase, 1, molybdenum))[0]

    assert int(own.argmax()) == int(other.argmax())


def test_mixtures_are_sums_by_mass():
    phases = [_phase("Cu"), _phase("CaO")]
    bank = Bank(phases, GRID, COPPER)
    random = torch.Generator().manual_seed(0)
    patterns = bank.draw(1, random)

    mixture, fractions, foreign = mix(patterns, torch.tensor([[0.3, 0.7]]), random)

    expected = 0.3 * patterns[0, 0] + 0.7 * patterns[1, 0]
    assert torch.allclose(mixture[0], expected)
    assert fractions.sum() == 1
    assert not foreign.any()


def test_fractions_are_none_or_more_than_the_least_and_sum_to_one():
    drawn = fractions_of(Recipe(), 10, 500, torch.Generator().manual_seed(1))

    present = drawn > 0
    assert torch.allclose(drawn.sum(dim=1), torch.ones(500))
    assert float(drawn[present].min()) >= 0.05 - 1e-6
    assert set(present.sum(dim=1).tolist()) == {1, 2, 3, 4}


def test_counts_scatter_as_counts_do():
    flat = torch.ones(400, GRID.count)
    conditions = Conditions(counts=(1000.0, 1000.0), background=(1e-6, 1e-6), stray=0.0)

    counts = measure(flat, GRID, conditions, torch.Generator().manual_seed(2))

    assert float(counts.mean()) == pytest.approx(1000.0, rel=0.01)
    assert float(counts.var()) == pytest.approx(1000.0, rel=0.05)


def test_the_same_seed_gives_the_same_scans():
    bank = Bank([_phase("Cu"), _phase("CuO")], GRID, COPPER)

    first, second = (
        simulate(bank, Recipe(), 5, torch.Generator().manual_seed(7), variants=4) for _ in range(2)
    )

    assert torch.equal(first.counts, second.counts)


@pytest.mark.parametrize("ends", [(0, 50), (50, 20), (10, 180)])
def test_a_range_that_is_none_is_refused(ends):
    with pytest.raises(ValueError, match="2-theta"):
        Grid(*ends, 500)
