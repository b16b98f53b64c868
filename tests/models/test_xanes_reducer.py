"""Runs of both layouts reduce to fractions; others are refused or rejected."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ReductionError
from models.spectra.absorption import Absorption
from models.spectra.documents import SpectrumKeys
from models.spectra.reading import read_spectra
from models.spectra.references import load_references
from models.spectra.xanes_reducer import XanesReducer
from models.values import Verdict

DATA = Path(__file__).parents[2] / "simulators" / "data"
KEYS = SpectrumKeys("energy", "i0", "iff")


@pytest.fixture(scope="module")
def absorption():
    return Absorption(load_references(DATA / "xanes_cu_references"), "linear")


@pytest.fixture(scope="module")
def counts():
    """Energy, I0 and signal of 60 % Cu2O and 40 % foil from scans that are no references."""
    scans = {s.scan: s for s in read_spectra(DATA / "xanes_cu_herfd" / "scans.csv.gz")}
    oxide, foil = scans["CuHERFD_Cu(I)O.004"], scans["CuHERFD_Cu Foil.002"]
    energy = np.arange(8900.0, 9330.0, 0.5)
    mu = 0.6 * _unit(oxide, energy) + 0.4 * _unit(foil, energy)
    i0 = np.full(energy.size, 1e6)
    return energy, i0, np.random.default_rng(1).poisson(0.05 * mu * i0).astype(float)


def _unit(spectrum, energy):
    mu = np.interp(energy, spectrum.energy, spectrum.mu)
    return (mu - mu[:80].mean()) / (mu[500:].mean() - mu[:80].mean()) + 0.02


def _documents(events, stream="primary"):
    return [
        ("start", {"uid": "r"}),
        ("descriptor", {"uid": "d", "name": stream}),
        *(("event", {"descriptor": "d", "seq_num": i, "data": e}) for i, e in enumerate(events)),
        ("stop", {"run_start": "r"}),
    ]


def test_a_whole_spectrum_in_one_event_gives_its_fractions(absorption, counts):
    energy, i0, signal = counts
    reducer = XanesReducer(absorption, KEYS, {"Cu2O": "copper_one"})

    reduced = reducer.reduce(_documents([{"energy": energy, "i0": i0, "iff": signal}]))

    assert reduced.quality.verdict is Verdict.ACCEPTED
    assert list(reduced.values) == ["copper_one"]
    assert abs(reduced.values["copper_one"].mean - 0.6) < 0.08


def test_a_step_scan_gives_the_same_as_one_event(absorption, counts):
    points = [
        {"energy": float(e), "i0": float(i), "iff": float(s)}
        for e, i, s in zip(*counts, strict=True)
    ]
    reducer = XanesReducer(absorption, KEYS)

    by_points = reducer.reduce(_documents(points))
    at_once = reducer.reduce(_documents([dict(zip(("energy", "i0", "iff"), counts, strict=True))]))

    assert by_points == at_once


def test_counts_of_several_sweeps_are_added(absorption, counts):
    energy, i0, signal = counts
    reducer = XanesReducer(absorption, KEYS)
    half = {"energy": energy, "i0": i0 / 2, "iff": signal / 2}

    twice = reducer.reduce(_documents([half, half]))
    once = reducer.reduce(_documents([{"energy": energy, "i0": i0, "iff": signal}]))

    assert twice == once


def test_documents_without_the_keys_are_refused_by_name(absorption, counts):
    reducer = XanesReducer(absorption, KEYS)

    with pytest.raises(ReductionError, match="without iff"):
        reducer.reduce(_documents([{"energy": counts[0], "i0": counts[1]}]))
    with pytest.raises(ReductionError, match="no event of stream"):
        reducer.reduce(_documents([{"energy": 1.0}], stream="baseline"))


def test_a_run_with_the_shutter_closed_is_rejected_with_a_reason(absorption, counts):
    energy, i0, _ = counts
    dark = np.random.default_rng(2).poisson(3.0, energy.size).astype(float)
    reducer = XanesReducer(absorption, KEYS)

    reduced = reducer.reduce(_documents([{"energy": energy, "i0": i0, "iff": dark}]))

    assert reduced.quality.verdict is Verdict.REJECTED
    assert reduced.quality.reasons
    assert not reduced.values
