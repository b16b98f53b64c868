"""Failed scans are told from good ones of any beamline, and what nobody can tell is said."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelFileError, SpectrumError
from models.spectra.quality import Bounds, Grade, QualityModel, load_quality, save_quality
from models.spectra.quality_features import NAMES, judged
from models.spectra.quality_training import QualityTraining, read_verdicts, train_quality
from models.spectra.reading import read_scans
from models.spectra.spoiling import harmless, spoilt

DATA = Path(__file__).parents[2] / "simulators" / "data"


@pytest.fixture(scope="module")
def model():
    return load_quality()


@pytest.fixture(scope="module")
def foil():
    scan = read_scans(DATA / "xanes_cu_herfd" / "scans.csv.gz")[0]
    return scan.points()


def test_scans_of_another_beamline_and_another_way_of_measuring_are_good(model):
    scans = read_scans(DATA / "xanes_cu_herfd" / "scans.csv.gz")

    grades = [model.judge(*scan.points()).grade for scan in scans]

    assert grades.count(Grade.GOOD) >= 0.9 * len(grades)
    assert Grade.BAD not in grades


@pytest.mark.parametrize("energies", [1.0, 0.8])
@pytest.mark.parametrize("scale", [1e-6, -1.0, 3e5])
def test_element_scale_and_offset_make_no_difference(model, foil, energies, scale):
    energy, mu = foil
    shift = (1 - energies) * energy[0]

    same = model.judge(energy - shift, abs(scale) * mu + scale)

    assert same.probability == pytest.approx(model.judge(energy, mu).probability, abs=1e-6)


def _failed(energy, mu, random):
    noise = random.standard_normal(mu.size)
    return {
        "no sample": 1.0 - 1e-4 * (energy - energy[0]) + 0.001 * noise,
        "detector off": np.zeros_like(mu),
        "nothing but noise": noise,
        "not a number": np.full_like(mu, np.nan),
        "drowned": mu + 2 * np.ptp(mu) * noise,
        "upside down": -mu,
    }


def test_failed_scans_are_never_good(model, foil):
    failed = _failed(*foil, np.random.default_rng(5))

    answers = {name: model.judge(foil[0], mu) for name, mu in failed.items()}

    assert {n: a.grade for n, a in answers.items() if a.grade is Grade.GOOD} == {}
    assert sum(a.grade is Grade.BAD for a in answers.values()) >= 5
    assert all(a.reasons for a in answers.values())


def test_what_is_like_no_scan_ever_seen_is_not_answered(model):
    weights = {**model.weights, "reach": np.asarray(1e-9)}
    energy = np.linspace(7000, 7400, 200)

    far = QualityModel(weights, model.card).judge(energy, np.arctan(0.3 * (energy - 7100)))

    assert far.grade is Grade.UNSURE
    assert any("trained on" in reason for reason in far.reasons)


def test_a_small_training_learns_the_verdicts_it_was_given(tmp_path):
    quick = QualityTraining(members=2, hidden=4, steps=60, copies=1, folds=2)
    with np.load(DATA / "xas_quality_bmm" / "scans.npz") as held:
        part = {name: held[name][:60] for name in held.files if name != "mu_fluorescence"}
    np.savez(tmp_path / "scans.npz", **part)

    model = train_quality(tmp_path / "scans.npz", quick)
    save_quality(tmp_path / "model", model)
    again = load_quality(tmp_path / "model")

    assert model.card.calibration["real"]["accuracy"] >= 0.9
    assert set(model.card.data) == {"scans.npz"}
    verdicts = read_verdicts(tmp_path / "scans.npz")
    for points in verdicts.scans[:5]:
        assert again.judge(*points).probability == pytest.approx(
            model.judge(*points).probability, abs=1e-4
        )


def test_files_without_verdicts_and_other_models_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", energy_eV=np.ones((3, 20)), mu=np.ones((3, 20)))

    with pytest.raises(SpectrumError, match="labelled scans"):
        read_verdicts(tmp_path / "a.npz")
    with pytest.raises(ModelFileError, match="holds no model"):
        load_quality(tmp_path)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=True, width=32), st.floats(allow_nan=True, width=32)),
        max_size=40,
    )
)
def test_any_points_get_finite_features_or_a_word_on_what_is_wrong(points):
    energy, mu = (
        (np.array(c, dtype=np.float64) for c in zip(*points, strict=True))
        if points
        else (
            np.zeros(0),
            np.zeros(0),
        )
    )

    found = judged(energy, mu)

    if found.features is None:
        assert found.flaw
    else:
        assert found.features.shape == (len(NAMES),)
        assert np.isfinite(found.features).all()


def test_made_scans_are_as_random_as_their_generator(foil):
    for make in (harmless, spoilt):
        one, two = (make(foil, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(one[1], two[1])
        assert not np.array_equal(one[1][:50], make(foil, np.random.default_rng(4))[1][:50])


def test_bounds_leave_room_to_abstain():
    assert 0 < Bounds().low < 0.5 < Bounds().high < 1
