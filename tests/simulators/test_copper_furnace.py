"""The furnace: ramps, overshoots, settles, and can't cool faster than it loses heat."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from simulators.copper.furnace import Furnace
from simulators.copper.options import FurnaceOptions


def run(furnace, seconds):
    readings = []
    for _ in range(seconds):
        furnace.control()
        furnace.advance(1.0)
        readings.append(furnace.readback)
    return np.array(readings)


@pytest.fixture
def furnace():
    return Furnace(FurnaceOptions())


def test_it_ramps_at_the_asked_rate_overshoots_a_little_and_settles(furnace):
    furnace.ramp_rate = 20.0
    furnace.aim(350.0)

    readings = run(furnace, 3600)

    rates = (readings[300:900] - readings[240:840]) / 1.0  # K per 60 s
    assert rates == pytest.approx(20.0, abs=0.5)
    assert 1.0 < readings.max() - 350.0 < 12.0
    assert readings[-600:] == pytest.approx(350.0, abs=0.1)


def test_cooling_is_limited_by_the_losses_whatever_ramp_is_asked(furnace):
    furnace.ramp_rate = 20.0
    furnace.aim(350.0)
    run(furnace, 2400)
    furnace.ramp_rate = 500.0
    furnace.aim(100.0)

    readings = run(furnace, 3600)

    natural = 25.0 + (readings[0] - 25.0) * np.exp(-np.arange(3600) / 500.0)
    assert (readings[:700] >= natural[:700] - 6.0).all()
    assert readings[-1] == pytest.approx(100.0, abs=0.5)


def test_a_setpoint_beyond_its_power_is_never_reached(furnace):
    furnace.ramp_rate = 1000.0
    furnace.aim(3000.0)

    readings = run(furnace, 7200)

    assert furnace.power == FurnaceOptions().maximum_w
    assert readings[-1] < 1500.0


def test_a_new_setpoint_starts_its_ramp_where_the_furnace_is(furnace):
    furnace.aim(300.0)
    run(furnace, 2400)
    furnace.ramp_rate = 500.0
    furnace.aim(50.0)
    run(furnace, 120)
    furnace.ramp_rate = 20.0

    furnace.aim(200.0)

    assert furnace.working == furnace.readback


def test_a_piece_of_constant_power_agrees_with_radau(furnace):
    o = FurnaceOptions()
    furnace.power = 150.0
    furnace.heater, furnace.stage, furnace.thermocouple = 90.0, 60.0, 55.0

    def rate(_, y):
        heater, stage, thermocouple = y
        exchanged = o.coupling_w_k * (heater - stage)
        return [
            (150.0 - exchanged - o.heater_loss_w_k * heater) / o.heater_j_k,
            (exchanged - o.stage_loss_w_k * stage) / o.stage_j_k,
            (stage - thermocouple) / o.thermocouple_s,
        ]

    furnace.advance(137.0)

    solved = solve_ivp(rate, (0, 137.0), [90.0, 60.0, 55.0], "Radau", rtol=1e-10, atol=1e-10)
    state = [furnace.heater, furnace.stage, furnace.thermocouple]
    assert state == pytest.approx(solved.y[:, -1], abs=1e-6)
