import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.climbing import Rows, climb, climb_within

ALL = np.ones(3, dtype=bool)
NONE = (np.empty((0, 3)), np.empty(0))


def hill(summit, bend=1.0):
    """A curved ridge over the cube with its summit at *summit* (3)."""
    scales = np.array([1.0, 30.0, 4.0])

    def function(points):
        away = points - summit
        value = -bend * (scales * np.square(away)).sum(axis=1) - np.power(away, 4).sum(axis=1)
        return value, -2 * bend * scales * away - 4 * np.power(away, 3)

    return function


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.3, 1.3), min_size=3, max_size=3), st.integers(0, 99))
def test_every_search_ends_where_hardly_anything_is_left_to_be_gained(summit, seed):
    function = hill(np.array(summit))
    starts = np.random.default_rng(seed).random((5, 3))

    ends = climb(function, starts, ALL, 100)

    highest, _ = function(np.clip(summit, 0, 1)[None])
    reached, _ = function(ends)
    assert reached == pytest.approx(highest * np.ones(5), abs=1e-3)
    assert ends == pytest.approx(np.clip(summit, 0, 1) * np.ones((5, 1)), abs=0.03)


def test_columns_that_are_not_free_stay():
    starts = np.random.default_rng(0).random((4, 3))

    ends = climb(hill(np.full(3, 0.5)), starts, np.array([True, False, True]), 60)

    assert (ends[:, 1] == starts[:, 1]).all()
    assert ends[:, [0, 2]] == pytest.approx(0.5, abs=1e-3)


def test_where_the_function_is_nowhere_finite_a_search_stays():
    def nothing(points):
        return np.full(len(points), -np.inf), np.full(points.shape, np.nan)

    starts = np.random.default_rng(0).random((4, 3))

    assert (climb(nothing, starts, ALL, 20) == starts).all()


def test_sums_and_limits_are_kept_and_their_best_point_is_found():
    rows = Rows(np.ones((1, 3)), np.array([1.0]), np.array([[1.0, 0.0, 0.0]]), np.array([0.2]))
    starts = np.array([[0.1, 0.5, 0.4], [0.2, 0.2, 0.6]])

    ends = climb_within(hill(np.array([0.8, 0.1, 0.1])), starts, ALL, rows, 50)

    assert ends.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert ends[:, 0] == pytest.approx(0.2, abs=1e-4)


def test_nothing_moves_where_no_column_is_free():
    rows = Rows(np.ones((1, 3)), np.array([1.0]), *NONE)

    ends = climb_within(hill(np.zeros(3)), np.full((1, 3), 1 / 3), ~ALL, rows, 50)

    assert ends == pytest.approx(1 / 3)
