"""The surrogate is chosen by what it predicted unseen, and the choice is shown."""

import numpy as np
import pytest

from models.surrogates import deep_kernel, gaussian, mixed, multi_task
from models.surrogates.choice import LEARNERS, choose, usual
from models.surrogates.folds import errors, out_of_fold
from models.surrogates.likelihood import evidence
from models.surrogates.mixed import MixedKernel
from models.surrogates.multi_task import _stacked
from models.surrogates.training import FitError, Training

FAST = {"gp": LEARNERS["gp"], "mixed": LEARNERS["mixed"]}


def numbers(count: int, seed: int, noise: float = 0.1) -> Training:
    random = np.random.default_rng(seed)
    inputs = random.random((count, 2))
    outcomes = np.sin(5 * inputs[:, 0]) + inputs[:, 1] + noise * random.normal(size=count)
    return Training(inputs, outcomes, np.zeros(count), np.arange(2))


def options(count: int, seed: int) -> Training:
    """One number and two categorical parameters of four options, whose effect is abrupt."""
    random = np.random.default_rng(seed)
    number, first, second = random.random(count), *random.integers(0, 4, (2, count))
    inputs = np.column_stack([number, np.eye(4)[first], np.eye(4)[second]])
    effect = np.array([1.0, -1.0, 0.4, -0.3])
    outcomes = np.sin(3 * number) + effect[first] + 0.5 * effect[second]
    outcomes += 0.05 * random.normal(size=count)
    return Training(inputs, outcomes, np.zeros(count), np.repeat([0, 1, 2], [1, 4, 4]))


def never(training: Training, seed: int) -> gaussian.GaussianProcess:
    raise FitError("covariance is singular")


def shuffled(training: Training, seed: int) -> gaussian.GaussianProcess:
    """A learner that learns nothing: outcomes in another order."""
    outcomes = np.random.default_rng(seed).permutation(training.outcomes)
    return gaussian.fit(Training(training.inputs, outcomes, training.known, training.groups))


def test_a_clearly_better_learner_replaces_the_preferred_one() -> None:
    choice = choose(numbers(40, 1), {"nonsense": shuffled, "gp": FAST["gp"]}, 0)

    assert choice.name == "gp"
    assert [score.name for score in choice.scores] == ["gp", "nonsense"]
    assert "clearly the best" in choice.reason
    assert choice.scores[0].behind < -choice.scores[0].error


def test_the_preferred_learner_stays_where_none_is_clearly_better() -> None:
    choice = choose(numbers(30, 2), {"mixed": FAST["mixed"], "gp": FAST["gp"]}, 0)

    assert choice.name == "mixed"
    assert "none is clearly better" in choice.reason


def test_a_learner_that_cannot_be_fitted_is_left_out_and_named() -> None:
    choice = choose(numbers(20, 3), {"broken": never, "gp": FAST["gp"]}, 0)

    assert choice.name == "gp"
    assert choice.failed == ("broken: covariance is singular",)
    with pytest.raises(FitError, match="no learner could be fitted: broken"):
        choose(numbers(20, 3), {"broken": never}, 0)


def test_few_points_are_not_compared() -> None:
    choice = choose(numbers(5, 4), FAST, 0)

    assert choice.name == "gp"
    assert choice.scores == ()
    assert "not compared" in choice.reason


def test_networks_are_considered_with_many_points_or_after_a_rehearsal() -> None:
    assert usual(numbers(50, 5)) == ("gp", "forest")
    assert usual(options(50, 5)) == ("mixed", "forest")
    assert "ensemble" in usual(numbers(50, 5), rehearsed=True)
    assert "ensemble" in usual(numbers(200, 5))


def test_points_are_predicted_by_folds_that_have_not_seen_them() -> None:
    training = numbers(24, 6)

    found = out_of_fold(FAST["gp"], training, 1)

    seen = gaussian.fit(training).predict(training.inputs)
    left_over = np.square(training.outcomes - found.mean).mean()
    assert left_over > np.square(training.outcomes - seen.mean).mean()
    assert np.abs(errors(found, training.outcomes)).max() < 6
    with pytest.raises(FitError, match="needs two observations"):
        out_of_fold(FAST["gp"], numbers(1, 6), 1)


def test_the_mixed_process_learns_options_better_than_the_plain_one() -> None:
    training, rest = options(45, 7), options(200, 8)

    lost = [
        float(np.square(each.predict(rest.inputs).mean - rest.outcomes).mean())
        for each in (mixed.fit(training), gaussian.fit(training))
    ]

    assert lost[0] < 1.05 * lost[1]
    assert lost[0] < 0.05


@pytest.mark.parametrize("training", [numbers(15, 9), options(15, 9)], ids=["numbers", "options"])
def test_gradients_of_the_mixed_evidence_are_those_of_its_value(training: Training) -> None:
    kernel = MixedKernel(training)
    place = kernel.prior()[0] - 0.7

    value, gradient = kernel.loss(place)

    for column, slope in enumerate(gradient):
        away = 1e-5 * np.eye(len(place))[column]
        numeric = (kernel.loss(place + away)[0] - kernel.loss(place - away)[0]) / 2e-5
        assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-5)
    assert np.isfinite(value)


def test_gradients_of_the_evidence_over_campaigns_are_those_of_its_value() -> None:
    campaigns = _stacked(numbers(8, 10), [numbers(9, 11), numbers(7, 12)])
    place = campaigns.prior()[0] - 0.4

    _, gradient = campaigns.loss(place)

    for column, slope in enumerate(gradient):
        away = 1e-5 * np.eye(len(place))[column]
        numeric = (campaigns.loss(place + away)[0] - campaigns.loss(place - away)[0]) / 2e-5
        assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_an_earlier_campaign_of_the_same_kind_saves_experiments() -> None:
    few, rest, earlier = numbers(6, 13), numbers(200, 14), numbers(60, 15)
    moved = Training(earlier.inputs, 1.5 * earlier.outcomes + 4, earlier.known, earlier.groups)

    transferred = multi_task.fit(few, [moved])

    alone = gaussian.fit(few).predict(rest.inputs).mean
    error = np.square(transferred.predict(rest.inputs).mean - rest.outcomes).mean()
    assert error < 0.5 * np.square(alone - rest.outcomes).mean()
    assert transferred.likeness["1"] > 0.8


def test_an_earlier_campaign_about_something_else_does_little_harm() -> None:
    present, rest = numbers(25, 16), numbers(200, 17)
    other = Training(
        numbers(60, 18).inputs,
        np.random.default_rng(18).normal(size=60),
        np.zeros(60),
        np.arange(2),
    )

    transferred = multi_task.fit(present, [other])

    alone = gaussian.fit(present).predict(rest.inputs).mean
    error = np.square(transferred.predict(rest.inputs).mean - rest.outcomes).mean()
    assert error < 1.5 * np.square(alone - rest.outcomes).mean()


def test_earlier_campaigns_of_another_space_are_refused() -> None:
    with pytest.raises(FitError, match="encode earlier experiments in the present space"):
        multi_task.fit(numbers(8, 19), [options(8, 19)])
    with pytest.raises(FitError, match="no earlier campaign"):
        multi_task.fit(numbers(8, 19), [])


def test_the_deep_kernel_finds_a_direction_that_is_no_parameter() -> None:
    random = np.random.default_rng(20)
    inputs, places = random.random((40, 2)), random.random((200, 2))

    def ridge(x: np.ndarray) -> np.ndarray:
        return np.sin(9 * x.sum(1))

    training = Training(inputs, ridge(inputs), np.zeros(40), np.arange(2))

    lost = [
        float(np.square(each.predict(places).mean - ridge(places)).mean())
        for each in (deep_kernel.fit(training, 0), gaussian.fit(training))
    ]

    assert lost[0] < 0.5 * lost[1]


def test_the_evidence_of_a_singular_covariance_is_nothing() -> None:
    value, slope = evidence(-np.ones((3, 3)), np.arange(3.0), np.ones((3, 1)))

    assert value == -np.inf
    assert (slope == 0).all()
