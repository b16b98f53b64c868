import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import SeriesError
from models.series.agreement import adjusted_rand, overlap
from models.series.descriptor import binned, log_edges
from models.series.field import field_of
from models.series.phase_map import milestone, phase_map, steady_count, to_sum_one
from simulators.wafer.library import LibraryFaults, made_up


@pytest.fixture(scope="module")
def library():
    return made_up(1, spots=120, phases=6, faults=LibraryFaults(texture=0.15))


def seen(library, bins=96):
    patterns = binned(library.q, library.patterns, log_edges(12.1, 44.9, bins))
    return library.composition[:, :2], patterns


def test_phases_of_a_made_up_library_follow_the_lever_rule(library):
    present = (library.fractions > 1e-9).sum(1)

    assert present.max() <= 3
    assert library.fractions.sum(1) == pytest.approx(1.0)
    assert library.patterns.min() >= 0


def test_a_third_of_the_patterns_maps_most_of_the_library(library):
    places, patterns = seen(library)
    known = np.arange(0, 120, 3)
    rest = np.setdiff1d(np.arange(120), known)

    found = phase_map(places[known], patterns[known], steady_count(patterns[known]))

    shares, true = found.shares(places[rest]), library.fractions[rest]
    by_chance = overlap(shares, np.random.default_rng(1).permutation(true))
    assert overlap(shares, true) > max(0.5, by_chance + 0.15)
    scaled = to_sum_one(patterns)
    foretold = np.linalg.norm(found.patterns(places[rest]) - scaled[rest])
    assert foretold < 0.7 * np.linalg.norm(scaled[rest] - scaled.mean(0))


@given(st.permutations(range(4)), st.integers(0, 99))
def test_agreement_doesnt_depend_on_what_phases_are_called(order, seed):
    shares = np.random.default_rng(seed).dirichlet(np.ones(4), 30)

    assert overlap(shares[:, order], shares) == pytest.approx(1.0)
    labels = shares.argmax(1)
    assert adjusted_rand(np.array(order)[labels], labels) == pytest.approx(1.0)


def test_partitions_by_chance_agree_to_nothing():
    random = np.random.default_rng(3)
    found = [
        adjusted_rand(random.integers(0, 5, 200), random.integers(0, 4, 200)) for _ in range(40)
    ]

    assert np.mean(found) == pytest.approx(0.0, abs=0.01)


def test_a_phase_in_two_parts_agrees_with_the_larger_alone():
    true = np.eye(2)[[0] * 6 + [1] * 4]
    split = np.eye(3)[[0] * 4 + [2] * 2 + [1] * 4]

    assert overlap(split, true) == pytest.approx(0.8)


def test_what_others_say_of_a_place_left_out_is_what_a_field_without_it_says():
    random = np.random.default_rng(1)
    places, values = random.random((12, 2)), random.random((12, 3))
    field = field_of(places, values)

    residual, variance = field.left_out()

    kernel = field.factor @ field.factor.T
    rest = np.arange(1, 12)
    weights = np.linalg.solve(kernel[np.ix_(rest, rest)], kernel[rest, 0])
    foretold = field.center + weights @ (values - field.center)[rest]
    assert residual[0] == pytest.approx(values[0] - foretold, abs=1e-8)
    assert variance[0] == pytest.approx(kernel[0, 0] - weights @ kernel[rest, 0])


def test_a_field_is_surer_near_what_was_measured_and_varies_most_at_an_edge():
    places = np.random.default_rng(2).random((60, 2))
    values = np.column_stack([places[:, 0] > 0.5, places[:, 0] <= 0.5]).astype(float)

    field = field_of(places, values)

    near, far = field.sigma(np.vstack([places[:1] + 1e-3, [[3.0, 3.0]]]))
    assert near < 0.7 * far
    edge, flat = field.variation(np.array([[0.5, 0.5], [0.05, 0.5]]))
    assert edge > 2 * flat


def test_components_are_counted_anew_only_at_milestones():
    reached = [milestone(count) for count in range(1, 40)]

    assert reached == sorted(reached)
    assert reached[:8] == [1, 2, 3, 4, 5, 6, 6, 8]
    assert len(set(reached[5:])) < 10


def test_a_pattern_of_nothing_is_refused():
    with pytest.raises(SeriesError, match="patterns 1 "):
        to_sum_one(np.array([[1.0, 2.0], [0.0, 0.0]]))
