"""The twin's spectra: real scans that no reducer has as reference, and honest counts."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from simulators.copper import scans
from simulators.copper.options import BeamOptions
from simulators.copper.scans import DAMAGED_CUO, TWIN_SCANS, load_library
from simulators.copper.spectra import Spectrometer
from simulators.errors import ExposureError

ENERGIES = np.linspace(8960.0, 9080.0, 200)
PLAIN = {"self_absorption": 0.0, "flux_jitter": 0.0, "broadening_ev": 0.0, "dark_counts_per_s": 0.0}
REFERENCES = Path(scans.DATA).parent / "xanes_cu_references"


def rng(seed=0):
    return np.random.default_rng(seed)


def normalised(counts, options):
    return counts.fluorescence / counts.i0 / options.fluorescence_yield - options.background


def pure(species, count=1, energies=ENERGIES, **changes):
    options = BeamOptions(**{**PLAIN, "i0_counts_per_s": 1e9, **changes})
    shares = np.tile(np.eye(3)[species], (count, 1))
    counts = Spectrometer(options).expose(shares, 0.0, energies, 10.0, rng())
    return normalised(counts, options)


def test_no_scan_of_the_twin_is_a_reference():
    with (REFERENCES / "index.csv").open(newline="") as file:
        references = {row["scan"] for row in csv.DictReader(file)}

    drawn = {scan for group in TWIN_SCANS for scan in group} | {DAMAGED_CUO}

    assert len(references) == 8
    assert not references & drawn


def test_references_are_lines_of_the_source_unchanged():
    lines = {}
    for folder in (scans.DATA, REFERENCES):
        with gzip.open(folder / "scans.csv.gz", "rt", newline="") as file:
            lines[folder] = set(file.read().splitlines())

    assert lines[REFERENCES] < lines[scans.DATA]


@pytest.mark.parametrize(("species", "edge"), [(0, 8980.2), (1, 8981.7), (2, 8984.8)])
def test_a_pure_compound_has_its_edge_where_it_was_recorded(species, edge):
    fine = np.arange(8970.0, 8995.0, 0.2)
    spectrum = pure(species, energies=fine)[0]

    steepest = fine[np.gradient(spectrum).argmax()]

    assert steepest == pytest.approx(edge, abs=0.5)


def test_pure_compounds_are_0_before_the_edge_and_near_1_far_after_it():
    far = pure(0, energies=np.array([8900.0, 8940.0, 9250.0, 9300.0]))[0]

    assert far == pytest.approx([0.0, 0.0, 1.0, 1.0], abs=0.05)


def test_repeats_of_copper_oxide_differ_between_exposures_and_foil_hardly():
    oxide, foil = pure(2, count=50), pure(0, count=50)

    assert oxide.std(axis=0).max() > 2.0 * foil.std(axis=0).max()
    assert foil.std(axis=0).max() < 0.02


def test_the_damaged_scan_is_drawn_from_only_when_asked_for():
    usual, damaged = load_library(0.2, False), load_library(0.2, True)

    assert damaged.basis.shape[0] == usual.basis.shape[0] + 1
    assert damaged.groups[2].stop - damaged.groups[2].start == 3


def test_drift_shifts_the_spectrum_by_so_many_electronvolts():
    options = BeamOptions(**PLAIN, i0_counts_per_s=1e9)
    spectrometer = Spectrometer(options)
    foil = np.array([[1.0, 0.0, 0.0]])

    drifted = spectrometer.expose(foil, 0.5, ENERGIES, 10.0, rng())
    shifted = spectrometer.expose(foil, 0.0, ENERGIES + 0.5, 10.0, rng())

    assert drifted.fluorescence == pytest.approx(shifted.fluorescence, rel=1e-4)


def test_self_absorption_damps_what_is_above_the_edge_jump():
    thin, thick = pure(2)[0], pure(2, self_absorption=0.3)[0]
    white_line = thin.argmax()

    assert thin[white_line] > 1.2
    assert thick[white_line] < 0.97 * thin[white_line]


def test_broadening_flattens_the_pre_peak_of_cuprous_oxide():
    sharp, broad = pure(1)[0], pure(1, broadening_ev=1.0)[0]
    peak = sharp[ENERGIES < 8985].max()

    assert broad[ENERGIES < 8985].max() < 0.95 * peak


def test_counts_scatter_as_poisson_says_and_fall_with_the_exposure_time():
    options = BeamOptions(**PLAIN)
    spectrometer = Spectrometer(options)
    shares = np.tile([1.0, 0.0, 0.0], (2000, 1))
    energies = np.array([8900.0])

    long = spectrometer.expose(shares, 0.0, energies, 10.0, rng())
    short = spectrometer.expose(shares, 0.0, energies, 1.0, rng())

    assert long.i0.var() / long.i0.mean() == pytest.approx(1.0, abs=0.15)
    assert long.fluorescence.var() / long.fluorescence.mean() == pytest.approx(1.0, abs=0.15)
    assert short.i0.mean() == pytest.approx(long.i0.mean() / 10.0, rel=0.01)


def test_the_same_stream_gives_the_same_counts_and_another_gives_others():
    spectrometer = Spectrometer(BeamOptions())
    shares = rng().dirichlet(np.ones(3), size=300)

    one = spectrometer.expose(shares, 0.1, ENERGIES, 10.0, rng(1))
    same = spectrometer.expose(shares, 0.1, ENERGIES, 10.0, rng(1))
    other = spectrometer.expose(shares, 0.1, ENERGIES, 10.0, rng(2))

    assert (one.fluorescence == same.fluorescence).all()
    assert (one.fluorescence != other.fluorescence).any()


@pytest.mark.parametrize(
    "energies", [[8000.0], [8990.0, 9400.0], [float("nan")], [], [[8990.0]], [float("inf")]]
)
def test_energies_that_were_never_recorded_are_refused(energies):
    spectrometer = Spectrometer(BeamOptions())

    with pytest.raises(ExposureError, match=r"copper twin: .*(cover|at least one)"):
        spectrometer.expose([[1.0, 0.0, 0.0]], 0.0, energies, 10.0, rng())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_exposure_time_without_meaning_is_refused(seconds):
    spectrometer = Spectrometer(BeamOptions())

    with pytest.raises(ExposureError, match="above 0 s"):
        spectrometer.expose([[1.0, 0.0, 0.0]], 0.0, ENERGIES, seconds, rng())
