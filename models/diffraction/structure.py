"""A crystal structure from a CIF file: every atom of the cell, in plain arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.diffraction.radiation import FloatArray
from models.errors import StructureError

if TYPE_CHECKING:
    import gemmi

SAME_SITE = 0.25
"""Images of one atom that are closer than this (Å) are one atom in a special position."""
USUAL_U = 0.008
"""Mean square displacement (Å²) of atoms for which the file gives none."""
MOST_ATOMS = 4000


@dataclass(frozen=True, slots=True)
class Structure:
    """All atoms of a unit cell.

    ``cell`` is a, b, c (Å) and alpha, beta, gamma (degrees); ``elements`` (n) symbols,
    ``positions`` (n x 3) fractional, ``occupancies`` (n), ``u_iso`` (n) in Å².
    """

    name: str
    cell: tuple[float, float, float, float, float, float]
    elements: tuple[str, ...]
    positions: FloatArray
    occupancies: FloatArray
    u_iso: FloatArray

    @property
    def metric(self) -> FloatArray:
        """Metric tensor G (3 x 3) in Å²."""
        a, b, c, *angles = self.cell
        ca, cb, cg = np.cos(np.radians(angles))
        return np.array(
            [
                [a * a, a * b * cg, a * c * cb],
                [a * b * cg, b * b, b * c * ca],
                [a * c * cb, b * c * ca, c * c],
            ]
        )

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return float(np.sqrt(np.linalg.det(self.metric)))

    @property
    def mass(self) -> float:
        """Mass of the cell's content in g/mol."""
        import gemmi

        weights = np.array([gemmi.Element(e).weight for e in self.elements])
        return float(weights @ self.occupancies)

    @property
    def density(self) -> float:
        """Density in g/cm³."""
        return self.mass / self.volume / 0.602214076


def read_structures(folder: Path) -> list[Structure]:
    """Return the structures of all CIF files in *folder*, named by file, in the names' order.

    Raises StructureError, naming the file and what it lacks.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".cif", ".mcif"})
    if not paths:
        raise StructureError(f"{folder}: holds no CIF file (*.cif)")
    return [read_structure(path) for path in paths]


def read_structure(path: Path) -> Structure:
    """Return the first structure in the CIF file *path*; raises StructureError."""
    import gemmi

    try:
        document = gemmi.cif.read(str(path))
    except (OSError, RuntimeError, ValueError, UnicodeDecodeError) as error:
        raise StructureError(f"{path}: can't be read as CIF: {error}") from error
    for block in document:
        small = gemmi.make_small_structure_from_block(block)
        if len(small.sites):
            return _structure(path, block, small)
    raise StructureError(
        f"{path}: holds no atoms (a loop of _atom_site_label, _atom_site_fract_x, …)"
    )


def _structure(path: Path, block: "gemmi.cif.Block", small: "gemmi.SmallStructure") -> Structure:
    cell = tuple(small.cell.parameters)
    if not (min(cell[:3]) > 1.0 and all(10 < a < 170 for a in cell[3:]) and small.cell.volume > 1):
        raise StructureError(f"{path}: has no sensible cell (_cell_length_a and so on)")
    operations = _operations(path, block, small)
    metric = Structure(path.stem, cell, (), *(np.zeros(0),) * 3).metric
    elements: list[str] = []
    positions: list[FloatArray] = []
    rows: list[tuple[float, float]] = []
    for site in small.sites:
        symbol = _element(path, site)
        images = _images(np.array(site.fract.tolist()), operations, metric)
        elements += [symbol] * len(images)
        positions += list(images)
        rows += [(float(site.occ), _displacement(site))] * len(images)
    if len(elements) > MOST_ATOMS:
        raise StructureError(f"{path}: more than {MOST_ATOMS} atoms in a cell")
    values = np.array(rows)
    if not (np.isfinite(values).all() and np.isfinite(positions).all() and values[:, 0].max() > 0):
        raise StructureError(f"{path}: positions or occupancies aren't numbers")
    return Structure(
        path.stem, cell, tuple(elements), np.array(positions), values[:, 0], values[:, 1]
    )


def _element(path: Path, site: Any) -> str:
    symbol = str(site.element.name)
    if symbol == "X" or site.element.atomic_number > 98:
        raise StructureError(
            f"{path}: atom {site.label!r} is of no element that has an X-ray form factor"
        )
    return symbol


def _displacement(site: Any) -> float:
    value = float(site.u_iso)
    if value == 0.0 and site.aniso.nonzero():
        value = float(site.aniso.trace()) / 3
    return value if 1e-4 < value < 0.2 else USUAL_U


def _operations(
    path: Path, block: "gemmi.cif.Block", small: "gemmi.SmallStructure"
) -> list[tuple[FloatArray, FloatArray]]:
    """Return rotations (3 x 3) and translations (3): those listed, or those of the symbol."""
    import gemmi

    listed: list[str] = []
    for tag in ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz"):
        listed = listed or [gemmi.cif.as_string(text) for text in block.find_values(tag)]
    try:
        if listed:
            operations = [gemmi.Op(text) for text in listed]
        else:
            operations = list(_group(path, small).operations())
    except (RuntimeError, ValueError) as error:
        raise StructureError(f"{path}: symmetry operations can't be read: {error}") from error
    scale = float(gemmi.Op.DEN)
    return [
        (np.array(operation.rot) / scale, np.array(operation.tran) / scale)
        for operation in operations
    ]


def _group(path: Path, small: "gemmi.SmallStructure") -> "gemmi.SpaceGroup":
    import gemmi

    cell, name = small.cell, small.spacegroup_hm
    groups: list[gemmi.SpaceGroup | None] = [
        small.spacegroup,
        gemmi.find_spacegroup_by_name(name, cell.alpha, cell.gamma),
    ]
    if small.spacegroup_number:
        groups.append(gemmi.find_spacegroup_by_number(small.spacegroup_number))
    group = next((each for each in groups if each is not None), None)
    if group is None:
        raise StructureError(
            f"{path}: names no space group that is known ({name!r}) and lists no operations"
        )
    return group


def _images(
    position: FloatArray, operations: list[tuple[FloatArray, FloatArray]], metric: FloatArray
) -> FloatArray:
    """Return the positions (m x 3) that the *operations* make of one, each once."""
    kept: list[FloatArray] = []
    for rotation, translation in operations:
        image = (rotation @ position + translation) % 1.0
        gaps = np.array(kept).reshape(-1, 3) - image
        gaps -= np.round(gaps)
        if not (np.einsum("ni,ij,nj->n", gaps, metric, gaps) < SAME_SITE**2).any():
            kept.append(image)
    return np.array(kept)
