"""The energy scale by a foil: what it says, what it corrects, what is no foil."""

import numpy as np
import pytest

from agents.protocols import Calibrating
from models.errors import ReductionError, ReferenceSetError
from models.spectra.absorption import Absorption
from models.spectra.documents import SpectrumKeys
from models.spectra.foil import DRIFT, OFFSET, FoilXanesReducer
from models.spectra.references import load_references
from tests.support.campaigns import REFERENCES

KEYS = SpectrumKeys("energy", "i0", "counts")


@pytest.fixture(scope="module")
def absorption():
    return Absorption(load_references(REFERENCES), "linear")


@pytest.fixture
def reducer(absorption):
    return FoilXanesReducer(absorption, KEYS, {"Cu": "cu0"}, "Cu")


def run(absorption, label, off=0.0, **about):
    """Return documents of a spectrum of reference *label*, its energies too low by *off* (eV)."""
    spectrum = absorption.references.spectra[label][0]
    mu = spectrum.mu - spectrum.mu.min()
    i0 = np.full(mu.size, 1e8)
    data = {"energy": spectrum.energy - off, "i0": i0, "counts": i0 * mu / mu.max()}
    return [
        ("start", {"uid": "r", **about}),
        ("descriptor", {"uid": "d", "name": "primary"}),
        ("event", {"descriptor": "d", "data": data}),
    ]


def test_a_foil_says_by_how_much_the_energy_scale_is_off(absorption, reducer):
    assert isinstance(reducer, Calibrating)
    true = reducer.calibrate(run(absorption, "Cu"))[OFFSET].mean
    off = reducer.calibrate(run(absorption, "Cu", off=2.0))[OFFSET].mean

    assert off - true == pytest.approx(2.0, abs=0.15)


def test_under_a_calibration_what_is_left_of_the_shift_is_the_drift_since(absorption, reducer):
    calibration = reducer.calibrate(run(absorption, "Cu", off=2.0))

    steady = reducer.under(calibration).reduce(run(absorption, "Cu", off=2.0))
    drifted = reducer.under(calibration).reduce(run(absorption, "Cu", off=3.0))

    assert steady.quality.scores[DRIFT] < 0.2
    assert drifted.quality.scores[DRIFT] == pytest.approx(1.0, abs=0.2)
    assert steady.values["cu0"].mean > 0.9


def test_without_a_calibration_it_reduces_as_any_other(absorption, reducer):
    documents = run(absorption, "CuO (nano)")

    assert reducer.under({}) is reducer
    assert DRIFT not in reducer.reduce(documents).quality.scores


def test_what_is_no_foil_is_refused_with_what_is_expected(absorption, reducer):
    with pytest.raises(ReductionError, match="Is it in the beam"):
        reducer.calibrate(run(absorption, "CuO (nano)", foil=True))


def test_upkeep_that_is_none_of_the_foil_says_nothing_of_the_energy_scale(absorption, reducer):
    assert reducer.calibrate(run(absorption, "CuO (nano)")) == {}


def test_a_foil_that_is_no_reference_is_refused_with_the_labels(absorption):
    with pytest.raises(ReferenceSetError, match="labels: Cu"):
        FoilXanesReducer(absorption, KEYS, None, "Au")
