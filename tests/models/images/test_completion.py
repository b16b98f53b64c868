"""A sparse scan is completed by what was measured alone, and says how sure that is."""

import numpy as np
import pytest
import torch

from models.errors import ModelFileError
from models.images.completion import load_completer, train_completer
from models.images.kriging import krige, likeliest_kernel
from models.images.textures import random_field
from models.images.training import Effort
from models.values import Verdict

BARELY = Effort(members=2, steps=12, batch=4, width=4)


@pytest.fixture(scope="module")
def completer():
    return train_completer(BARELY)


@pytest.fixture(scope="module")
def field():
    length, slope = torch.full((1,), 8.0), torch.full((1,), 4.0)
    return random_field(1, 32, length, slope, torch.Generator().manual_seed(5))[0].double().numpy()


@pytest.fixture(scope="module")
def mask(field):
    return np.random.default_rng(4).random(field.shape) < 0.2


def test_kriging_tells_the_length_of_a_field_and_completes_it(field, mask):
    places, values = np.argwhere(mask).astype(float), field[mask]

    kernel = likeliest_kernel(places, values)
    mean, sigma = krige(kernel, places, values, field.shape)

    assert 3 < kernel.length < 40
    assert np.std((mean - field)[~mask]) < 0.3 * field.std()
    assert np.mean(np.abs(mean - field)[~mask] < 1.645 * sigma[~mask]) > 0.75


def test_networks_that_know_little_leave_the_work_to_kriging(completer, field, mask):
    places, values = np.argwhere(mask).astype(float), field[mask]
    alone = krige(likeliest_kernel(places, values), places, values, field.shape)[0]

    told = completer.complete(field, mask)

    assert told.networks < 0.5
    assert np.std((told.mean - field)[~mask]) < 1.1 * np.std((alone - field)[~mask])
    assert told.quality.verdict is Verdict.ACCEPTED


def test_what_was_not_measured_is_never_looked_at(completer, field, mask):
    spoilt = np.where(mask, field, np.nan)

    told, other = completer.complete(field, mask), completer.complete(spoilt, mask)

    assert np.array_equal(told.mean, other.mean)
    assert np.array_equal(told.sigma, other.sigma)


def test_its_unit_is_that_of_the_scan(completer, field, mask):
    told = completer.complete(field, mask)
    other = completer.complete(1e-9 * field + 3e-7, mask)

    assert np.allclose(1e-9 * told.mean + 3e-7, other.mean, atol=2e-11)
    assert np.allclose(1e-9 * told.sigma, other.sigma, rtol=0.02)


def test_its_intervals_hold_about_as_many_pixels_as_they_promise(completer, field, mask):
    noisy = field + 0.1 * np.random.default_rng(9).standard_normal(field.shape)

    told = completer.complete(noisy, mask)

    inside = np.abs(told.mean - noisy) < 1.645 * told.sigma
    assert 0.8 < inside[~mask].mean() < 0.99


def test_noise_cannot_be_completed_and_the_verdict_says_so(completer, mask):
    noise = np.random.default_rng(2).standard_normal(mask.shape)

    told = completer.complete(noise, mask)

    assert told.quality.verdict is Verdict.SUSPECT
    assert "scan more pixels" in told.quality.reasons[0]


@pytest.mark.parametrize(
    ("image", "measured", "reason"),
    [
        (np.zeros((40, 40)), np.ones((40, 30)), "don't match"),
        (np.zeros((40, 40)), np.eye(40) > 2, "0 pixels"),
        (np.zeros((40, 40)), np.ones((40, 40)), "equal"),
        (np.full((40, 40), np.inf), np.ones((40, 40)), "finite"),
    ],
)
def test_a_scan_that_cannot_be_used_is_a_verdict_and_no_error(completer, image, measured, reason):
    told = completer.complete(image, measured)

    assert told.quality.verdict is Verdict.REJECTED
    assert reason in told.quality.reasons[0]
    assert told.mean is None
    assert told.sigma is None


def test_it_comes_back_from_its_folder_as_it_was(completer, field, mask, tmp_path):
    completer.save(tmp_path / "model")

    back = load_completer(tmp_path / "model")

    assert back.kept == completer.kept
    assert np.array_equal(back.complete(field, mask).mean, completer.complete(field, mask).mean)


def test_the_same_seed_trains_the_same_networks(completer, field, mask):
    again, other = train_completer(BARELY), train_completer(Effort(2, 12, 4, width=4, seed=1))

    assert np.array_equal(again.complete(field, mask).mean, completer.complete(field, mask).mean)
    assert not np.array_equal(
        other.networks_say(field, mask)[0], completer.networks_say(field, mask)[0]
    )


def test_a_model_of_something_else_is_refused(completer, tmp_path):
    from models.images.tip_state import load_tip_watch

    completer.save(tmp_path / "model")

    with pytest.raises(ModelFileError, match="kind 'completion', wanted is 'tip state'"):
        load_tip_watch(tmp_path / "model")
