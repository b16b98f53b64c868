"""Intervals learn from what they missed, and say when they can't be trusted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from models.calibration import CalibrationOptions, Calibrator, Coverage


def fed(errors: np.ndarray, calibrator: Calibrator | None = None) -> Calibrator:
    calibrator = calibrator or Calibrator()
    for error in errors:
        calibrator.observe(2.0, 0.5, 2.0 + 0.5 * float(error))
    return calibrator


def test_without_outcomes_sigma_is_taken_as_it_is_and_intervals_are_a_little_wider() -> None:
    calibrator = Calibrator()

    assert calibrator.scale == 1.0
    assert norm.ppf(0.95) < calibrator.factor(0.9) < 1.3 * norm.ppf(0.95)
    assert calibrator.alarm is None


def test_a_model_three_times_too_sure_is_given_intervals_three_times_as_wide() -> None:
    errors = 3 * np.random.default_rng(1).normal(size=300)

    calibrator = fed(errors)

    assert calibrator.factor(0.9) == pytest.approx(3 * norm.ppf(0.95), rel=0.15)
    assert calibrator.raw_coverage().share < 0.5
    assert calibrator.coverage().low < 0.9 < calibrator.coverage().high


def test_heavy_tails_are_covered_at_each_level_by_the_residuals_themselves() -> None:
    errors = np.random.default_rng(2).standard_t(2.5, size=1500)

    calibrator = fed(errors)

    for level in (0.5, 0.8, 0.9, 0.95):
        assert calibrator.coverage(level).share == pytest.approx(level, abs=0.03)


def test_one_outlier_among_few_hardly_changes_the_scale() -> None:
    errors = np.random.default_rng(3).normal(size=12)

    with_outlier = fed(np.append(errors, 1e6))

    assert with_outlier.scale < 1.7 * fed(errors).scale


def test_a_short_memory_follows_a_model_that_becomes_worse() -> None:
    errors = np.random.default_rng(4).normal(size=120) * np.repeat([1.0, 2.0], [80, 40])

    forgetful = fed(errors, Calibrator(CalibrationOptions(memory=15)))

    assert forgetful.factor(0.9) > 1.2 * fed(errors).factor(0.9)


def test_residuals_of_folds_shape_the_intervals_and_are_not_counted() -> None:
    calibrator = Calibrator()

    calibrator.prime(4 * np.random.default_rng(5).normal(size=60))

    assert calibrator.factor(0.9) > 2 * Calibrator().factor(0.9)
    assert calibrator.coverage().count == 0


def test_coverage_states_the_exact_interval_of_a_binomial_share() -> None:
    exact = binomtest(17, 20).proportion_ci(0.95, method="exact")

    coverage = Coverage(0.9, 17, 20)

    assert (coverage.low, coverage.high) == pytest.approx((exact.low, exact.high))
    assert "85% of 20" in str(coverage)
    assert (Coverage(0.9, 0, 4).low, Coverage(0.9, 4, 4).high) == (0.0, 1.0)
    assert math.isnan(Coverage(0.9, 0, 0).share)


def test_calibrated_models_rarely_raise_an_alarm() -> None:
    options = CalibrationOptions()
    alarmed = 0
    for seed in range(100):
        calibrator = Calibrator(options)
        for error in np.random.default_rng(seed).normal(size=60):
            calibrator.observe(0.0, 1.0, float(error))
            if calibrator.alarm is not None:
                alarmed += 1
                break

    # at most 5 in the mean; 12 or more would come by chance once in 200 times
    assert alarmed < 12


def test_a_bench_that_changes_raises_an_alarm_that_says_why() -> None:
    calibrator = fed(np.random.default_rng(6).normal(size=40))

    for shifted in np.random.default_rng(7).normal(size=30) + 6:
        calibrator.observe(0.0, 1.0, float(shifted))
        if calibrator.alarm is not None:
            break

    assert calibrator.alarm is not None
    assert calibrator.alarm.since < 52
    assert calibrator.alarm.evidence >= 20
    assert "of the last 10" in calibrator.alarm.reason


def test_an_alarm_is_withdrawn_once_intervals_hold_again() -> None:
    calibrator = fed(np.append(np.random.default_rng(6).normal(size=40), np.full(12, 40.0)))
    raised = calibrator.alarm
    calibrator.reset()

    again = fed(np.append(np.random.default_rng(6).normal(size=40), np.full(12, 40.0)))
    fed(np.random.default_rng(8).normal(size=25), again)

    assert raised is not None
    assert calibrator.count == 0
    assert calibrator.alarm is None
    assert again.alarm is None


@pytest.mark.parametrize(
    ("mean", "sigma", "outcome", "said"),
    [
        (0.0, 1.0, math.nan, "outcome is nan"),
        (math.inf, 1.0, 0.0, "mean is inf"),
        (0.0, 0.0, 0.0, "sigma must be more than 0"),
        (0.0, math.nan, 0.0, "sigma is nan"),
    ],
)
def test_numbers_that_cannot_be_are_refused_and_change_nothing(
    mean: float, sigma: float, outcome: float, said: str
) -> None:
    calibrator = fed(np.array([1.0]))

    with pytest.raises(ValueError, match=said):
        calibrator.observe(mean, sigma, outcome)

    assert calibrator.count == 1


@pytest.mark.parametrize(
    "options",
    [{"prior": 0}, {"level": 1.0}, {"slack": 20}, {"false_alarms": 0}, {"settled": 11}],
)
def test_options_that_make_no_sense_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="calibration"):
        CalibrationOptions(**options)


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=40),
    st.floats(0.01, 0.98),
    st.floats(0.001, 0.01),
)
def test_intervals_grow_with_their_level_and_hold_what_their_rank_says(
    errors: list[float], level: float, more: float
) -> None:
    calibrator = fed(np.array(errors))

    reach = calibrator.factor(level)

    assert 0 < reach <= calibrator.factor(level + more)
    assert calibrator.rank(reach) >= level
    shorter = 0.999 * reach - 1e-6
    assert shorter <= 0 or calibrator.rank(shorter) <= level
    low, high = calibrator.interval(10.0, 2.0, level)
    assert high - 10.0 == pytest.approx(10.0 - low) == pytest.approx(2 * reach)


@given(st.lists(st.floats(-50, 50), max_size=30), st.floats(0.01, 100))
def test_intervals_do_not_depend_on_the_unit(errors: list[float], unit: float) -> None:
    ours, theirs = Calibrator(), Calibrator()
    for error in errors:
        ours.observe(0.0, 1.0, error)
        theirs.observe(0.0, unit, unit * error)

    assert theirs.scale == pytest.approx(ours.scale)
    assert theirs.factor(0.9) == pytest.approx(ours.factor(0.9), rel=1e-6)
