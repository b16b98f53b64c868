"""What becomes of precursors in the furnace, and what the diffractometer sees of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.errors import ExposureError
from simulators.powder.chemistry import MASSES, PHASES, Powder
from simulators.powder.options import ChemistryOptions
from simulators.powder.twin import PowderTwin

LITHIUM = (2, 0, 1, 2, 0, 1)
MANGANESE = (0, 2, 2, 1, 3, 1)


def heated(ratio, degc, hours):
    powder = Powder(ChemistryOptions())
    powder.load(ratio)
    for _ in range(int(60 * hours)):
        powder.advance(60.0, degc)
    return powder


def atoms(powder, each):
    return sum(n * count for n, count in zip(powder.amounts, each, strict=True))


@given(st.floats(0.05, 3.0), st.floats(20, 1000), st.floats(0.0, 20.0))
def test_manganese_stays_lithium_is_lost_at_most_and_nothing_is_negative(ratio, degc, hours):
    powder = heated(ratio, degc, hours)

    assert min(powder.amounts) >= 0
    assert atoms(powder, MANGANESE) == pytest.approx(1.0)
    assert atoms(powder, LITHIUM) <= ratio * (1 + 1e-9)
    assert sum(powder.fractions().values()) == pytest.approx(1.0)


def test_the_spinel_is_pure_at_its_own_ratio_after_hours_at_the_right_temperature():
    best = heated(0.5, 780.0, 6.0).fractions()["LiMn2O4"]

    others = [heated(*recipe).fractions()["LiMn2O4"] for recipe in NEIGHBOURS]
    assert best > 0.97
    assert max(others) < best


NEIGHBOURS = [(0.35, 780.0, 6.0), (0.8, 780.0, 6.0), (0.5, 600.0, 6.0), (0.5, 940.0, 6.0)]


def test_too_hot_it_parts_into_something_that_nobody_has_listed():
    fractions = heated(0.5, 940.0, 4.0).fractions()

    assert fractions["LiMnO2"] > 0.2
    assert fractions["Mn3O4"] > 0.2


def test_cold_it_stays_what_it_was_however_long():
    assert heated(0.5, 100.0, 500.0).fractions()["LiMn2O4"] == 0.0


def test_masses_are_those_of_the_formulas():
    weights = {"Li": 6.94, "Mn": 54.938, "C": 12.011, "O": 15.999}
    formulas = (
        {"Li": 2, "C": 1, "O": 3},
        {"Mn": 2, "O": 3},
        {"Li": 1, "Mn": 2, "O": 4},
        {"Li": 2, "Mn": 1, "O": 3},
        {"Mn": 3, "O": 4},
        {"Li": 1, "Mn": 1, "O": 2},
    )
    expected = [sum(weights[e] * n for e, n in formula.items()) for formula in formulas]

    assert list(MASSES) == pytest.approx(expected, rel=2e-4)
    assert len(PHASES) == len(formulas)


@pytest.fixture(scope="module")
def twin():
    twin = PowderTwin(3)
    twin.command("dispenser.ratio", 0.5)
    twin.load()
    twin.command("shutter.open", 1.0)
    return twin


def test_a_longer_scan_counts_more_and_is_less_noisy(twin):
    short, long = twin.expose(60.0), twin.expose(600.0)

    assert long.sum() / short.sum() == pytest.approx(10.0, rel=0.05)
    assert np.abs(long / 600 - short / 60).mean() > 0


def test_the_strongest_line_of_the_precursor_is_where_the_book_has_it(twin):
    counts = twin.expose(3600.0)

    assert twin.two_theta[np.argmax(counts)] == pytest.approx(32.95, abs=0.4)  # Mn2O3 (222)


def test_the_same_seed_and_story_give_the_same_counts_and_another_exposure_others(twin):
    again = PowderTwin(3)
    again.restore(twin.snapshot())

    first, second = twin.expose(10.0), twin.expose(10.0)

    assert (again.expose(10.0) == first).all()
    assert (first != second).any()


def test_without_the_beam_nothing_is_counted():
    assert PowderTwin(1).expose(10.0).sum() == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_exposure_takes_some_time(twin, seconds):
    with pytest.raises(ExposureError):
        twin.expose(seconds)
