"""Feed and cell: lags, and a composition that stays one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simulators.copper.gas import GasSystem
from simulators.copper.options import GasOptions


def test_the_cell_follows_a_change_of_gas_as_radau_says():
    options, gas = GasOptions(), GasSystem(GasOptions())
    gas.setpoints = [8.0, 2.0, 30.0]

    def rate(_, y):
        flows, cell = y[:3], y[3:]
        to_flows = (np.array([8.0, 2.0, 30.0]) - flows) / options.controller_s
        to_cell = (flows - flows.sum() * cell) / 60.0 / options.cell_ml
        return np.concatenate([to_flows, to_cell])

    for _ in range(40):
        gas.advance(1.0)

    start = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    solved = solve_ivp(rate, (0, 40.0), start, "Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    assert gas.flows == pytest.approx(solved[:3], abs=1e-6)
    assert gas.cell == pytest.approx(solved[3:], abs=2e-4)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(0, 250), st.floats(0.01, 30)),
        min_size=1,
        max_size=8,
    )
)
def test_mole_fractions_stay_between_0_and_1_and_sum_to_1(changes):
    gas = GasSystem(GasOptions())

    for o2, h2, he, seconds in changes:
        gas.setpoints = [o2, h2, he]
        gas.advance(seconds)

    assert all(-1e-12 <= share <= 1.0 + 1e-12 for share in gas.cell)
    assert sum(gas.cell) == pytest.approx(1.0, abs=1e-9)


def test_a_controller_delivers_its_full_scale_and_no_more():
    gas = GasSystem(GasOptions(o2_full_scale=50.0))
    gas.setpoints = [80.0, 0.0, 0.0]

    gas.advance(60.0)

    assert gas.flows[0] == pytest.approx(50.0)


def test_a_cell_without_flow_keeps_its_gas():
    gas = GasSystem(GasOptions())
    gas.cell = [0.1, 0.0, 0.9]

    gas.advance(3600.0)

    assert gas.cell == [0.1, 0.0, 0.9]
