import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import learning
from agents.hindsight import counted_from
from agents.history import History
from agents.learning import Learner, last_set
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Continuous, Space

PLANE = Space((Continuous("x", 0, 1), Continuous("y", 0, 1)))
YIELD = Objective("yield", Goal.MAXIMIZE)


def observations(count, seed=0, sigma=0.0):
    generator = np.random.default_rng(seed)
    return [
        Observation(
            str(number),
            {"x": float(x), "y": float(y)},
            {"yield": Measured(float(np.sin(5 * x) + y + 0.1 * noise), sigma)},
        )
        for number, (x, y, noise) in enumerate(
            zip(*generator.random((2, count)), generator.standard_normal(count), strict=True)
        )
    ]


def learned(told, batches):
    """Tell *told* in *batches*, asking for a belief after each; return the last one."""
    history, learner, start = History(PLANE), Learner(PLANE, YIELD, warp=True), 0
    for size in batches:
        history.tell(told[start : start + size])
        belief = learner.believe(history)
        start += size
    return belief


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_told_in_any_batches_the_belief_is_the_same_to_the_last_bit(seed, batches):
    told = observations(sum(batches) + 45, seed, 0.05)

    at_once = learned(told, [len(told)])
    in_batches = learned(told, [45, *batches])

    assert (at_once.surrogate.factor == in_batches.surrogate.factor).all()
    assert (at_once.surrogate.weights == in_batches.surrogate.weights).all()
    assert at_once.scale == in_batches.scale
    assert at_once.hyperparameters() == in_batches.hyperparameters()


def test_one_by_one_it_fits_always_at_first_and_seldom_later(monkeypatch):
    sizes = []
    fit = learning.fit

    def counting(training, near):
        sizes.append(len(training.outcomes))
        return fit(training, near)

    monkeypatch.setattr(learning, "fit", counting)
    learned(observations(100), [1] * 100)

    assert sizes[:40] == list(range(1, 41))
    assert len(sizes) < 70
    assert {last_set(count) for count in range(41, 101)} <= set(sizes)


def test_told_at_once_it_fits_only_what_is_looked_back_on(monkeypatch):
    sizes = []
    anew = []
    fit = learning.fit

    def counting(training, near):
        sizes.append(len(training.outcomes))
        anew.extend([len(training.outcomes)] if near is None else [])
        return fit(training, near)

    monkeypatch.setattr(learning, "fit", counting)

    learned(observations(180), [180])

    assert sizes[0] == last_set(100)
    assert anew == [last_set(100), last_set(150)]
    assert sizes[-1] >= last_set(180)
    assert len(sizes) < 25


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_told_in_any_batches_it_is_trusted_alike(seed, batches):
    told = observations(sum(batches) + 95, seed, 0.05)

    at_once = learned(told, [len(told)]).trust
    in_batches = learned(told, [3, 92, *batches]).trust

    assert at_once == in_batches
    assert 50 <= at_once.coverage.count < 100


@given(st.integers(1, 5000))
def test_fits_that_are_due_come_no_later_than_a_twentieth(count):
    due = last_set(count)

    assert due <= count
    assert due == count or count < due + max(due // 20, 1)
    assert last_set(due) == due


@given(st.integers(1, 5000))
def test_hindsight_begins_where_a_fit_begins_from_nothing(count):
    assert learning.is_anchor(last_set(counted_from(count)) or 1)


@given(st.integers(41, 5000))
def test_in_between_anchors_lie_not_many_observations(count):
    since = next(n for n in range(count, 0, -1) if n == last_set(n) and learning.is_anchor(n))

    assert count - since < max(50, count // 10) + 50


def test_what_is_expected_of_the_next_row_is_what_the_process_says():
    process = learned(observations(44), [44]).surrogate
    place, outcome = np.array([[0.31, 0.72]]), np.array([0.4])
    expected = process.predict(place)

    longer = process.grown(place, outcome, np.zeros(1))
    further = longer.grown(place + 0.1, outcome, np.zeros(1))

    mean, sigma = process.ahead_of(longer)
    assert mean == pytest.approx(expected.mean[0], rel=1e-8)
    assert sigma == pytest.approx(np.hypot(expected.epistemic, process.noise**0.5)[0], rel=1e-8)
    after = longer.predict(place + 0.1).mean[0]
    assert longer.ahead_of(further)[0] == pytest.approx(after, rel=1e-8)


def test_a_surprise_calls_for_a_fit_before_it_is_due():
    count = next(n for n in range(41, 999) if n - last_set(n) > learning.PAUSE)
    told = observations(count)
    quiet = learned(told, [count])
    loud = [*told[:-1], Observation("x", told[-1].parameters, {"yield": Measured(40.0, 0.0)})]

    surprised = learned(loud, [len(loud)])

    assert surprised.scale.spread > quiet.scale.spread


def test_a_grown_process_is_the_one_that_is_made_at_once():
    from models.surrogates.gaussian import GaussianProcess

    belief = learned(observations(44), [44])
    process = belief.surrogate
    anew = GaussianProcess(process.training, process.lengths, process.noise)
    points = np.random.default_rng(1).random((9, 2))

    assert len(process.training.outcomes) == 44
    assert process.moments(points)[0] == pytest.approx(anew.moments(points)[0], rel=1e-6)
    assert process.moments(points)[1] == pytest.approx(anew.moments(points)[1], rel=1e-5)
