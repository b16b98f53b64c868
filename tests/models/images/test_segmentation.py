"""Atoms, vacancies and dopants are told apart, one by one, or a frame is doubted."""

import numpy as np
import pytest
import torch

from models.images.lattices import ATOM, BACKGROUND, DOPANT, VACANCY, draw_crystals
from models.images.segmentation import (
    SURE,
    _defects,
    load_segmenter,
    train_segmenter,
)
from models.images.training import Effort
from models.values import Verdict

BARELY = Effort(members=2, steps=12, batch=4, width=4)


@pytest.fixture(scope="module")
def segmenter():
    return train_segmenter(BARELY)


@pytest.fixture(scope="module")
def frame():
    return draw_crystals(1, torch.Generator().manual_seed(4)).noisy[0].double().numpy()


def drawn(sites, size=48, radius=2.6, sure=0.95):
    """Return classes and probabilities of discs at *sites*: (row, column, class)."""
    rows, columns = np.indices((size, size)) + 0.5
    classes = np.zeros((size, size), dtype=int)
    for row, column, kind in sites:
        classes[np.hypot(rows - row, columns - column) <= radius] = kind
    others = (1 - sure) / 3
    return classes, np.where(np.arange(4)[:, None, None] == classes, sure, others)


def lattice(defects):
    """Return the sites of a square lattice, some of them *defects*: {(i, j): class}."""
    return [
        (4.5 + 8 * i, 4.5 + 8 * j, defects.get((i, j), ATOM)) for i in range(5) for j in range(5)
    ]


def test_defects_are_listed_where_they_are_and_as_what_they_are():
    defects = _defects(*drawn(lattice({(1, 2): VACANCY, (3, 3): DOPANT})))

    assert [(d.kind, round(d.row, 1), round(d.column, 1)) for d in defects] == [
        ("vacancy", 12.5, 20.5),
        ("dopant", 28.5, 28.5),
    ]
    assert all(d.sure for d in defects)


def test_vacancies_side_by_side_are_counted_one_by_one():
    close = [(20.0, 16.0, VACANCY), (20.0, 21.0, VACANCY), (20.0, 26.0, VACANCY)]
    atoms = [(8.0, 8.0 + 6 * j, ATOM) for j in range(6)]

    defects = _defects(*drawn(atoms + close))

    assert [d.kind for d in defects] == ["vacancy"] * 3


def test_a_defect_of_low_probability_is_left_open():
    defects = _defects(*drawn(lattice({(2, 2): VACANCY}), sure=0.55))

    assert [d.sure for d in defects] == [False]
    assert defects[0].probability < SURE


def test_a_few_pixels_of_noise_are_no_defect():
    classes, probabilities = drawn(lattice({}))
    classes[24, 24] = VACANCY
    probabilities[:, 24, 24] = [0.02, 0.01, 0.96, 0.01]

    assert _defects(classes, probabilities) == []


def test_it_segments_frames_of_any_unit_and_size(segmenter, frame):
    wide = np.hstack([frame, frame])[:, :101]

    told, other = segmenter.segment(wide), segmenter.segment(40 * wide + 3)

    assert told.classes.shape == wide.shape
    assert np.mean(told.classes == other.classes) > 0.999
    assert np.allclose(told.probabilities.sum(axis=0), 1, atol=1e-4)
    assert (told.epistemic >= 0).all()
    assert np.isfinite(told.aleatoric).all()


def test_even_a_few_steps_of_training_tell_atoms_from_background(segmenter):
    views = draw_crystals(8, torch.Generator().manual_seed(21))
    told = np.stack([segmenter.segment(image.numpy()).probabilities for image in views.noisy])
    truth = views.classes.numpy()

    atomic = told[:, ATOM] / (told[:, ATOM] + told[:, BACKGROUND])
    assert atomic[truth == ATOM].mean() > atomic[truth == BACKGROUND].mean() + 0.02


@pytest.mark.parametrize(
    ("image", "reason"), [(np.full((32, 32), np.inf), "finite"), (np.ones((32, 32)), "equal")]
)
def test_a_frame_that_cannot_be_used_is_a_verdict_and_no_error(segmenter, image, reason):
    told = segmenter.segment(image)

    assert told.quality.verdict is Verdict.REJECTED
    assert reason in told.quality.reasons[0]
    assert told.classes is None


def test_it_comes_back_from_its_folder_as_it_was(segmenter, frame, tmp_path):
    segmenter.save(tmp_path / "model")

    back = load_segmenter(tmp_path / "model")

    assert back.kept == segmenter.kept
    assert np.array_equal(back.segment(frame).probabilities, segmenter.segment(frame).probabilities)
