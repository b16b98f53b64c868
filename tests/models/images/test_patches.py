"""What is found at a pixel is learned from how the image looks around it."""

import numpy as np
import pytest
import torch

from models.images.patches import describe, learn
from models.images.textures import random_field


@pytest.fixture(scope="module")
def image():
    length, slope = torch.full((1,), 3.0), torch.full((1,), 3.0)
    return random_field(1, 40, length, slope, torch.Generator().manual_seed(8))[0].double().numpy()


@pytest.fixture(scope="module")
def outcome(image):
    """Follows the image, not the place."""
    return np.tanh(2 * image)


def looked_at(count, shape, seed=0):
    rng = np.random.default_rng(seed)
    flat = rng.choice(shape[0] * shape[1], count, replace=False)
    return np.stack(np.divmod(flat, shape[1]), axis=1)


def test_pixels_are_described_in_the_unit_cube_place_first(image):
    descriptors = describe(image)

    assert descriptors.columns.shape == (1600, 6)
    assert descriptors.columns.min() >= 0
    assert descriptors.columns.max() <= 1
    assert descriptors.rows(np.array([[0, 0], [39, 39]]))[:, :2].tolist() == [[0, 0], [1, 1]]
    assert 0.5 < descriptors.explained <= 1


def test_a_flat_image_describes_nothing_but_places():
    descriptors = describe(np.zeros((12, 10)))

    assert np.isfinite(descriptors.columns).all()
    assert np.ptp(descriptors.columns[:, 2:], axis=0).max() == 0


def test_what_follows_the_image_is_learned_from_patches_better_than_from_places(image, outcome):
    descriptors, places = describe(image), looked_at(24, image.shape)
    values = outcome[places[:, 0], places[:, 1]]

    model = learn(descriptors.rows(places), values, np.full(24, 0.01), seed=1)
    error = model.predict(descriptors.columns).mean - outcome.ravel()

    assert model.name == "patches"
    assert error.std() < 0.5 * outcome.std()


def test_the_same_looks_teach_the_same(image, outcome):
    descriptors, places = describe(image), looked_at(12, image.shape)
    values = outcome[places[:, 0], places[:, 1]]

    told = [
        learn(descriptors.rows(places), values, np.zeros(12), seed=3).predict(descriptors.columns)
        for _ in range(2)
    ]

    assert np.array_equal(told[0].mean, told[1].mean)
    assert np.array_equal(told[0].epistemic, told[1].epistemic)


def test_its_sigma_is_in_the_unit_of_the_outcomes_and_grows_away_from_looks(image, outcome):
    descriptors, places = describe(image), looked_at(20, image.shape)
    values = 1e-5 * outcome[places[:, 0], places[:, 1]]

    told = learn(descriptors.rows(places), values, np.zeros(20), seed=1).predict(
        descriptors.columns
    )

    seen = places[:, 0] * 40 + places[:, 1]
    assert told.sigma.max() < 1e-4
    assert told.epistemic[seen].mean() < told.epistemic.mean()
