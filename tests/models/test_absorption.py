"""Spectra of known mixtures, foreign compounds and failed measurements, by both methods."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ReferenceSetError, SpectrumError
from models.spectra.absorption import Absorption, plain_fractions
from models.spectra.edge import find_edge
from models.spectra.estimators import EnsembleEstimator
from models.spectra.fitting import fit_files
from models.spectra.mixture import make_basis
from models.spectra.references import load_references, reference_set
from models.spectra.spectrum import Spectrum, checked
from models.spectra.training import Training
from models.values import Verdict
from tests.support.campaigns import REFERENCES

DATA = Path(__file__).parents[2] / "simulators" / "data"
SMALL = Training(members=2, hidden=32, steps=150, batch=64)
"""Enough to show that learning, caching and estimating work; not the product's accuracy."""


@pytest.fixture(scope="module")
def references():
    return load_references(DATA / "xanes_cu_references")


@pytest.fixture(scope="module")
def scans():
    every = load_references(DATA / "xanes_cu_herfd").spectra.values()
    return {s.scan.removeprefix("CuHERFD_"): s for group in every for s in group}


@pytest.fixture(scope="module")
def linear(references):
    return Absorption(references, "linear")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def ensemble(references, cache):
    return Absorption(references, training=SMALL, cache=cache)


@pytest.fixture(scope="module")
def mixture(scans):
    """A quarter foil, half Cu2O, a quarter CuO, from scans that are no references; 0.3 eV off."""
    parts = {"Cu Foil.002": 0.25, "Cu(I)O.006": 0.5, "nanoCuO.006": 0.25}
    energy = scans["Cu Foil.002"].energy[2:-2]
    mu = sum(f * np.interp(energy - 0.3, energy, _unit(scans[s])[2:-2]) for s, f in parts.items())
    noise = np.random.default_rng(0).normal(0, 0.005, energy.size)
    return checked(energy, mu + noise), {"Cu": 0.25, "Cu2O": 0.5, "CuO (nano)": 0.25}


def _unit(spectrum):
    x = spectrum.energy - 8981.5
    mu = spectrum.mu - spectrum.mu[x < -20].mean()
    return mu / np.polyval(np.polyfit(x[x > 75], mu[x > 75], 2), 0.0)


@pytest.mark.parametrize("method", ["linear", "ensemble"])
def test_a_known_mixture_is_found_within_its_uncertainty(method, request, mixture):
    spectrum, truth = mixture

    result = request.getfixturevalue(method).analyse(spectrum)

    assert result.quality.verdict is Verdict.ACCEPTED
    assert result.shift_eV == pytest.approx(-0.3, abs=0.1)
    assert sum(m.mean for m in result.fractions.values()) == pytest.approx(1.0)
    for label, fraction in truth.items():
        measured = result.fractions[label]
        assert abs(measured.mean - fraction) < min(3 * measured.sigma, 0.12)


def test_the_shift_search_pays(linear, mixture):
    spectrum, truth = mixture
    wanted = np.array([truth[label] for label in linear.references.labels])

    plain = plain_fractions(linear, spectrum) - wanted
    searched = np.array([m.mean for m in linear.analyse(spectrum).fractions.values()]) - wanted

    assert np.sqrt(np.mean(searched**2)) < np.sqrt(np.mean(plain**2))


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-6, 1e6), offset=st.floats(-5, 5), slope=st.floats(-1e-3, 1e-3))
def test_scale_offset_and_slope_of_a_spectrum_do_not_matter(linear, mixture, scale, offset, slope):
    spectrum, _ = mixture
    background = offset + slope * (spectrum.energy - 8981.5)
    changed = Spectrum(spectrum.energy, scale * (spectrum.mu + background))

    first, second = linear.analyse(spectrum), linear.analyse(changed)

    for label in first.fractions:
        assert second.fractions[label].mean == pytest.approx(first.fractions[label].mean, abs=2e-3)


@pytest.mark.parametrize("scan", [f"CuSO4.00{i}" for i in range(1, 6)])
def test_a_compound_that_nobody_listed_is_novel(linear, scans, scan):
    result = linear.analyse(scans[scan])

    assert result.novel
    assert result.quality.verdict is Verdict.REJECTED
    assert "novel" in result.quality.reasons[0]


def test_other_repeats_of_the_references_are_not_novel(linear, scans):
    for name, spectrum in scans.items():
        if not name.startswith("CuSO4"):
            assert linear.analyse(spectrum).quality.verdict is Verdict.ACCEPTED, name


ENERGY = np.arange(8880.0, 9350.0, 1.0)
STEP = 1 / (1 + np.exp(-(ENERGY - 8985.0)))
NOISE = np.random.default_rng(3).normal(size=ENERGY.size)


@pytest.mark.parametrize(
    ("mu", "said"),
    [
        (np.ones_like(ENERGY), "no edge"),
        (NOISE, "no edge|noise"),
        (STEP + 0.5 * NOISE, "no edge|noise"),
        (2.0 - 1e-3 * (ENERGY - 8880) + 1e-6 * (ENERGY - 8880) ** 2, "no edge"),
        (-STEP, "no edge"),
        (np.minimum(STEP, 0.7), "saturated"),
        (1e-301 * STEP, "scale"),
        (1e300 * STEP, "scale"),
    ],
)
def test_a_failed_measurement_is_rejected_with_a_reason(linear, mu, said):
    result = linear.analyse(checked(ENERGY, mu))

    assert result.quality.verdict is Verdict.REJECTED
    assert not result.fractions
    assert any(word in result.quality.reasons[0] for word in said.split("|"))


@pytest.mark.parametrize("span", [(-60, 250), (-35, 110), (-22, 62)])
def test_a_shorter_scan_gives_the_same_within_its_uncertainty(linear, mixture, span):
    spectrum, truth = mixture
    kept = (spectrum.energy > 8981.5 + span[0]) & (spectrum.energy < 8981.5 + span[1])

    result = linear.analyse(checked(spectrum.energy[kept], spectrum.mu[kept]))

    for label, fraction in truth.items():
        assert abs(result.fractions[label].mean - fraction) < 0.12


def test_a_scan_that_ends_before_the_features_is_rejected(linear, mixture):
    spectrum, _ = mixture
    kept = spectrum.energy < 8993

    result = linear.analyse(checked(spectrum.energy[kept], spectrum.mu[kept]))

    assert result.quality.verdict is Verdict.REJECTED


def _thinned(spectrum, step):
    energy = np.arange(spectrum.energy[0], spectrum.energy[-1], step)
    return checked(energy, np.interp(energy, spectrum.energy, spectrum.mu))


@pytest.mark.parametrize("step", [2.4, 4.0])
def test_points_too_far_apart_for_the_features_are_rejected(linear, scans, step):
    for name in ("nanoCuO.001", "Cu(I)O.003", "Cu Foil.001"):
        result = linear.analyse(_thinned(scans[name], step))

        assert result.quality.verdict is Verdict.REJECTED
        assert not result.novel
        assert not result.fractions
        assert result.quality.reasons[0].startswith("points: too far apart")


def test_points_that_blur_the_features_are_suspect(linear, scans):
    result = linear.analyse(_thinned(scans["Cu Foil.001"], 1.2))

    assert result.quality.verdict is Verdict.SUSPECT
    assert result.quality.reasons[0].startswith("points: too far apart")


def test_sparse_references_take_spectra_on_their_own_points(scans):
    sparse = [
        replace(_thinned(s, 2.4), label=s.label)
        for name, s in scans.items()
        if name in ("nanoCuO.001", "Cu(I)O.003", "Cu Foil.001")
    ]
    analysis = Absorption(reference_set(sparse), "linear")

    for spectrum in sparse:
        result = analysis.analyse(spectrum)

        assert result.quality.verdict is Verdict.ACCEPTED
        assert result.fractions[spectrum.label].mean > 0.95


@pytest.mark.parametrize("offset", [-12.0, -3.0, 4.0, 25.0])
def test_another_beamlines_energy_scale_is_found(linear, mixture, offset):
    spectrum, truth = mixture

    result = linear.analyse(checked(spectrum.energy + offset, spectrum.mu))

    assert result.shift_eV == pytest.approx(-0.3 - offset, abs=0.1)
    assert result.fractions["Cu2O"].mean == pytest.approx(truth["Cu2O"], abs=0.1)


@pytest.mark.parametrize("offset", [-650.0, 500.0])
def test_an_edge_of_another_element_is_novel_however_alike(linear, mixture, offset):
    spectrum, _ = mixture

    result = linear.analyse(checked(spectrum.energy + offset, spectrum.mu))

    assert result.novel
    assert result.quality.verdict is Verdict.REJECTED
    assert not result.fractions
    assert "not that of the references" in result.quality.reasons[0]


def test_the_same_training_twice_gives_the_same_numbers(references, mixture, tmp_path):
    tiny = Training(members=2, hidden=16, steps=5, batch=16)
    first = Absorption(references, training=tiny, cache=tmp_path / "a").analyse(mixture[0])
    second = Absorption(references, training=tiny, cache=tmp_path / "b").analyse(mixture[0])

    assert first.fractions == second.fractions
    assert first.method == "ensemble of 2"


def test_a_cached_ensemble_is_the_one_that_was_trained(ensemble, references, cache, mixture):
    fresh = ensemble.analyse(mixture[0])
    files = list(cache.iterdir())

    again = Absorption(references, training=SMALL, cache=cache).analyse(mixture[0])

    assert again.fractions == fresh.fractions
    assert list(cache.iterdir()) == files
    assert len(files) == 1


def _cut_short(path, torch):
    path.write_bytes(path.read_bytes()[:100])


def _without_numbers(path, torch):
    weights = {k: torch.full_like(v, float("nan")) for k, v in torch.load(path).items()}
    torch.save(weights, path)


def _something_else(path, torch):
    torch.save([1, 2], path)


@pytest.mark.parametrize("damaged", [_cut_short, _without_numbers, _something_else])
def test_a_damaged_cache_file_is_replaced(ensemble, references, cache, mixture, damaged):
    fresh = ensemble.analyse(mixture[0])
    path = next(cache.iterdir())
    damaged(path, pytest.importorskip("torch"))

    again = Absorption(references, training=SMALL, cache=cache).analyse(mixture[0])

    assert again.fractions == fresh.fractions
    assert path.stat().st_size > 1000


def test_an_unwritable_cache_costs_a_training_and_no_more(references, mixture, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    tiny = Training(members=2, hidden=16, steps=5, batch=16)

    result = Absorption(references, training=tiny, cache=blocked / "below").analyse(mixture[0])

    assert result.method == "ensemble of 2"


def test_training_leaves_the_callers_random_numbers_alone(references, mixture, tmp_path):
    torch = pytest.importorskip("torch")
    tiny = Training(members=2, hidden=16, steps=5, batch=16)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)

    Absorption(references, training=tiny, cache=tmp_path).analyse(mixture[0])

    assert torch.equal(torch.rand(3), expected)


def test_an_ensemble_without_numbers_falls_back_and_says_so(references, mixture, tmp_path):
    tiny = Training(members=2, hidden=16, steps=5, batch=16)
    analysis = Absorption(references, training=tiny, cache=tmp_path)
    analysis.analyse(mixture[0])
    ((_, trained),) = analysis.estimator._trained.values()
    trained.network.temperature.fill_(float("nan"))

    result = analysis.analyse(mixture[0])

    assert result.method.startswith("linear combination (fallback")
    assert result.fractions == Absorption(references, "linear").analyse(mixture[0]).fractions


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'torch'"), RuntimeError("svd failed\nand so")]
)
def test_what_can_not_be_trained_falls_back_and_says_why(
    references, mixture, tmp_path, monkeypatch, error
):
    def refuse(_self, _basis):
        raise error

    monkeypatch.setattr(EnsembleEstimator, "_ensemble", refuse)

    result = Absorption(references, cache=tmp_path).analyse(mixture[0])

    assert result.method == (
        f"linear combination (fallback: no ensemble: {str(error).splitlines()[0]})"
    )
    assert result.fractions == Absorption(references, "linear").analyse(mixture[0]).fractions


def test_an_unknown_method_and_a_broken_reference_are_refused(references):
    flat = checked(ENERGY, np.ones_like(ENERGY), file="flat.csv", label="X")
    spectra = [s for group in references.spectra.values() for s in group]

    with pytest.raises(ReferenceSetError, match="accepted are auto, linear"):
        Absorption(references, "magic")
    with pytest.raises(ReferenceSetError, match=r"flat\.csv: no edge"):
        Absorption(reference_set([*spectra, flat]), "linear")


def test_a_mixture_normalises_to_the_mixture_of_normalised_references(references):
    basis = make_basis(references, 8981.5)
    first, second = basis.references.spectra["Cu"][0], basis.references.spectra["Cu2O"][0]
    frame = basis.frame
    a, b = (frame.resample(s, [0.0]) for s in (first, second))
    steps = frame.normalise(np.vstack([a, b]))[1]

    mixed, _ = frame.normalise(0.3 * a / steps[0] + 0.7 * b / steps[1])

    expected = 0.3 * frame.normalise(a)[0] + 0.7 * frame.normalise(b)[0]
    np.testing.assert_allclose(mixed, expected, atol=1e-9)


def _made_up(e0, peak, energy, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.002, energy.size)
    x = energy - e0
    white_line = peak * np.exp(-0.5 * ((x - 6) / 3) ** 2)
    return 0.5 + np.arctan(x / 1.5) / np.pi + white_line + 0.05 * np.sin(x / 9) * (x > 0) + noise


def test_any_element_will_do(tmp_path):
    energy = np.concatenate([np.arange(19850, 19970, 5.0), np.arange(19970, 20400, 1.0)])
    kinds = {"metal": (20000.0, 0.1), "oxide": (20004.0, 1.0)}
    for label, (e0, peak) in kinds.items():
        for repeat in (1, 2):
            mu = _made_up(e0, peak, energy, repeat)
            rows = "\n".join(f"{e},{m}" for e, m in zip(energy, mu, strict=True))
            (tmp_path / f"{label}_{repeat}.csv").write_text("energy_eV,mu\n" + rows)
    mixed = 0.3 * _made_up(20000, 0.1, energy, 5) + 0.7 * _made_up(20004, 1.0, energy, 6)
    sample = tmp_path / "sample"
    sample.mkdir()
    rows = "\n".join(f"{e},{m}" for e, m in zip(energy, mixed, strict=True))
    (sample / "unknown.csv").write_text("energy_eV,mu\n" + rows)
    references = tmp_path / "references"
    references.mkdir()
    for path in tmp_path.glob("*.csv"):
        path.rename(references / path.name)

    (found,) = fit_files(references, [sample], method="linear")

    json.dumps(found, allow_nan=False)
    assert found["verdict"] == "accepted"
    assert found["fractions"]["oxide"]["mean"] == pytest.approx(0.7, abs=0.03)


def test_the_edge_of_a_real_scan_is_where_its_source_says(scans):
    stated = {"Cu Foil.001": 8980.2, "Cu(I)O.002": 8981.6, "nanoCuO.001": 8984.9}

    for name, e0 in stated.items():
        edge, reason = find_edge(scans[name])
        assert not reason
        assert edge.e0 == pytest.approx(e0, abs=0.6)


def test_a_file_that_can_not_be_read_keeps_none_of_the_others_back(tmp_path):
    good, bad, worse = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "none.csv"
    energy = np.arange(8890.0, 9200.0, 0.5)
    mu = 1 / (1 + np.exp(-(energy - 8980.0)))
    rows = "".join(f"{e},{m}\n" for e, m in zip(energy, mu, strict=True))
    good.write_text("energy_eV,mu\n" + rows)
    bad.write_text("energy_eV,mu\n1,x\n")
    found = []

    with pytest.raises(SpectrumError) as told:
        found.extend(fit_files(REFERENCES, [bad, good, worse], method="linear"))

    assert [one["file"] for one in found] == [str(good)]
    assert bad.name in str(told.value)
    assert worse.name in str(told.value)
