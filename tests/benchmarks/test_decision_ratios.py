"""The statistics of the decisions benchmark."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.decisions.ratios import best_of, paired_logs, pooled

COUNTS = st.dictionaries(st.integers(0, 30), st.integers(0, 50), min_size=1)


def drawn(chance, seeds=20):
    """Experiments of a method that scatters as real ones do: by a factor of two."""
    return {seed: int(max(1, round(15 * np.exp(0.7 * chance.normal())))) for seed in range(seeds)}


@given(COUNTS)
def test_a_method_against_itself_has_the_ratio_one(counts):
    logs = paired_logs(counts, counts)

    assert logs.tolist() == [0.0] * sum(count > 0 for count in counts.values())


@given(COUNTS, COUNTS)
def test_the_ratio_the_other_way_round_is_the_inverse(ours, theirs):
    assert paired_logs(ours, theirs) == pytest.approx(-paired_logs(theirs, ours))


def test_half_the_experiments_everywhere_is_a_ratio_of_a_half_without_doubt():
    logs = [paired_logs({0: 2, 1: 5}, {0: 4, 1: 10}), paired_logs({0: 8}, {0: 16})]

    ratio = pooled(logs, resamples=200)

    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))
    assert ratio.pairs == 3


def test_every_problem_counts_alike_however_many_seeds_it_has():
    many, few = np.log(np.full(90, 2.0)), np.log([0.5])

    assert pooled([many, few], resamples=200).value == pytest.approx(1.0)


def test_the_interval_of_an_identical_method_covers_one_about_as_often_as_it_says():
    chance = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        logs = [paired_logs(drawn(chance), drawn(chance)) for _ in range(3)]
        ratio = pooled(logs, resamples=500)
        covered += ratio.low <= 1 <= ratio.high

    assert 0.90 <= covered / 200 <= 0.985


def test_a_method_that_needs_half_as_many_again_is_told_apart_with_fifty_seeds():
    chance = np.random.default_rng(3)
    theirs = [drawn(chance, 50) for _ in range(5)]
    ours = [{seed: 3 * count for seed, count in counts.items()} for counts in theirs]
    twice = [{seed: 2 * count for seed, count in counts.items()} for counts in theirs]

    ratio = pooled([paired_logs(a, b) for a, b in zip(ours, twice, strict=True)], resamples=500)

    assert ratio.low > 1.1
    assert ratio.value == pytest.approx(1.5)


def test_seeds_without_a_partner_or_solved_at_the_start_decide_nothing():
    ours, theirs = {0: 0, 1: 4, 2: 5}, {0: 0, 1: 2, 3: 9}

    assert paired_logs(ours, theirs).tolist() == [np.log(2)]


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="nothing can be compared"):
        pooled([paired_logs({0: 3}, {1: 3})])


def test_the_reference_is_the_one_best_over_all_problems():
    found = {
        "steady": {"a": {0: 10, 1: 10}, "b": {0: 10, 1: 10}},
        "brilliant once": {"a": {0: 2, 1: 2}, "b": {0: 90, 1: 90}},
        "half the problems": {"a": {0: 1, 1: 1}},
    }

    assert best_of(found) == "steady"
