"""Files read as spectra, or are refused with a word on what is accepted."""

import gzip
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SpectrumError
from models.spectra.reading import read_spectra, spectra_from_csv
from models.spectra.spectrum import checked
from models.spectra.xdi import spectrum_from_xdi

ENERGY = np.linspace(7000.0, 7200.0, 41)
XDI = "# XDI/1.0\n# Column.1: {first}\n# Column.2: i0\n# Column.3: {third}\n{more}# ///\n# ----\n"


def _table(*columns):
    return "".join(" ".join(f"{x:.6f}" for x in row) + "\n" for row in zip(*columns, strict=True))


def _csv(*columns, header="energy_eV,mu"):
    rows = [",".join(f"{x}" for x in row) for row in zip(*columns, strict=True)]
    return "\n".join([header, *rows]) + "\n"


def test_transmission_counts_become_a_logarithm():
    i0, itrans = np.full(41, 2e5), np.linspace(1e5, 2e4, 41)
    text = XDI.format(first="energy eV", third="itrans", more="# Sample.formula: Fe2O3\n")

    spectrum = spectrum_from_xdi(text + _table(ENERGY, i0, itrans), "a.xdi")

    np.testing.assert_allclose(spectrum.mu, np.log(i0 / itrans), rtol=1e-6)
    assert spectrum.label == "Fe2O3"


def test_fluorescence_counts_are_divided_by_the_incident_ones():
    i0, ifluor = np.full(41, 2e5), np.linspace(1e3, 2e4, 41)
    text = XDI.format(first="energy keV", third="ifluor", more="")

    spectrum = spectrum_from_xdi(text + _table(ENERGY / 1000, i0, ifluor), "a.xdi")

    np.testing.assert_allclose(spectrum.mu, ifluor / i0, rtol=1e-6)
    np.testing.assert_allclose(spectrum.energy, ENERGY, atol=1e-2)


def test_a_bragg_angle_becomes_an_energy_by_the_stated_spacing():
    angle = np.rad2deg(np.arcsin(12398.419843320026 / (2 * 3.13550 * ENERGY)))
    text = XDI.format(first="angle degrees", third="mu", more="# Mono.d_spacing: 3.13550\n")

    spectrum = spectrum_from_xdi(text + _table(angle, ENERGY, ENERGY), "a.xdi")

    np.testing.assert_allclose(spectrum.energy, ENERGY, atol=0.01)


def test_a_table_with_scans_gives_one_spectrum_each(tmp_path):
    rows = [f"{s},{c},{e},{m}" for s, c in (("a", "Fe"), ("b", "FeO")) for e, m in _points()]
    path = tmp_path / "scans.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["scan,compound,energy_eV,mu", *rows]).encode()))

    spectra = read_spectra(path)

    assert [(s.scan, s.label, s.energy.size) for s in spectra] == [
        ("a", "Fe", 41),
        ("b", "FeO", 41),
    ]


def _points():
    return zip(ENERGY, np.linspace(0, 1, 41), strict=True)


def test_points_out_of_order_are_sorted_and_repeated_ones_averaged():
    back = checked([*ENERGY[::-1], ENERGY[3]], [*np.arange(41.0)[::-1], 5.0])

    np.testing.assert_array_equal(back.energy, ENERGY)
    assert back.mu[3] == 4.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _csv(ENERGY, ENERGY, header="energy_eV,temperature"),
            "no absorption.*temperature.*accepted",
        ),
        (_csv(ENERGY, ENERGY, header="position,mu"), "no energy column.*position"),
        (_csv(ENERGY[:4], ENERGY[:4]), "4 points"),
        (_csv(ENERGY / 1000, ENERGY), "in eV"),
        (_csv(ENERGY, ENERGY) + "7300,nan\n", "column mu, row 42"),
        (_csv(ENERGY, ENERGY) + "7300,\n", "column mu, row 42"),
        (_csv(ENERGY, -ENERGY, ENERGY, header="energy_eV,i0,itrans"), "column i0, point 1"),
        ("", "empty"),
        ("energy_eV,mu\n", "no rows"),
    ],
)
def test_a_table_that_is_no_spectrum_is_refused_with_the_reason(text, said):
    with pytest.raises(SpectrumError, match=f"(?s)a.csv.*{said}"):
        spectra_from_csv(text, "a.csv")


def test_a_header_of_anything_is_told_in_one_short_line():
    text = '"a\nb\x00",' + ",".join(f"column{n}" for n in range(999)) + "\n" + "1," * 999 + "1\n"

    with pytest.raises(SpectrumError) as refused:
        spectra_from_csv(text, "a.csv")

    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 600


def test_an_xdi_row_of_another_length_is_refused_by_its_line():
    text = XDI.format(first="energy eV", third="mu", more="")

    with pytest.raises(SpectrumError, match="line 8: 2 numbers; rows above have 3"):
        spectrum_from_xdi(text + "1 2 3\n1 2\n", "a.xdi")


@pytest.mark.parametrize("name", ["a.txt", "a.xdi", "b.csv.gz"])
def test_files_that_are_missing_broken_or_of_another_kind_are_refused(tmp_path, name):
    (tmp_path / "b.csv.gz").write_bytes(b"\x1f\x8bno gzip")

    with pytest.raises(SpectrumError):
        read_spectra(tmp_path / name)


@settings(max_examples=150, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_whatever_stands_in_a_file_is_a_spectrum_or_a_spectrum_error(text):
    for read in (spectrum_from_xdi, spectra_from_csv):
        try:
            read(text, "fuzz")
        except SpectrumError as error:
            assert "fuzz" in str(error)


_WORDS = st.sampled_from(
    ["# Column.1: energy eV", "# Column.2: mu", "energy_eV,mu", "scan,energy_eV,mu", "#", "1e999 2"]
) | st.lists(st.floats().map(repr) | st.just("x"), min_size=1, max_size=4).map(",".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(_WORDS, max_size=30).map("\n".join))
def test_nearly_right_files_are_a_spectrum_or_a_spectrum_error(text):
    for read in (spectrum_from_xdi, spectra_from_csv):
        try:
            read(text, "fuzz")
        except SpectrumError as error:
            assert "fuzz" in str(error)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=40),
    st.lists(st.floats(0, 1), max_size=40),
)
def test_any_points_are_a_sorted_finite_spectrum_or_a_spectrum_error(points, _):
    try:
        spectrum = checked([e for e, _ in points], [m for _, m in points])
    except SpectrumError:
        return

    assert (np.diff(spectrum.energy) > 0).all()
    assert np.isfinite(spectrum.mu).all()


def test_reading_imports_no_torch():
    code = "import sys, models.spectra.references as _; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "False"
