import numpy as np
import pytest

from benchmarks.ramp import TOLERANCE, judged, made_up, scanned
from models.errors import SeriesError
from models.series.transitions import changes, next_place, transitions


def test_a_third_of_the_patterns_finds_all_three_transitions_of_a_made_up_ramp():
    ramp = made_up(1)

    found, count = scanned(ramp, 20)

    assert count <= 20
    assert judged(found, ramp.transitions)["within"] == 3
    assert judged(found, ramp.transitions)["false"] == 0


def test_a_line_that_moves_without_splitting_is_no_change_of_shape():
    axis = np.linspace(2.0, 10.0, 2000)
    at = np.array([3.0, 5.0, 8.0])

    def pattern(strain, split=0.0):
        parts = [at * (1 + strain - split), at * (1 + strain + split)]
        lines = [np.exp(-(((axis - place) / 0.03) ** 2)) for part in parts for place in part]
        return np.sum(lines, axis=0)

    moved, split = changes(axis, np.stack([pattern(0.0), pattern(1e-3), pattern(1e-3, 2e-3)]))

    assert moved < 0.1 * split


def test_the_scan_goes_between_the_neighbours_that_differ_most_until_they_are_near():
    places, change = [0.0, 40.0, 60.0, 70.0], np.array([1.0, 2.0, 9.0])

    assert next_place(places, change, 5.0) == 50.0
    assert next_place(places, change, 10.0) == 20.0
    assert next_place(places[1:], change[1:], 10.0) is None


def test_without_lines_nothing_can_be_compared():
    with pytest.raises(SeriesError, match="no line"):
        changes(np.linspace(1, 2, 50), np.ones((3, 50)))


def test_of_two_neighbours_that_stand_out_the_greater_is_the_transition():
    places = np.arange(0.0, 80.0, TOLERANCE)
    change = np.full(len(places) - 1, 0.1)
    change[6:8] = [2.0, 5.0]

    [found] = transitions(places.tolist(), change, TOLERANCE)

    assert (found.low, found.high) == (35.0, 40.0)
    assert found.times > 10
