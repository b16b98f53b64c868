"""A hysteresis loop says how far it opens, or why it is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.images.loops import read_loop
from models.values import Verdict

UP = np.linspace(0, 8, 17)
VOLTAGE = np.concatenate([UP, UP[::-1][1:], -UP[1:], -UP[::-1][1:-1]])


def square_loop(height=1.0, coercive=3.0):
    """Up at +coercive, down at -coercive; opens by 2 height over 2 coercive."""
    state, response = -height, []
    for volt in VOLTAGE:
        state = height if volt > coercive else -height if volt < -coercive else state
        response.append(state)
    return np.array(response)


def test_its_opening_is_the_mean_distance_between_its_branches():
    loop = read_loop(VOLTAGE, square_loop(height=1.0, coercive=3.0))

    assert loop.quality.verdict is Verdict.ACCEPTED
    assert loop.opening.mean == pytest.approx(2 * 2 * 3.25 / 16, rel=0.05)


@given(st.floats(1e-6, 1e3), st.floats(-50, 50))
def test_its_opening_scales_with_the_response_and_no_offset_changes_it(scale, offset):
    response = square_loop()

    plain = read_loop(VOLTAGE, response).opening.mean
    other = read_loop(VOLTAGE, scale * (response + offset)).opening

    assert other.mean == pytest.approx(scale * plain, rel=1e-6)


def test_a_closed_loop_opens_by_nothing_much():
    loop = read_loop(VOLTAGE, np.tanh(VOLTAGE / 3))

    assert loop.opening.mean < 0.05


@pytest.mark.parametrize(
    ("spikes", "verdict"), [(0, Verdict.ACCEPTED), (5, Verdict.SUSPECT), (20, Verdict.REJECTED)]
)
def test_the_more_fits_failed_the_less_it_is_trusted(spikes, verdict):
    response = square_loop()
    places = np.linspace(1, response.size - 2, spikes).round().astype(int)
    response[places] = 500.0

    loop = read_loop(VOLTAGE, response, largest=10.0)

    assert loop.quality.verdict is verdict
    assert (loop.opening is None) == (verdict is Verdict.REJECTED)


def test_a_spike_smoothed_over_hardly_changes_the_opening():
    response = square_loop()
    spiked = response.copy()
    spiked[[4, 30, 41, 52]] = -300.0

    plain, mended = read_loop(VOLTAGE, response), read_loop(VOLTAGE, spiked, largest=10.0)

    assert mended.opening.mean == pytest.approx(plain.opening.mean, rel=0.1)
    assert mended.opening.sigma > plain.opening.sigma


def test_noise_is_no_loop():
    noise = np.random.default_rng(3).standard_normal(VOLTAGE.size)

    loop = read_loop(VOLTAGE, noise)

    assert loop.quality.verdict is Verdict.REJECTED
    assert "path" in loop.quality.reasons[0]


@pytest.mark.parametrize(
    ("voltage", "response"),
    [
        (VOLTAGE, square_loop()[:-1]),
        (VOLTAGE[:8], square_loop()[:8]),
        (np.zeros(VOLTAGE.size), square_loop()),
        (VOLTAGE, np.full(VOLTAGE.size, np.nan)),
    ],
)
def test_what_cannot_be_a_loop_is_a_verdict_and_no_error(voltage, response):
    assert read_loop(voltage, response).quality.verdict is Verdict.REJECTED
