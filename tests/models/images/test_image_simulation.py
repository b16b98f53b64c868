"""Simulated images: the same for the same seed, and what their labels say is what they show."""

import pytest
import torch

from models.images.fill import draw_scans, seen_by_networks
from models.images.lattices import ATOM, BACKGROUND, DOPANT, VACANCY, Crystals, draw_crystals
from models.images.textures import draw_textures
from models.images.tips import BLUNT, DOUBLE, GOOD, UNSTABLE, Tips, draw_surfaces, scanned


def seeded(seed=7):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "draw", [lambda g: draw_crystals(3, g).noisy, lambda g: draw_textures(3, g)]
)
def test_the_same_seed_gives_the_same_images(draw):
    first, again, other = draw(seeded()), draw(seeded()), draw(seeded(8))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.isfinite(first).all()


def test_atoms_are_bright_vacancies_dark_and_dopants_brighter():
    plain = Crystals(two_atoms=0.0, wedge=0.0, vacant=(0.1, 0.1), doped=(0.1, 0.1))
    views = draw_crystals(16, seeded(), crystals=plain)

    mean = {kind: float(views.clean[views.classes == kind].mean()) for kind in range(4)}

    assert mean[VACANCY] < mean[BACKGROUND] + 0.1
    assert mean[ATOM] > 2 * mean[VACANCY]
    assert mean[DOPANT] > 1.3 * mean[ATOM]


def test_every_site_well_inside_the_frame_is_labelled_with_its_class():
    views = draw_crystals(8, seeded(), crystals=Crystals(jitter=0.0, thermal=0.0))

    for sites, classes in zip(views.sites, views.classes, strict=True):
        inside = ((sites[:, :2] > 2) & (sites[:, :2] < 62)).all(dim=1) & (sites[:, 2] > 0)
        places = sites[inside, :2].long()
        assert torch.equal(classes[places[:, 0], places[:, 1]], sites[inside, 2].long())


def test_counting_noise_shrinks_with_the_dose():
    low = draw_crystals(8, seeded(), crystals=Crystals(dose=(30.0, 30.0)))
    high = draw_crystals(8, seeded(), crystals=Crystals(dose=(300.0, 300.0)))

    noise = [(views.noisy - views.clean).std() for views in (low, high)]

    assert float(noise[0] / noise[1]) == pytest.approx(10**0.5, rel=0.15)


def test_each_tip_does_to_a_surface_what_it_is_called_for():
    calm = Tips(noise=(0.0, 0.0), lines=(0.0, 0.0), tilt=0.0, creep=0.0)
    surface = draw_surfaces(12, seeded(), 88)
    frames = {
        state: scanned(surface, torch.full((12,), state), seeded(1), calm)
        for state in (GOOD, DOUBLE, BLUNT, UNSTABLE)
    }

    steps = {state: frame.diff(dim=2).abs().mean() for state, frame in frames.items()}
    between_lines = {
        state: frame.mean(dim=2).diff(dim=1).abs().mean() for state, frame in frames.items()
    }

    assert steps[BLUNT] < 0.7 * steps[GOOD]
    assert between_lines[UNSTABLE] > 1.5 * between_lines[GOOD]
    assert not torch.allclose(frames[DOUBLE], frames[GOOD], atol=0.1)


def test_a_sparse_scan_shows_networks_only_what_was_measured():
    scans, mask, truth = draw_scans(4, seeded(), crystals=0.5)
    seen = seen_by_networks(scans, mask)

    assert bool((scans[~mask] == 0).all())
    assert seen.shape[0] == truth.shape[0] == 4
    assert torch.isfinite(seen).all()
    assert 0.03 < float(mask.float().mean()) < 0.3
