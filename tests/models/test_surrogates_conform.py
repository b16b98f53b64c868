"""Every surrogate keeps what the protocol promises; one line of the table each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pytest
import torch

from models.surrogates import dropout, ensemble, multi_task, quantile
from models.surrogates.choice import LEARNERS
from models.surrogates.networks import Descent
from models.surrogates.posterior import Learner, Surrogate
from models.surrogates.training import FitError, Training

NOISE = 0.3
BRIEF = Descent(steps=25)


def wave(inputs: np.ndarray) -> np.ndarray:
    """A smooth function of two columns, of about unit variance over the square."""
    return 1.4 * np.sin(4 * inputs[:, 0]) + 1.2 * inputs[:, 1] - 1.0


def training_of(
    inputs: np.ndarray, outcomes: np.ndarray, known: float = 0.0, groups: list[int] | None = None
) -> Training:
    places = np.arange(inputs.shape[1]) if groups is None else np.array(groups)
    return Training(inputs, outcomes, np.full(len(inputs), known), places)


def drawn(count: int, seed: int, noise: float = NOISE) -> Training:
    random = np.random.default_rng(seed)
    inputs = random.random((count, 2))
    return training_of(inputs, wave(inputs) + noise * random.normal(size=count))


def transferring(training: Training, seed: int) -> Surrogate:
    """Learn with an earlier campaign whose outcomes were of another unit and offset."""
    random = np.random.default_rng(99)
    inputs = random.random((30, training.inputs.shape[1]))
    outcomes = wave(inputs) + 0.5 if inputs.shape[1] == 2 else inputs.sum(1)
    earlier = Training(inputs, outcomes, np.zeros(30), training.groups)
    return multi_task.Transfer([earlier])(training, seed)


@dataclass(frozen=True)
class Kind:
    """What is promised of one kind: how exact it is, and what its sort can't do."""

    learner: Learner
    error: float
    """Greatest root mean square error on the wave, of 70 points with noise 0.3."""
    scatter: tuple[float, float]
    """Where the aleatoric sigma may lie there."""
    smooth: bool = True
    """Whether it has gradients; a forest is flat, beyond the data too."""
    distant: bool = True
    """Whether it knows where it hasn't been; dropout judges from inside what it has learned."""
    brief: Learner | None = None
    """The same, trained for a shorter time where nothing depends on how well."""

    @property
    def quick(self) -> Learner:
        return self.brief or self.learner


KINDS = {
    "gp": Kind(LEARNERS["gp"], 0.25, (0.22, 0.4)),
    "mixed": Kind(LEARNERS["mixed"], 0.25, (0.22, 0.4)),
    "campaigns": Kind(transferring, 0.25, (0.22, 0.4)),
    "deep-kernel": Kind(LEARNERS["deep-kernel"], 0.25, (0.2, 0.4)),
    "ensemble": Kind(
        LEARNERS["ensemble"], 0.3, (0.2, 0.45), brief=partial(ensemble.fit, descent=BRIEF)
    ),
    "dropout": Kind(
        LEARNERS["dropout"],
        0.3,
        (0.2, 0.45),
        distant=False,
        brief=partial(dropout.fit, descent=BRIEF),
    ),
    "quantile": Kind(
        LEARNERS["quantile"], 0.3, (0.2, 0.45), brief=partial(quantile.fit, descent=BRIEF)
    ),
    "forest": Kind(LEARNERS["forest"], 0.4, (0.1, 0.4), smooth=False),
}
EVERY = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
PLACES = np.random.default_rng(7).random((60, 2))


@cache
def learned(learner: Callable[..., Surrogate]) -> Surrogate:
    return learner(drawn(70, 1), 3)


def test_every_learner_of_the_catalogue_is_in_the_table() -> None:
    assert set(LEARNERS) <= set(KINDS)


@EVERY
def test_a_known_function_is_found_again(kind: Kind) -> None:
    posterior = learned(kind.learner).predict(PLACES)

    error = np.sqrt(np.mean(np.square(posterior.mean - wave(PLACES))))

    assert error < kind.error
    inside = np.abs(posterior.mean - wave(PLACES)) < 3 * posterior.sigma
    assert inside.mean() > 0.9


@EVERY
def test_the_scatter_of_experiments_is_found_again(kind: Kind) -> None:
    aleatoric = learned(kind.learner).predict(PLACES).aleatoric

    assert kind.scatter[0] < np.median(aleatoric) < kind.scatter[1]


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.distant])
def test_it_is_less_sure_where_it_has_not_been(kind: Kind) -> None:
    random = np.random.default_rng(5)
    inputs = random.random((50, 2)) * [0.3, 1.0] + [[0.0, 0.0], [0.7, 0.0]] * 25
    surrogate = kind.learner(training_of(inputs, wave(inputs)), 0)
    gap = np.column_stack([np.full(20, 0.5), random.random(20)])

    between = surrogate.predict(gap).epistemic.mean()

    assert between > 1.3 * surrogate.predict(inputs).epistemic.mean()


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.smooth and k.distant])
def test_it_is_less_sure_beyond_the_data(kind: Kind) -> None:
    corner = np.random.default_rng(6).random((40, 2)) * 0.4
    surrogate = kind.learner(training_of(corner, wave(corner)), 0)

    far = surrogate.predict(np.full((1, 2), 1.0)).epistemic[0]

    assert far > 2 * surrogate.predict(corner).epistemic.mean()


@EVERY
def test_botorch_sees_the_same_mean_and_variance(kind: Kind) -> None:
    surrogate = learned(kind.learner)
    expected = surrogate.predict(PLACES)

    posterior = surrogate.botorch().posterior(torch.as_tensor(PLACES)[:, None, :])

    assert posterior.mean.shape == (60, 1, 1)
    found = posterior.mean.detach().numpy()[:, 0, 0], posterior.variance.detach().numpy()[:, 0, 0]
    np.testing.assert_allclose(found[0], expected.mean, atol=1e-6)
    np.testing.assert_allclose(found[1], expected.epistemic**2, atol=1e-6)


@EVERY
def test_botorch_can_sample_points_together_and_score_batches(kind: Kind) -> None:
    from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
    from botorch.sampling import SobolQMCNormalSampler

    model = learned(kind.learner).botorch()
    batches = torch.as_tensor(PLACES[:12]).reshape(4, 3, 2)
    sampler = SobolQMCNormalSampler(torch.Size([8]), seed=0)

    joint = qLogExpectedImprovement(model, best_f=1.0, sampler=sampler)(batches)
    single = LogExpectedImprovement(model, best_f=1.0)(batches[:, :1])

    assert joint.shape == single.shape == (4,)
    assert torch.isfinite(joint).all()
    assert torch.isfinite(single).all()
    covariance = model.posterior(batches).distribution.covariance_matrix
    assert (covariance - covariance.mT).abs().max() < 1e-9


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.smooth])
def test_its_gradients_are_those_of_its_predictions(kind: Kind) -> None:
    surrogate, step = learned(kind.learner), 1e-5
    place = torch.tensor([[0.4, 0.6]], dtype=torch.float64, requires_grad=True)

    surrogate.botorch().posterior(place).mean.sum().backward()

    for column in (0, 1):
        away = np.zeros(2)
        away[column] = step
        here = np.array([0.4, 0.6])
        low, high = surrogate.predict(np.stack([here - away, here + away])).mean
        assert place.grad is not None
        assert float(place.grad[0, column]) == pytest.approx((high - low) / (2 * step), rel=1e-3)


@EVERY
def test_the_same_data_and_seed_give_the_same_bits(kind: Kind) -> None:
    training = drawn(15, 2)
    torch.manual_seed(1)
    first = kind.quick(training, 11).predict(PLACES)
    torch.manual_seed(2)
    np.random.seed(2)

    second = kind.quick(training, 11).predict(PLACES)

    assert first.mean.tobytes() == second.mean.tobytes()
    assert first.sigma.tobytes() == second.sigma.tobytes()


@EVERY
def test_fitting_leaves_the_global_random_state_as_it_was(kind: Kind) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()

    kind.quick(drawn(6, 2), 0).predict(PLACES[:2])

    assert torch.equal(before, torch.random.get_rng_state())


@EVERY
@pytest.mark.parametrize(
    "training",
    [
        training_of(np.array([[0.5, 0.5]]), np.array([0.0])),
        training_of(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([-1.0, 1.0])),
        training_of(PLACES[:12], np.zeros(12)),
        training_of(np.repeat(PLACES[:4], 3, axis=0), np.linspace(-1, 1, 12)),
        training_of(np.repeat(PLACES[:1], 5, axis=0), np.full(5, 0.7)),
        training_of(PLACES[:12], wave(PLACES[:12]), known=1e6),
        training_of(PLACES[:12], np.append(wave(PLACES[:11]), 1e6)),
    ],
    ids=["1 point", "2 points", "constant", "duplicates", "1 place", "unknown", "outlier"],
)
def test_odd_data_give_finite_predictions(kind: Kind, training: Training) -> None:
    posterior = kind.quick(training, 0).predict(PLACES[:20])

    assert np.isfinite(posterior.mean).all()
    assert np.isfinite(posterior.sigma).all()
    assert (posterior.aleatoric > 0).all()
    assert (posterior.epistemic >= 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_row(value: float) -> None:
    outcomes = wave(PLACES[:5])
    outcomes[3] = value

    with pytest.raises(FitError, match=r"row 3 \(from 0\).*leave failed experiments out"):
        training_of(PLACES[:5], outcomes)


def test_data_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(FitError, match="don't fit together"):
        training_of(PLACES[:5], wave(PLACES[:4]))
    with pytest.raises(FitError, match="no point"):
        training_of(np.empty((0, 2)), np.empty(0))
