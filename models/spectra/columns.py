"""From named columns of a file to absorption over energy."""

from collections.abc import Mapping

import numpy as np

from models.errors import SpectrumError
from models.spectra.spectrum import FloatArray

HC_EV_ANGSTROM = 12398.419843320026
"""Planck's constant times the speed of light (CODATA 2018, exact)."""

ENERGY_NAMES = ("energy_ev", "energy", "e", "energy_kev")
ANGLE_NAMES = ("angle", "theta")
MU_NAMES = ("mu", "xmu", "mutrans", "mufluor", "munorm", "norm", "normtrans", "normfluor")
I0_NAMES = ("i0",)
TRANSMITTED_NAMES = ("itrans", "it", "i1", "itransmission")
FLUORESCENCE_NAMES = ("ifluor", "if", "ifluorescence", "fluorescence", "signal")

MOST_SHOWN = 200
"""So many characters of a file's own header are repeated to its owner."""

ACCEPTED = (
    "an energy column (energy_eV, energy; or angle with Mono.d_spacing) and either mu "
    "(also xmu, mutrans, mufluor, norm), or i0 with itrans, or i0 with ifluor"
)


def energy_of(
    columns: Mapping[str, FloatArray],
    units: Mapping[str, str],
    d_spacing: float | None,
    where: str,
) -> FloatArray:
    """Return the energies in eV (n) from an energy column or a Bragg angle.

    *units* maps column names to their unit as written ("eV", "keV", "degrees", "radians", or "").
    *d_spacing* in Å. Raises SpectrumError when neither can be had.
    """
    name = first_of(columns, ENERGY_NAMES)
    if name is not None:
        unit = units.get(name, "").lower() or ("kev" if name == "energy_kev" else "ev")
        if unit not in ("ev", "kev"):
            raise SpectrumError(f"{where}: column {name} in {unit!r}; accepted are eV and keV")
        return columns[name] * (1000.0 if unit == "kev" else 1.0)
    angle = first_of(columns, ANGLE_NAMES)
    if angle is not None and d_spacing:
        return _bragg_energy(columns[angle], units.get(angle, ""), d_spacing, where)
    have = _listed(columns)
    raise SpectrumError(f"{where}: no energy column; columns are: {have}; accepted is {ACCEPTED}")


def mu_of(columns: Mapping[str, FloatArray], where: str) -> FloatArray:
    """Return the absorption (n, any scale): a mu column, else transmission, else fluorescence.

    Raises SpectrumError when there is none, or when counts are zero or negative.
    """
    mu = first_of(columns, MU_NAMES)
    if mu is not None:
        return columns[mu]
    i0 = first_of(columns, I0_NAMES)
    transmitted = first_of(columns, TRANSMITTED_NAMES)
    if i0 is not None and transmitted is not None:
        above, below = _positive(columns, i0, where), _positive(columns, transmitted, where)
        return np.asarray(np.log(above / below))
    fluorescence = first_of(columns, FLUORESCENCE_NAMES)
    if i0 is not None and fluorescence is not None:
        return columns[fluorescence] / _positive(columns, i0, where)
    have = _listed(columns)
    raise SpectrumError(f"{where}: no absorption; columns are: {have}; accepted is {ACCEPTED}")


def used_columns(columns: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the columns from which energy and absorption would be taken."""
    energy = first_of(columns, ENERGY_NAMES) or first_of(columns, ANGLE_NAMES)
    signal = first_of(columns, MU_NAMES)
    pair = (
        first_of(columns, I0_NAMES),
        first_of(columns, TRANSMITTED_NAMES) or first_of(columns, FLUORESCENCE_NAMES),
    )
    return tuple(name for name in (energy, *((signal,) if signal else pair)) if name)


def first_of(columns: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    """Return the first of *names* that is a column, in their order of preference."""
    return next((name for name in names if name in columns), None)


def _listed(columns: Mapping[str, object]) -> str:
    """Return the names of *columns* in one line, whatever they hold."""
    names = [name if name.isprintable() else ascii(name) for name in columns]
    text = ", ".join(names) or "none"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} …"


def _positive(columns: Mapping[str, FloatArray], name: str, where: str) -> FloatArray:
    bad = np.flatnonzero(~(columns[name] > 0))
    if bad.size:
        raise SpectrumError(
            f"{where}: column {name}, point {bad[0] + 1} is {columns[name][bad[0]]:g}; counts must "
            f"be above zero: subtract the dark current from both or leave such points out"
        )
    return columns[name]


def _bragg_energy(angle: FloatArray, unit: str, d_spacing: float, where: str) -> FloatArray:
    """Return energies in eV. Bragg's law: E = hc / (2 d sin θ)."""
    degrees = not unit.lower().startswith("rad")
    sine = np.sin(np.deg2rad(angle) if degrees else angle)
    if not (sine > 0).all():
        raise SpectrumError(f"{where}: Bragg angles must lie between 0 and 180 degrees")
    return np.asarray(HC_EV_ANGSTROM / (2.0 * d_spacing * sine))
