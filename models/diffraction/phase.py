"""What a phase is to a powder diffractometer: lines, their strength, how strain and texture act."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.diffraction.radiation import FloatArray, Radiation
from models.diffraction.structure import Structure, read_structures
from models.diffraction.symmetry import IntArray, families, laue_operations, strain_modes
from models.errors import StructureError

LOG_R = np.linspace(-1.0, 0.7, 18)
"""Where texture is tabulated: ln r of March and Dollase."""
AXES = 3
"""Of how many texture axes: those of the largest spacings."""
WEAKEST = 3e-4
"""Lines below this part of the strongest are left out."""
MOST_LINES = 500
_MOST_REFLECTIONS = 400_000


@dataclass(frozen=True, slots=True)
class Phase:
    """The lines of one phase.

    ``d`` (r) spacings in Å; ``hkl`` (r x 3) one of each family; ``strength`` (r) is
    multiplicity x |F|² / (Z M V): times the Lorentz-polarisation factor it is the area of a line
    per unit of *mass*, on a scale that all phases share (Hill & Howard, J. Appl. Cryst. 20, 467,
    1987), so that weight fractions are exact; ``strain`` (k x r) and ``texture`` (a x t x r) see
    symmetry.strain_modes and ``LOG_R``. ``mass`` (g/mol) and ``volume`` (Å³) are of the cell.
    """

    name: str
    d: FloatArray
    hkl: IntArray
    strength: FloatArray
    strain: FloatArray
    texture: FloatArray
    mass: float
    volume: float

    @property
    def modes(self) -> int:
        """The number of independent strains: 1 (cubic) to 6 (triclinic)."""
        return int(self.strain.shape[0])


def read_phases(folder: Path, radiation: Radiation, least_d: float) -> list[Phase]:
    """Return the phases of all CIF files in *folder*, down to spacings of *least_d* (Å)."""
    return phases_of(read_structures(folder), radiation, least_d)


def phases_of(structures: Sequence[Structure], radiation: Radiation, least_d: float) -> list[Phase]:
    """Return the phases of *structures*; see phase_of."""
    return [phase_of(structure, radiation, least_d) for structure in structures]


def phase_of(structure: Structure, radiation: Radiation, least_d: float) -> Phase:
    """Return the lines of *structure* for *radiation*, down to spacings of *least_d* (Å).

    Kinematic, with IT92 form factors and anomalous dispersion. Raises StructureError when there
    are no lines, or far too many.
    """
    metric = structure.metric
    hkl, d = _reflections(structure, least_d)
    square = _square(structure, radiation, hkl, d)
    operations = laue_operations(metric, hkl, square)
    member, first = families(hkl, operations)
    counted = np.bincount(member, weights=2 * square)  # with the Friedel mates
    spacing = 1 / np.sqrt(np.einsum("ri,ij,rj->r", first, np.linalg.inv(metric), first))
    seen = counted * radiation.factor(spacing)
    order = np.argsort(-seen)[:MOST_LINES]
    order = np.sort(order[seen[order] > WEAKEST * seen.max()])
    texture = _texture(structure, hkl, member, first, d)
    return Phase(
        structure.name,
        spacing[order],
        first[order],
        counted[order] / (structure.mass * structure.volume),
        strain_modes(metric, operations, first[order]),
        texture[:, :, order],
        structure.mass,
        structure.volume,
    )


def _reflections(structure: Structure, least_d: float) -> tuple[IntArray, FloatArray]:
    """Return hkl (n x 3) of a half space and their spacings (n), at least *least_d*."""
    metric = structure.metric
    inverse = np.linalg.inv(metric)
    most = np.floor(np.sqrt(np.diag(metric)) / least_d).astype(int)
    if np.prod(2 * most + 1.0) > _MOST_REFLECTIONS:
        raise StructureError(f"{structure.name}: the cell is too large for lines of {least_d:g} Å")
    axes = [np.arange(-n, n + 1) for n in most]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    hkl = hkl[len(hkl) // 2 + 1 :]  # the order is odd about the middle, which is (0 0 0)
    length = np.einsum("ni,ij,nj->n", hkl, inverse, hkl)
    near = length <= 1 / least_d**2
    if not near.any():
        raise StructureError(f"{structure.name}: has no line down to {least_d:g} Å")
    return hkl[near], 1 / np.sqrt(length[near])


def _square(structure: Structure, radiation: Radiation, hkl: IntArray, d: FloatArray) -> FloatArray:
    """Return |F|² (n), the mean of Friedel mates, of the whole cell."""
    import gemmi

    s2 = 1 / (4 * d**2)  # (sin θ / λ)²
    total = np.zeros((2, len(d)), dtype=complex)
    for symbol in sorted(set(structure.elements)):
        element = gemmi.Element(symbol)
        atoms = np.array([e == symbol for e in structure.elements])
        real, imaginary = gemmi.cromer_liberman(element.atomic_number, radiation.energy_ev)
        form = np.array([element.it92.calculate_sf(float(s)) for s in s2]) + real + 1j * imaginary
        if not np.isfinite(form).all():
            raise StructureError(f"{structure.name}: no form factor of {symbol}")
        waves = _waves(structure, atoms, hkl, s2)
        total += np.stack([form * waves, form * waves.conj()])
    return np.asarray((np.abs(total) ** 2).mean(axis=0))


def _waves(
    structure: Structure, atoms: NDArray[np.bool_], hkl: IntArray, s2: FloatArray
) -> NDArray[np.complex128]:
    """Return sum over *atoms* of occupancy exp(-8 π² U s²) exp(2 π i h x), in pieces."""
    out = np.zeros(len(hkl), dtype=complex)
    positions, weights = structure.positions[atoms], structure.occupancies[atoms]
    damping = -8 * np.pi**2 * structure.u_iso[atoms]
    piece = max(1, 200_000 // len(positions))
    for start in range(0, len(hkl), piece):
        rows = slice(start, start + piece)
        phase = 2j * np.pi * (hkl[rows] @ positions.T) + s2[rows, None] * damping
        out[rows] = np.exp(phase) @ weights
    return out


def _texture(
    structure: Structure, hkl: IntArray, member: IntArray, first: IntArray, d: FloatArray
) -> FloatArray:
    """Return what March and Dollase make of each family (a x t x r) at each of ``LOG_R``.

    P = mean over the family of (r² cos² α + sin² α / r)^(-3/2), α from the axis
    (Dollase, J. Appl. Cryst. 19, 267, 1986).
    """
    inverse = np.asarray(np.linalg.inv(structure.metric), dtype=np.float64)
    count = np.bincount(member)
    tables = []
    for axis in _axes(first, inverse):
        cosine = (hkl @ inverse @ axis) * d / np.sqrt(axis @ inverse @ axis)
        square = np.clip(cosine**2, 0.0, 1.0)
        rows = [
            np.bincount(member, weights=(r**2 * square + (1 - square) / r) ** -1.5) / count
            for r in np.exp(LOG_R)
        ]
        tables.append(rows)
    return np.array(tables)


def _axes(first: IntArray, inverse: FloatArray) -> list[IntArray]:
    """Return the ``AXES`` families of largest spacing, none a multiple of another."""
    order = np.argsort(np.einsum("ri,ij,rj->r", first, inverse, first))
    kept: list[IntArray] = []
    for h in first[order]:
        if all(np.cross(h, other).any() for other in kept):
            kept.append(h)
        if len(kept) == AXES:
            break
    return (kept * AXES)[:AXES]
