import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.acquisition import Feasibility, Improvement, Total
from agents.excess import Aim, log_closeness, log_excess, log_h
from agents.hypervolume import HypervolumeImprovement, front_of, strips_of, thresholds_of
from agents.outlook import Outlook, drawn, normals_of
from models.surrogates.gaussian import fit
from models.surrogates.training import Training

POINTS = np.random.default_rng(1).random((6, 3))
STEP = 1e-6
NUMBERS = st.floats(-50, 50)
SIGMAS = st.floats(1e-4, 10)


def process(phase, count=20, noise=0.0):
    generator = np.random.default_rng(9)
    inputs = generator.random((count, 3))
    outcomes = np.sin(4 * inputs[:, 0] + phase) + inputs[:, 1] * inputs[:, 2]
    outcomes = outcomes + noise * generator.standard_normal(count)
    outcomes = (outcomes - outcomes.mean()) / outcomes.std()
    return fit(Training(inputs, outcomes, np.zeros(count), np.arange(3)))


ONE, OTHER = process(0.0), process(2.0)
PLACES = np.random.default_rng(3).random((3, 3))
DRAWS = drawn(ONE, PLACES, normals_of(3, 8, 1))
SUPPOSING = Outlook.supposing(ONE, PLACES, DRAWS)


def worths_of(*processes):
    return np.stack([process.training.outcomes for process in processes], axis=1)


def by_scenario(draws):
    known = worths_of(ONE, OTHER)
    tails = np.stack([draws.T, np.zeros_like(draws.T)], axis=2)
    return np.concatenate([np.repeat(known[None], len(tails), axis=0), tails], axis=1)


PLAIN = (Outlook.plain(ONE), Outlook.plain(OTHER))
TERMS = {
    "greater is better": Improvement(PLAIN[0], Aim(), np.array([1.2])),
    "less is better": Improvement(PLAIN[0], Aim(-1.0), np.array([1.2])),
    "a target": Improvement(PLAIN[0], Aim(target=0.3), np.array([-0.2])),
    "scenarios": Improvement(SUPPOSING, Aim(), DRAWS.max(axis=0)),
    "scenarios of a target": Improvement(SUPPOSING, Aim(target=0.3), np.full(8, -0.1)),
    "at most": Feasibility(PLAIN[0], 0.2),
    "at least": Feasibility(SUPPOSING, 0.2, -1.0),
    "two objectives": HypervolumeImprovement(
        PLAIN, (Aim(), Aim()), strips_of(worths_of(ONE, OTHER)[None], np.array([-1.0, -1.0]))
    ),
    "two objectives, scenarios": HypervolumeImprovement(
        (SUPPOSING, Outlook.supposing(OTHER, PLACES, DRAWS)),
        (Aim(), Aim(target=0.2)),
        strips_of(by_scenario(DRAWS), np.array([-1.0, -1.5])),
    ),
}
TERMS["a product"] = Total((TERMS["greater is better"], TERMS["at most"]))


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_the_slopes_of_the_values(name):
    term = TERMS[name]

    values, slopes = term.slopes(POINTS)

    assert values == pytest.approx(term.values(POINTS), rel=1e-9)
    for column in range(3):
        step = STEP * np.eye(3)[column]
        measured = (term.values(POINTS + step) - term.values(POINTS - step)) / (2 * STEP)
        assert slopes[:, column] == pytest.approx(measured, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("z", [6.0, 1.0, -0.999, -1.001, -8.0, -30.0, -199.0, -201.0, -1e3])
def test_the_logarithm_of_h_is_right_where_h_itself_is_lost(z):
    from scipy.integrate import quad

    # h(z) = phi(z) * integral of t exp(z t - t^2 / 2) over t > 0
    top = 60.0 / max(1.0, -z) if z < 0 else z + 40.0
    inside, _ = quad(lambda t: t * math.exp(z * t - t * t / 2 - max(z, 0) ** 2 / 2), 0, top)
    expected = math.log(inside) - z * z / 2 + max(z, 0) ** 2 / 2 - 0.5 * math.log(2 * math.pi)

    value, slope = log_h(np.array([z, z + 1e-5, z - 1e-5]))

    assert value[0] == pytest.approx(expected, rel=1e-9)
    assert slope[0] == pytest.approx((value[1] - value[2]) / 2e-5, rel=1e-5)


@settings(max_examples=200, deadline=None)
@given(NUMBERS, SIGMAS, NUMBERS)
def test_an_excess_is_finite_has_a_slope_and_grows_with_the_mean(mean, sigma, level):
    found = log_excess(np.array([mean]), np.array([sigma]), np.array([level]))

    assert np.isfinite(found.value).all()
    assert np.isfinite(found.by_mean).all() and (found.by_mean > 0).all()
    assert np.isfinite(found.by_sigma).all()


@settings(max_examples=200, deadline=None)
@given(NUMBERS, SIGMAS, st.floats(1e-6, 5))
def test_closeness_is_finite_and_greatest_at_the_target(mean, sigma, reach):
    there, here = (
        log_closeness(np.array([m]), np.array([sigma]), np.array([reach])) for m in (mean, 0.0)
    )

    assert np.isfinite(there.value).all() and np.isfinite(there.by_mean).all()
    assert there.value[0] <= here.value[0] + 1e-6
    assert there.value[0] <= math.log(reach) + 1e-6


def test_no_reach_is_nothing_to_be_had():
    found = log_closeness(np.array([0.1]), np.array([0.2]), np.array([0.0]))

    assert found.value[0] == -np.inf


@pytest.mark.parametrize("mean", [-1.0, 0.2, 0.6])
def test_closeness_is_the_mean_of_samples(mean):
    samples = mean + 0.5 * np.random.default_rng(0).standard_normal(400_000)
    expected = np.maximum(0.4 - np.abs(samples), 0).mean()

    found = log_closeness(np.array([mean]), np.array([0.5]), np.array([0.4]))

    assert np.exp(found.value[0]) == pytest.approx(expected, rel=0.02)


def volume(worths, thresholds):
    above = worths[(worths > thresholds).all(axis=1)]
    total, edge = 0.0, thresholds[0]
    for first, second in front_of(above):
        total += (first - edge) * (second - thresholds[1])
        edge = first
    return total


def test_hypervolume_improvement_is_the_mean_gain_of_samples():
    thresholds = np.array([-1.0, -1.0])
    known = worths_of(ONE, OTHER)
    before = volume(known, thresholds)
    generator = np.random.default_rng(0)
    # where an improvement is likely, so that samples can tell
    place = POINTS[np.argsort(-TERMS["two objectives"].values(POINTS))[:1]]
    sides = [process.moments(place) for process in (ONE, OTHER)]
    sides = [(mean, 4 * sigma + 0.3) for mean, sigma in sides]
    samples = np.stack([m + s * generator.standard_normal(4000) for m, s in sides], axis=1)
    expected = np.mean([volume(np.vstack([known, row]), thresholds) - before for row in samples])

    class Wide:
        def __init__(self, mean, sigma):
            self.at = lambda _points: (mean[:, None], sigma)

    gain = HypervolumeImprovement(
        (Wide(*sides[0]), Wide(*sides[1])), (Aim(), Aim()), strips_of(known[None], thresholds)
    )

    assert np.exp(gain.values(place)[0]) == pytest.approx(expected, rel=0.1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_a_front_is_what_nothing_beats_and_thresholds_lie_below_it(rows):
    worths = np.array(rows, dtype=float)

    front = front_of(worths)

    for row in worths:
        assert (front >= row).all(axis=1).any()
    for row in front:
        assert not ((worths >= row).all(axis=1) & (worths > row).any(axis=1)).any()
    assert (thresholds_of(worths) < front.min(axis=0)).all()


def test_scenarios_are_certain_of_what_they_suppose_and_scatter_as_the_posterior():
    mean, sigma = SUPPOSING.at(PLACES)
    many = drawn(ONE, PLACES, normals_of(3, 4096, 5))

    assert mean == pytest.approx(DRAWS, abs=1e-4)
    assert (sigma < 1e-3).all()
    assert many.mean(axis=1) == pytest.approx(ONE.joint(PLACES)[0], abs=0.02)
    assert np.cov(many) == pytest.approx(ONE.joint(PLACES)[1], abs=0.02)
