"""Copper's kinetics: exact, stiff-safe, inside the simplex, and of the literature's order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simulators.copper.kinetics import CopperKinetics, Rates, propagate
from simulators.copper.options import KineticsOptions

rate = st.one_of(st.just(0.0), st.floats(1e-12, 1e6))


def derivative(x, rates):
    cu0, cu2 = x
    cu1 = 1.0 - cu0 - cu2
    return [
        -rates.oxidation_to_cu1 * cu0 + rates.reduction_to_cu0 * cu1,
        rates.oxidation_to_cu2 * cu1 - rates.reduction_to_cu1 * cu2,
    ]


def by_radau(x, rates, seconds):
    solved = solve_ivp(
        lambda _, y: derivative(y, rates), (0, seconds), x, "Radau", rtol=1e-10, atol=1e-12
    )
    return solved.y[:, -1]


@pytest.mark.parametrize(
    "rates",
    [
        Rates(1e-2, 1e-3, 5e-4, 2e-3),
        Rates(1e4, 1e-3, 1e-2, 1e2),
        Rates(0.0, 0.0, 1e-2, 3e-3),
        Rates(1e-2, 1e-2, 0.0, 0.0),
        Rates(1e-9, 1e-8, 1e-9, 1e-8),
    ],
)
@pytest.mark.parametrize("seconds", [1.0, 600.0])
def test_a_step_agrees_with_radau_for_mild_and_stiff_rates(rates, seconds):
    start = [0.3, 0.5]

    stepped = propagate(*start, rates, seconds)

    assert stepped == pytest.approx(by_radau(start, rates, seconds), abs=1e-8)


def test_equal_rates_where_both_eigenvalues_meet_are_exact_too():
    rates = Rates(0.2, 0.2, 0.0, 0.0)

    cu0, cu2 = propagate(1.0, 0.0, rates, 5.0)

    assert cu0 == pytest.approx(np.exp(-1.0), rel=1e-12)
    assert cu2 == pytest.approx(1.0 - 2.0 * np.exp(-1.0), rel=1e-10)


@settings(max_examples=300, deadline=None)
@given(
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    rates=st.builds(Rates, rate, rate, rate, rate),
    seconds=st.floats(0, 1e5),
)
def test_fractions_stay_in_the_simplex_for_any_rates_and_step(shares, rates, seconds):
    cu0 = shares[0]
    cu2 = shares[1] * (1.0 - cu0)

    new0, new2 = propagate(cu0, cu2, rates, seconds)

    assert 0.0 <= new0 <= 1.0
    assert 0.0 <= new2 <= 1.0
    assert new0 + new2 <= 1.0 + 1e-15


@settings(max_examples=100, deadline=None)
@given(rates=st.builds(Rates, *[st.floats(1e-6, 1e2)] * 4), seconds=st.floats(0.1, 1e3))
def test_one_long_step_is_two_halves(rates, seconds):
    whole = propagate(0.6, 0.1, rates, seconds)
    halves = propagate(*propagate(0.6, 0.1, rates, seconds / 2), rates, seconds / 2)

    assert whole == pytest.approx(halves, abs=1e-9)


def test_a_long_time_ends_at_detailed_balance():
    rates = Rates(3e-2, 2e-3, 1e-3, 5e-3)

    cu0, cu2 = propagate(1.0, 0.0, rates, 1e6)

    cu1 = 1.0 - cu0 - cu2
    assert rates.oxidation_to_cu1 * cu0 == pytest.approx(rates.reduction_to_cu0 * cu1, rel=1e-9)
    assert rates.oxidation_to_cu2 * cu1 == pytest.approx(rates.reduction_to_cu1 * cu2, rel=1e-9)


def test_rates_follow_arrhenius_and_the_order_of_reaction():
    kinetics = CopperKinetics(KineticsOptions())

    cold, hot = kinetics.rates(523.15, 0.04, 0.02), kinetics.rates(623.15, 0.04, 0.02)
    rich = kinetics.rates(523.15, 0.16, 0.04)

    slope = np.log(hot.reduction_to_cu0 / cold.reduction_to_cu0) / (1 / 523.15 - 1 / 623.15)
    assert slope * 8.314462618 == pytest.approx(114.6e3, rel=1e-6)
    assert rich.oxidation_to_cu1 == pytest.approx(2.0 * cold.oxidation_to_cu1)
    assert rich.reduction_to_cu1 == pytest.approx(2.0 * cold.reduction_to_cu1)


def test_without_a_gas_its_reactions_stand_still():
    rates = CopperKinetics(KineticsOptions()).rates(700.0, 0.0, 0.0)

    assert rates == Rates(0.0, 0.0, 0.0, 0.0)


def test_copper_oxide_is_easier_to_reduce_than_cuprous_oxide_as_kim_2003_found():
    rates = CopperKinetics(KineticsOptions()).rates(250.0 + 273.15, 0.0, 0.05)

    assert rates.reduction_to_cu1 > 10.0 * rates.reduction_to_cu0


def test_fully_oxidised_copper_is_metal_after_ten_minutes_of_regeneration():
    kinetics = CopperKinetics(KineticsOptions())

    kinetics.advance(600.0, 350.0 + 273.15, 0.0, 0.05)

    assert kinetics.cu0 > 0.99
