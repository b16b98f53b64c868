"""The drift of an energy scale is found in the scans themselves."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import SpectrumError
from models.spectra.drift import drift_of
from models.spectra.reading import read_spectra
from models.spectra.spectrum import checked

NIO = Path(__file__).parents[2] / "simulators" / "data" / "xanes_nio_mono_drift"


@pytest.fixture(scope="module")
def channels():
    spectra = read_spectra(NIO / "scans.csv.gz")
    return {
        channel: [s for s in spectra if s.scan.endswith(channel)]
        for channel in ("sample", "reference")
    }


def test_a_shift_that_was_put_in_comes_out_within_its_uncertainty(channels):
    random = np.random.default_rng(0)
    scan = channels["sample"][0]
    put = np.array([0.0, 0.4, -2.3, 7.0, 0.05])
    swing = np.ptp(scan.mu)

    series = [
        checked(
            scan.energy + d,
            (2 + k) * scan.mu
            + 1e-4 * k * scan.energy
            + 0.002 * swing * random.standard_normal(522),
        )
        for k, d in enumerate(put)
    ]
    found = drift_of(series)

    for shift, true in zip(found[1:], put[1:], strict=True):
        assert shift.shift_eV == pytest.approx(true, abs=4 * shift.sigma_eV)
        assert shift.sigma_eV < 0.05


def test_the_sample_says_what_the_foil_behind_it_says(channels):
    sample, foil = drift_of(channels["sample"]), drift_of(channels["reference"])

    for one, other in zip(sample, foil, strict=True):
        assert one.shift_eV == pytest.approx(other.shift_eV, abs=0.1)
    assert sample[-1].shift_eV < -5


def test_drift_is_counted_from_the_scan_that_is_named(channels):
    early, late = drift_of(channels["sample"], 0), drift_of(channels["sample"], 9)

    assert late[9].shift_eV == 0.0
    assert early[9].shift_eV == pytest.approx(-late[0].shift_eV, abs=0.03)


def test_what_is_no_series_of_one_edge_is_refused(channels):
    scan = channels["sample"][0]
    elsewhere = checked(scan.energy - 800, scan.mu)
    flat = checked(scan.energy, np.sin(scan.energy))

    for series, said in (
        ([scan], "two scans"),
        ([scan, scan, elsewhere], "not that of the others"),
        ([scan, flat], "no edge"),
    ):
        with pytest.raises(SpectrumError, match=said):
            drift_of(series)
