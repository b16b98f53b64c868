"""Microstructures have the knobs they were asked for, conduct as theory says, and are designed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelFileError
from models.microstructure.errors import MicrostructureError
from models.microstructure.fields import KNOBS, LENGTH, VOLUME, draw, knobs_at, stripes
from models.microstructure.homogenise import conductivity
from models.microstructure.search import (
    Better,
    Search,
    bayesian_search,
    compare,
    pilot,
    random_search,
)
from models.microstructure.spaces import Anisotropy, KnobSpace, LatentSpace
from models.microstructure.vae import (
    VaeTraining,
    load_autoencoder,
    save_autoencoder,
    train_autoencoder,
    wrong_pixels,
)

SIZE = 16
QUICK = VaeTraining(size=SIZE, latent=4, channels=4, steps=150, batch=32, rate=5e-3)


def _random(seed=0):
    return torch.Generator().manual_seed(seed)


def _coarse(count, seed):
    points = np.random.default_rng(seed).random((count, 4)) * [1, 0.2, 1, 0] + [0, 0.8, 0, 0]
    return draw(knobs_at(points), SIZE, _random(seed))


@pytest.fixture(scope="module")
def autoencoder():
    return train_autoencoder(_coarse(400, 0), QUICK)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 2**31))
def test_an_image_holds_the_part_of_phase_1_that_was_asked_for(point, seed):
    knobs = knobs_at(np.array([point]))

    image = draw(knobs, 32, _random(seed))

    assert float(image.mean()) == pytest.approx(float(knobs[0, 0]), abs=1.5 / 32**2)


def test_aspect_lengthens_along_x_and_length_coarsens():
    def borders(knob, place):
        point = np.full((40, 4), 0.5)
        point[:, knob] = place
        images = draw(knobs_at(point), 32, _random())
        return [float((images.diff(dim=d) != 0).float().mean()) for d in (1, 2)]

    along_y, along_x = borders(2, 1.0)
    fine, coarse = borders(1, 0.0), borders(1, 1.0)

    assert along_x < 0.7 * along_y
    assert sum(coarse) < 0.5 * sum(fine)


@pytest.mark.parametrize("contrast", [0.1, 3.0, 10.0, 100.0])
def test_layers_conduct_as_in_parallel_along_and_in_series_across(contrast):
    layers = torch.zeros(1, 32, 32)
    layers[:, :8] = 1.0

    (whole,) = conductivity(layers, (1.0, contrast)).numpy()

    np.testing.assert_allclose(whole[0, 0], 0.75 + 0.25 * contrast, rtol=1e-4)
    np.testing.assert_allclose(whole[1, 1], 1 / (0.75 + 0.25 / contrast), rtol=3e-3)
    np.testing.assert_allclose(whole[0, 1], 0, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(1.5, 50.0))
def test_any_image_conducts_between_the_bounds_of_wiener(seed, contrast):
    images = draw(knobs_at(np.random.default_rng(seed).random((3, 4))), 16, _random(seed))

    whole = conductivity(images, (1.0, contrast))

    part = images.double().mean(dim=(1, 2))
    upper, lower = 1 + part * (contrast - 1), 1 / (1 - part + part / contrast)
    values = torch.linalg.eigvalsh(0.5 * (whole + whole.mT))
    assert (values[:, 1] <= upper * (1 + 1e-3)).all()
    assert (values[:, 0] >= lower * (1 - 1e-3)).all()


def test_stripes_are_patterns_of_two_phases_that_knobs_do_not_make():
    images = stripes(50, 32, _random())

    assert set(images.unique().tolist()) == {0.0, 1.0}
    assert float(images.mean(dim=(1, 2)).std()) > 0.1
    # whole rows or columns are alike, as in no random field
    alike = (images.diff(dim=1) == 0).all(dim=2).float().mean(dim=1)
    assert (
        float(torch.maximum(alike, (images.diff(dim=2) == 0).all(dim=1).float().mean(1)).max()) > 0
    )


def test_a_turned_image_conducts_turned():
    images = draw(knobs_at(np.random.default_rng(0).random((4, 4))), 16, _random())

    whole, turned = conductivity(images), conductivity(images.mT.contiguous())

    torch.testing.assert_close(whole[:, 0, 0], turned[:, 1, 1], atol=1e-4, rtol=1e-4)


def test_exchanged_phases_obey_the_theorem_of_keller():
    image = draw(knobs_at(np.full((1, 4), 0.5)), 32, _random(3))

    along = conductivity(image, (1.0, 5.0))[0, 0, 0]
    across = conductivity(image, (5.0, 1.0))[0, 1, 1]

    # kxx(k1, k2) kyy(k2, k1) = k1 k2; pixels obey it up to their size
    assert float(along * across) == pytest.approx(5.0, rel=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: conductivity(torch.zeros(4, 4)),
        lambda: conductivity(torch.zeros(1, 4, 4), (0.0, 1.0)),
        lambda: knobs_at(np.array([[0.5, 1.2, 0, 0]])),
        lambda: knobs_at(np.array([[0.5]])),
        lambda: train_autoencoder(torch.zeros(20, 12, 12)),
        lambda: bayesian_search(KnobSpace(), Anisotropy().of, 0, 0),
    ],
)
def test_what_cannot_be_used_is_refused(wrong):
    with pytest.raises(MicrostructureError):
        wrong()


def test_an_autoencoder_brings_most_pixels_back_and_knows_strangers(autoencoder):
    own = _coarse(60, 9)
    strange = (torch.rand(60, SIZE, SIZE, generator=_random(2)) < 0.5).float()

    assert float(wrong_pixels(autoencoder, own).mean()) < 0.3
    assert float(autoencoder.known(own).float().mean()) > 0.85
    assert float(autoencoder.known(strange).float().mean()) < 0.3


def test_an_autoencoder_that_was_saved_is_the_same(autoencoder, tmp_path):
    save_autoencoder(tmp_path / "model", autoencoder)
    latent = torch.randn(5, 4, generator=_random())

    again = load_autoencoder(tmp_path / "model")

    torch.testing.assert_close(again.decode(latent)[1], autoencoder.decode(latent)[1])
    assert again.worst == autoencoder.worst
    with pytest.raises(ModelFileError):
        load_autoencoder(tmp_path)


class _Flat:
    """A space of dull images whose best is *top*, at a corner."""

    name = "flat"
    dimension = 2
    varies = False

    def __init__(self, top):
        self.top = top

    def images(self, points, seed):
        worth = self.top * np.exp(-np.square(points - 0.8).sum(axis=1) / 0.1)
        return torch.tensor(worth)[:, None, None]


def _worth(images):
    return images[:, 0, 0].double().numpy()


def test_bayesian_search_gets_closer_to_the_best_than_chance_and_is_repeatable():
    space = _Flat(1.0)

    found = [bayesian_search(space, _worth, 25, seed) for seed in (1, 1)]
    chance = [random_search(space, _worth, 25, seed).best_so_far[-1] for seed in range(5)]

    np.testing.assert_array_equal(found[0].points, found[1].points)
    assert found[0].best_so_far[-1] > 0.97
    assert found[0].best_so_far[-1] > np.mean(chance)


def test_a_search_goes_on_from_its_pilots():
    begun = pilot(_Flat(1.0), _worth, 8, 0)

    search = bayesian_search(begun.space, _worth, 12, 0, begun)

    np.testing.assert_array_equal(search.points[:8], begun.points)
    assert len(search.outcomes) == 12


class _Lucky(_Flat):
    """The same, with outcomes that vary by half as much as its best."""

    varies = True

    def images(self, points, seed):
        scatter = np.random.default_rng(seed).normal(0, 0.5, len(points))
        return super().images(points, seed) + torch.tensor(scatter)[:, None, None]


def test_where_images_vary_pilots_come_in_pairs_that_tell_the_noise():
    found = [pilot(_Lucky(1.0), _worth, 20, seed) for seed in range(20)]

    np.testing.assert_array_equal(found[0].points[::2], found[0].points[1::2])
    assert np.mean([p.noise for p in found]) == pytest.approx(0.25, rel=0.25)
    assert pilot(_Flat(1.0), _worth, 20, 0).noise == 0.0


def test_luck_is_not_taken_for_a_better_space():
    good, lucky = pilot(_Flat(3.0), _worth, 20, 0), pilot(_Lucky(0.0), _worth, 20, 0)

    assert compare(good, lucky).better is Better.FIRST


def test_the_better_space_is_told_and_equal_ones_are_left_undecided():
    high, low = (bayesian_search(_Flat(top), _worth, 15, 0) for top in (2.0, 1.0))

    assert compare(high, low).better is Better.FIRST
    assert compare(low, high).better is Better.SECOND
    same = compare(high, Search(high.space, high.points, high.outcomes))
    assert same.better is Better.UNDECIDED
    assert 0.1 < same.probability < 0.9


def test_knobs_vary_by_realisation_and_latents_do_not(autoencoder):
    knobs, latent = KnobSpace((VOLUME, LENGTH), SIZE), LatentSpace(autoencoder)

    for space, varies in ((knobs, True), (latent, False)):
        point = np.full((1, space.dimension), 0.5)
        one, two = space.images(point, 1), space.images(point, 2)
        assert bool((one != two).any()) is varies
        assert one.shape == (1, SIZE, SIZE)
    assert len(KNOBS) == KnobSpace().dimension == 4


def test_worth_is_conduction_along_less_across_less_what_it_costs():
    layers = torch.zeros(1, SIZE, SIZE)
    layers[:, : SIZE // 2] = 1.0

    worth = Anisotropy((1.0, 10.0), price=2.0).of(layers)

    assert worth[0] == pytest.approx(5.5 - 20 / 11 - 1.0, rel=1e-3)
