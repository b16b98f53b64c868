"""CIF files become lines where, and as strong as, the textbooks have them."""

from pathlib import Path

import numpy as np
import pytest

from models.diffraction.phase import phase_of
from models.diffraction.radiation import radiation
from models.diffraction.structure import read_structure, read_structures
from models.errors import PatternError, StructureError

LISTED = Path(__file__).parents[3] / "simulators" / "data" / "powder_cifs" / "listed"
COPPER = radiation("CuKa")

STRONGEST = {
    "Cu": (43.32, 8.93),
    "Cu2O": (36.42, 6.11),
    "CuO": (38.75, 6.52),
    "TiO2_anatase": (25.31, 3.89),
    "TiO2_rutile": (27.43, 4.25),
    "TiO2_brookite": (30.81, 4.12),
    "CaCO3_calcite": (29.40, 2.71),
    "CaTiO3": (33.1, 4.02),
    "CaO": (37.37, 3.35),
    "Al2O3": (35.15, 3.98),
}
"""2-theta (degrees, Cu K-alpha 1) of the strongest line, and density (g/cm³), as tabulated."""

P1 = """data_x
_cell_length_a 3.6149
_cell_length_b 3.6149
_cell_length_c 3.6149
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 Cu0+ 0 0 0
Cu2 Cu0+ 0.5 0.5 0
Cu3 Cu0+ 0.5 0 0.5
Cu4 Cu0+ 0 0.5 0.5
"""


def _two_theta(d):
    return 2 * np.degrees(np.arcsin(COPPER.wavelength / 2 / d))


@pytest.mark.parametrize("name", sorted(STRONGEST))
def test_the_strongest_line_and_the_density_are_those_of_the_tables(name):
    structure = read_structure(LISTED / f"{name}.cif")

    phase = phase_of(structure, COPPER, 1.0)

    strongest = phase.d[np.argmax(phase.strength * COPPER.factor(phase.d))]
    angle, density = STRONGEST[name]
    assert _two_theta(strongest) == pytest.approx(angle, abs=0.15)
    assert structure.density == pytest.approx(density, rel=0.01)


def test_lines_of_copper_have_the_strengths_of_the_powder_card():
    phase = phase_of(read_structure(LISTED / "Cu.cif"), COPPER, 1.0)

    area = phase.strength * COPPER.factor(phase.d)
    order = np.argsort(-phase.d)

    # PDF 4-836: 111, 200, 220, 311 as 100, 46, 20, 17; the vibrations here are smaller
    assert area[order][:4] / area.max() == pytest.approx([1.0, 0.46, 0.22, 0.23], abs=0.05)


def test_a_structure_written_without_its_symmetry_is_the_same_crystal(tmp_path):
    (tmp_path / "plain.cif").write_text(P1)

    plain = phase_of(read_structure(tmp_path / "plain.cif"), COPPER, 1.0)
    known = phase_of(read_structure(LISTED / "Cu.cif"), COPPER, 1.0)

    assert plain.modes == known.modes == 1
    assert plain.d == pytest.approx(known.d)
    assert plain.strength == pytest.approx(known.strength, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "modes"), [("CaO", 1), ("Al2O3", 2), ("TiO2_brookite", 3), ("CuO", 4)]
)
def test_a_cell_strains_in_as_many_ways_as_its_symmetry_leaves(name, modes):
    assert phase_of(read_structure(LISTED / f"{name}.cif"), COPPER, 1.2).modes == modes


def test_a_strain_of_one_axis_is_among_the_modes_to_first_order():
    structure = read_structure(LISTED / "Al2O3.cif")
    phase = phase_of(structure, COPPER, 1.0)
    a, _, c, *angles = structure.cell
    longer = phase_of(
        type(structure)(
            "longer",
            (a, a, 1.001 * c, *angles),
            structure.elements,
            structure.positions,
            structure.occupancies,
            structure.u_iso,
        ),
        COPPER,
        0.98,
    )
    d = {tuple(h): x for h, x in zip(longer.hkl.tolist(), longer.d, strict=True)}
    both = [n for n, h in enumerate(phase.hkl.tolist()) if tuple(h) in d]
    moved = np.array([d[tuple(phase.hkl[n])] / phase.d[n] - 1 for n in both])

    fitted = np.linalg.lstsq(phase.strain[:, both].T, moved, rcond=None)[0]

    assert len(both) > 10
    assert phase.strain[:, both].T @ fitted == pytest.approx(moved, abs=2e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no atoms"),
        ("not a cif", "can't be read as CIF"),
        (P1.replace("3.6149", "0.1"), "no sensible cell"),
        (P1.replace("Cu0+ 0 0 0", "Qq 0 0 0"), "no element"),
        (P1.replace("'x, y, z'", "'x, y, w'"), "operations can't be read"),
        (P1.replace("Cu0+ 0 0 0", "Cu0+ ? 0 0"), "aren't numbers"),
    ],
)
def test_a_file_that_holds_no_structure_says_what_it_lacks(tmp_path, text, message):
    (tmp_path / "x.cif").write_text(text)

    with pytest.raises(StructureError, match=message):
        read_structure(tmp_path / "x.cif")


def test_a_folder_without_structures_is_refused(tmp_path):
    with pytest.raises(StructureError, match="no CIF file"):
        read_structures(tmp_path)


@pytest.mark.parametrize(
    ("name", "wavelength", "weight"),
    [
        ("CuKa", 1.540593, 0.5),
        ("1.5418", 1.540593, 0.5),
        ("cuka1", 1.540593, 0),
        ("0.1669", 0.1669, 0),
    ],
)
def test_radiation_is_named_by_its_tube_or_its_wavelength(name, wavelength, weight):
    found = radiation(name)

    assert (found.wavelength, found.weight) == (wavelength, weight)


@pytest.mark.parametrize("name", ["", "PuKa", "nan", "0", "-1", "15.4"])
def test_radiation_that_is_none_is_refused(name):
    with pytest.raises(PatternError, match="CuKa"):
        radiation(name)
