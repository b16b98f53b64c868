"""Whatever a beamline writes above, between and behind its columns, the columns are found."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SpectrumError
from models.spectra.columns import Layout
from models.spectra.reading import read_scans, read_spectra
from models.spectra.references import load_references
from models.spectra.table import tables_in

ENERGY = np.round(np.linspace(7000.0, 7200.0, 41), 3)
MU = np.round(np.linspace(0.1, 1.3, 41), 5)
I0 = np.full(41, 2e5)
TRANSMITTED = I0 * np.exp(-MU)


def _rows(*columns, parting=" "):
    return "".join(
        parting.join(f"{value:.6f}" for value in row) + "\n" for row in zip(*columns, strict=True)
    )


def _spectrum(tmp_path, text, name="scan.dat", **layout):
    (tmp_path / name).write_text(text)
    (spectrum,) = read_spectra(tmp_path / name, Layout(**layout))
    return spectrum


@pytest.mark.parametrize(
    "text",
    [
        _rows(ENERGY, MU),
        "# Energy (eV)\tmu(E)\n" + _rows(ENERGY, MU, parting="\t"),
        "Energy (keV)   xmu\n" + _rows(ENERGY / 1000, MU),
        "% energy mu\n" + _rows(ENERGY / 1000, MU),
        "Beamline 7\nDate, 2026\n\nenergy_eV, absorbance\n" + _rows(ENERGY, MU, parting=", "),
        "energy;mu\n" + _rows(ENERGY, MU, parting=";").replace(".", ","),
        "# I1 I0 Energy(eV)\n" + _rows(TRANSMITTED, I0, ENERGY),
        "# energy i0 it\n" + _rows(ENERGY, -I0, -TRANSMITTED),
        "! mono_energy time I0 I1\n" + _rows(ENERGY, ENERGY, I0, TRANSMITTED),
        "#S 1 escan\n#N 3\n#L arr ene  I0  I1\n" + _rows(ENERGY, I0, TRANSMITTED) + "\n#C end\n",
        "# E I0 fl1 fl2\n" + _rows(ENERGY, I0, I0 * MU / 2, I0 * MU / 2),
        "Collector\nData:\nclock\nRequested Energy\nI0\nI1\n"
        + _rows(ENERGY, ENERGY, I0, TRANSMITTED),
        "# Photon energy (eV)  TEY  I0\n" + _rows(ENERGY, MU * I0, I0),
        "# energy mu\n" + _rows(ENERGY[::-1], MU[::-1]) + "# the end\n",
    ],
)
def test_columns_are_found_under_any_header_in_any_order_and_unit(tmp_path, text):
    spectrum = _spectrum(tmp_path, text)

    np.testing.assert_allclose(spectrum.energy, ENERGY, atol=2e-3)
    np.testing.assert_allclose(spectrum.mu, MU, atol=2e-5)


def test_spectra_side_by_side_are_named_by_their_columns(tmp_path):
    table = "energy,FeO,Fe2O3,time\n" + _rows(ENERGY, MU, 2 * MU, ENERGY, parting=",")
    (tmp_path / "all.csv").write_text(table)

    spectra = read_spectra(tmp_path / "all.csv")

    assert [(s.scan, s.label) for s in spectra] == [("FeO", "FeO"), ("Fe2O3", "Fe2O3")]
    np.testing.assert_allclose(spectra[1].mu, 2 * MU, atol=1e-5)
    assert load_references(tmp_path).labels == ("Fe2O3", "FeO")


def test_columns_without_names_are_asked_for_and_taken_as_named(tmp_path):
    text = _rows(TRANSMITTED, ENERGY, ENERGY, I0)

    with pytest.raises(SpectrumError, match=r"nothing names its 4 columns.*--columns"):
        _spectrum(tmp_path, text)
    spectrum = _spectrum(tmp_path, text, columns=("it", "-", "energy", "i0"))

    np.testing.assert_allclose(spectrum.mu, MU, atol=2e-5)
    with pytest.raises(SpectrumError, match="2 columns are named, and its rows have 4"):
        _spectrum(tmp_path, text, columns=("energy", "mu"))


def test_the_signal_that_is_asked_for_is_taken(tmp_path):
    text = "# energy i0 itrans irefer ifluor temperature\n" + _rows(
        ENERGY, I0, TRANSMITTED, TRANSMITTED * np.exp(-2 * MU), I0 * 3 * MU, MU + 5
    )

    for signal, wanted in (
        ("auto", MU),
        ("transmission", MU),
        ("fluorescence", 3 * MU),
        ("reference", 2 * MU),
        ("Temperature", MU + 5),
    ):
        np.testing.assert_allclose(_spectrum(tmp_path, text, signal=signal).mu, wanted, atol=1e-4)
    with pytest.raises(SpectrumError, match=r"no column 'foil'.*temperature"):
        _spectrum(tmp_path, text, signal="foil")


def test_each_scan_of_a_spec_file_is_one(tmp_path):
    scan = "#S {0} escan\n#L Energy  I0  I1\n" + _rows(ENERGY, I0, TRANSMITTED) + "\n"
    (tmp_path / "spec").write_text("#F spec\n\n" + scan.format(3) + scan.format(4))

    assert [s.scan for s in read_spectra(tmp_path / "spec")] == ["3", "4"]


def test_arrays_in_an_npz_are_columns_of_one_scan_or_of_many(tmp_path):
    np.savez(tmp_path / "a.npz", energy=ENERGY, mu=MU)
    np.savez(tmp_path / "b.npz", energy_eV=ENERGY, mu=np.stack([MU, 2 * MU]), uid=["x", "y"])
    np.savez(tmp_path / "c.npz", energy=np.array([object()]))

    (one,) = read_spectra(tmp_path / "a.npz")
    many = read_spectra(tmp_path / "b.npz")

    np.testing.assert_allclose(one.mu, MU)
    assert [s.scan for s in many] == ["x", "y"]
    np.testing.assert_allclose(many[1].mu, 2 * MU)
    with pytest.raises(SpectrumError, match="NPZ of plain arrays"):
        read_spectra(tmp_path / "c.npz")


def test_a_packed_table_is_unpacked_whatever_its_name(tmp_path):
    (tmp_path / "packed.dat").write_bytes(gzip.compress(_rows(ENERGY, MU).encode()))

    assert read_spectra(tmp_path / "packed.dat")[0].energy.size == 41


def test_a_line_that_breaks_a_table_is_named(tmp_path):
    lines = _rows(ENERGY, MU).splitlines()
    lines[20] = "7100.0 beam lost"

    with pytest.raises(SpectrumError, match="line 21: isn't a row of 2 numbers"):
        _spectrum(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no table of numbers"), (bytes(range(256)) * 9, "not a text"), (b"hello", "no table")],
)
def test_what_holds_no_table_is_refused(tmp_path, content, said):
    (tmp_path / "x.dat").write_bytes(content)

    with pytest.raises(SpectrumError, match=said):
        read_scans(tmp_path / "x.dat")


def test_notes_beside_references_are_left_alone(tmp_path):
    for label, factor in (("A", 1.0), ("B", 2.0)):
        (tmp_path / f"{label}_1.dat").write_text(_rows(ENERGY, factor * MU))
    (tmp_path / "README.txt").write_text("measured in May")

    assert load_references(tmp_path).labels == ("A", "B")


_LINE = (
    st.lists(st.floats(allow_nan=False).map(repr), max_size=4).map(" ".join)
    | st.sampled_from(["#S 1", "#L a  b", "# Column.1: energy", "; x", ""])
    | st.text(max_size=20)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINE, max_size=30).map("\n".join))
def test_any_text_is_tables_of_numbers_or_a_spectrum_error(text):
    try:
        tables = tables_in(text, "fuzz")
    except SpectrumError as error:
        assert "fuzz" in str(error)
        return
    assert all(table.rows.ndim == 2 and table.rows.size for table in tables)
    assert all(len(table.names) in (0, table.rows.shape[1]) for table in tables)
