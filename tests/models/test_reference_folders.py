"""References from whatever a user has: one table, loose files, a folder for each label."""

import numpy as np
import pytest

from models.errors import ReferenceSetError, SpectrumError
from models.spectra.references import label_from_name, load_references

ENERGY = np.linspace(7000.0, 7300.0, 61)


def _write(path, energy=ENERGY, label=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["energy_eV,mu", *(f"{e},{1 / (1 + np.exp(7112 - e))}" for e in energy)]
    path.write_text("\n".join(lines))


def _repeats(references):
    return {label: len(group) for label, group in references.spectra.items()}


def test_loose_files_are_labelled_by_their_names_without_repeat_numbers(tmp_path):
    for name in ("Fe.csv", "Fe_2.csv", "Fe.003.csv", "Fe2O3-1.csv"):
        _write(tmp_path / name)

    assert _repeats(load_references(tmp_path)) == {"Fe": 3, "Fe2O3": 1}


def test_a_folder_for_each_label_names_it(tmp_path):
    for name in ("hematite/a.csv", "hematite/b.csv", "magnetite/a.csv"):
        _write(tmp_path / name)

    assert _repeats(load_references(tmp_path)) == {"hematite": 2, "magnetite": 1}


def test_a_label_file_has_the_first_word(tmp_path):
    _write(tmp_path / "scan_1.csv")
    _write(tmp_path / "scan_2.csv")
    (tmp_path / "labels.csv").write_text("file,label\nscan_1.csv,metal\nscan_2,oxide\n")

    assert _repeats(load_references(tmp_path)) == {"metal": 1, "oxide": 1}


def test_an_index_labels_the_scans_of_one_table(tmp_path):
    rows = [f"{scan},{e},{e}" for scan in ("s1", "s2", "s3") for e in ENERGY]
    (tmp_path / "scans.csv").write_text("\n".join(["scan,energy_eV,mu", *rows]))
    (tmp_path / "index.csv").write_text("scan,compound\ns1,A\ns2,B\ns3,A\n")

    references = load_references(tmp_path)

    assert _repeats(references) == {"A": 2, "B": 1}
    assert _repeats(references.without_scans(["s1"])) == {"A": 1, "B": 1}


def test_xdi_files_are_labelled_by_formula(tmp_path):
    for stem, formula in (("a_rt_01", "FeO"), ("b_rt_01", "Fe3O4"), ("c", "FeO")):
        rows = "".join(f"{e} {e}\n" for e in ENERGY)
        head = (
            f"# XDI/1.0\n# Column.1: energy eV\n# Column.2: mutrans\n# Sample.formula: {formula}\n"
        )
        (tmp_path / f"{stem}.xdi").write_text(head + "# ///\n" + rows)

    assert _repeats(load_references(tmp_path)) == {"Fe3O4": 1, "FeO": 2}


def test_labels_are_chosen_or_left_out_and_unknown_ones_refused(tmp_path):
    for name in ("A.csv", "B.csv", "C.csv"):
        _write(tmp_path / name)

    assert load_references(tmp_path, labels=["A", "C"]).labels == ("A", "C")
    assert load_references(tmp_path, leave_out=["A"]).labels == ("B", "C")
    with pytest.raises(ReferenceSetError, match="labelled D; labels are: A, B, C"):
        load_references(tmp_path, leave_out=["D"])


def test_folders_that_hold_no_set_are_refused(tmp_path):
    with pytest.raises(ReferenceSetError, match="no such folder"):
        load_references(tmp_path / "nowhere")
    with pytest.raises(ReferenceSetError, match="holds no spectra"):
        load_references(tmp_path)

    _write(tmp_path / "A_1.csv")
    with pytest.raises(ReferenceSetError, match="at least two labels; labels are: A"):
        load_references(tmp_path)

    _write(tmp_path / "B.csv", energy=ENERGY + 1000)
    with pytest.raises(ReferenceSetError, match=r"don't overlap: B\.csv starts at 8000"):
        load_references(tmp_path)


def test_an_index_without_labels_is_refused_by_name(tmp_path):
    _write(tmp_path / "A.csv")
    (tmp_path / "labels.csv").write_text("file,colour\nA.csv,red\n")

    with pytest.raises(SpectrumError, match=r"labels\.csv: no column of labels"):
        load_references(tmp_path)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("CuO_1.csv", "CuO"),
        ("Cu foil.002.csv.gz", "Cu foil"),
        ("CuO-3.xdi", "CuO"),
        ("CuO (2).csv", "CuO"),
        ("Fe2O3.csv", "Fe2O3"),
        ("_1.csv", "_1"),
    ],
)
def test_a_repeat_number_is_no_part_of_a_label(name, label):
    assert label_from_name(name) == label
