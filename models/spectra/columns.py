"""From named columns of a file to absorption over energy.

Names are compared by their letters and digits, in lower case and without a unit: ``Energy (keV)``,
``energy_eV`` and ``ENERGY`` are one name.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.errors import SpectrumError
from models.spectra.spectrum import FloatArray

HC_EV_ANGSTROM = 12398.419843320026
"""Planck's constant times the speed of light (CODATA 2018, exact)."""

ENERGY_NAMES = (
    *("energy", "e", "photonenergy", "monoenergy", "energyrequested", "energyreadback"),
    *("energyabs", "en", "dcmenergy", "energyscale"),
)
ANGLE_NAMES = ("angle", "theta", "braggangle", "bragg", "monoangle", "thetabragg")
MU_NAMES = (
    *("mu", "xmu", "mue", "mux", "absorption", "absorbance", "abs", "absorptioncoefficient"),
    *("mutrans", "mufluor", "mut", "muf", "mufluo", "mutransmission", "mufluorescence"),
    *("munorm", "norm", "normalized", "normalised", "flat", "flattened", "normalizedabsorption"),
    *("normalizedmu", "normalisedmu", "normmu", "normtrans", "normfluor", "xanes", "intensity"),
    *("normalizedintensity", "lni0it", "lni0i1", "logi0it", "logi0i1", "ifi0", "y"),
)
MU_BY_KIND = {
    "transmission": ("mutrans", "mut", "mutransmission", "normtrans", "lni0it", "lni0i1"),
    "fluorescence": ("mufluor", "muf", "mufluo", "mufluorescence", "normfluor", "ifi0"),
    "reference": ("murefer", "muref", "mureference", "munormref"),
}
I0_NAMES = ("i0", "io", "izero", "i0counts", "ic0", "mon", "monitor", "i0eh1", "ionchamber0")
TRANSMITTED_NAMES = (
    *("itrans", "it", "i1", "itransmission", "trans", "transmission", "ic1", "itransmitted"),
    *("transmitted", "i1counts", "ionchamber1"),
)
FLUORESCENCE_NAMES = (
    *("ifluor", "if", "ifluorescence", "fluorescence", "fluor", "fluo", "signal", "iff", "ifl"),
    *("fl", "pips", "lytle", "sdd", "fluorcounts", "iflu", "flu", "tey", "tfy", "pfy", "ey"),
)
REFERENCE_NAMES = ("irefer", "iref", "ir", "i2", "ireference", "refer", "reference", "ref", "ic2")

NO_SIGNALS = (
    *("time", "date", "epoch", "seconds", "measurementtime", "index", "point", "pt", "scan"),
    *("temperature", "current", "ringcurrent", "pressure", "position", "sigma", "error", "chi"),
    *("k", "bkg", "sx", "sy", "x", "z"),
)
"""Columns that are no spectrum, whatever else a file lacks."""

MOST_SHOWN = 200
"""So many characters of a file's own header are repeated to its owner."""

MOST_KEV, MOST_KEV_SPAN = 200.0, 5.0
"""Energies without a unit, all below the first and over less than the second, are keV: no edge
fits into 5 eV, and none lies above 200 keV."""

ACCEPTED = (
    "an energy column (energy_eV, energy; or angle with Mono.d_spacing) and either mu "
    "(also xmu, mutrans, mufluor, norm), or i0 with itrans, or i0 with ifluor"
)
OTHERWISE = "name them in their order with --columns energy,i0,itrans ('-' skips one)"

SIGNALS = ("auto", "mu", "transmission", "fluorescence", "reference")
"""What absorption may be taken from; auto is the first of the next three that there is."""

_UNIT = re.compile(
    r"[\s_/\[(]+(k?ev|deg|degrees?|rad|radians?|arcsec|a\.?u\.?|arb\.?\s*units?|counts|cts|norm\.?)"
    r"\s*[\])]*$",
    re.IGNORECASE,
)
_DETECTORS = re.compile(r"^(fl|if|ifl|fluo|fluor|ifluor|sdd|dtc|ge|xmap|vortex|det)_?(\d{1,2})$")


@dataclass(frozen=True, slots=True)
class Layout:
    """How files are to be read where they don't say it themselves.

    *columns* name a table's columns in their order (``-`` skips one); *signal* is one of
    ``SIGNALS`` or the name of a column to take as the absorption itself.
    """

    columns: tuple[str, ...] = ()
    signal: str = "auto"


def plain_name(name: str) -> str:
    """Return *name* as it is compared: "Energy (keV)" is "energy"."""
    word = name.strip().strip("\"'")
    return re.sub(r"[^a-z0-9]", "", _UNIT.sub("", word).lower()) or word.lower()


def unit_in(name: str) -> str:
    """Return the unit that stands in a column's *name*, in lower case, or ""."""
    found = _UNIT.search(name.strip().strip("\"'"))
    return found[1].lower() if found else ""


def energy_of(
    columns: Mapping[str, FloatArray],
    units: Mapping[str, str],
    d_spacing: float | None,
    where: str,
) -> FloatArray:
    """Return the energies in eV (n) from an energy column or a Bragg angle.

    *units* maps column names to their unit as written ("eV", "keV", "degrees", "radians", or "");
    where it says nothing the name may, and else the numbers do. *d_spacing* in Å. Raises
    SpectrumError when neither can be had.
    """
    name = _energy_name(columns)
    if name is not None:
        unit = (units.get(name, "") or unit_in(name)).strip("()[],;").lower()
        if unit not in ("", "ev", "kev"):
            raise SpectrumError(f"{where}: column {name} in {unit!r}; accepted are eV and keV")
        kev = unit == "kev" or (not unit and _looks_like_kev(columns[name]))
        return columns[name] * (1000.0 if kev else 1.0)
    angle = first_of(columns, ANGLE_NAMES)
    if angle is not None and d_spacing:
        unit = units.get(angle, "") or unit_in(angle)
        return _bragg_energy(columns[angle], unit, d_spacing, where)
    have = _listed(columns)
    raise SpectrumError(
        f"{where}: no energy column; columns are: {have}; accepted is {ACCEPTED}; or {OTHERWISE}"
    )


@dataclass(frozen=True, slots=True)
class Source:
    """What absorption is taken from: *kind* is "mu", "log" (of the first over the second name) or
    "ratio" (the sum of all but the last name over the last)."""

    kind: str
    names: tuple[str, ...]


def source_of(columns: Mapping[str, object], where: str, signal: str = "auto") -> Source:
    """Return what the absorption is taken from, by the names of *columns* and *signal*.

    Raises SpectrumError when there is no such thing.
    """
    if signal not in SIGNALS:
        return Source("mu", (_asked(columns, signal, where),))
    wanted = SIGNALS[1:4] if signal == "auto" else (signal,)
    found = next((s for s in (_source(columns, kind) for kind in wanted) if s), None)
    if found is None:
        what = "absorption" if signal == "auto" else signal
        raise SpectrumError(
            f"{where}: no {what}; columns are: {_listed(columns)}; accepted is {ACCEPTED}; "
            f"or {OTHERWISE}"
        )
    return found


def mu_of(columns: Mapping[str, FloatArray], where: str, signal: str = "auto") -> FloatArray:
    """Return the absorption (n, any scale): a mu column, else transmission, else fluorescence.

    Raises SpectrumError when there is none, or when counts are zero or negative. Two chambers
    that both count downwards are taken as counting upwards.
    """
    source = source_of(columns, where, signal)
    if source.kind == "mu":
        return columns[source.names[0]]
    counted = source.names if source.kind == "log" else source.names[-1:]
    if not all((columns[name] < 0).all() for name in source.names):
        for name in counted:
            _check_positive(columns, name, where)
    return raw_mu(columns, source)


def raw_mu(columns: Mapping[str, FloatArray], source: Source) -> FloatArray:
    """Return what *source* gives (n), not finite where counts are zero or of another sign."""
    parts = [np.asarray(columns[name], dtype=np.float64) for name in source.names]
    if source.kind == "mu":
        return parts[0]
    with np.errstate(all="ignore"):
        ratio = np.asarray(sum(parts[1:-1], parts[0]) / parts[-1])
        return np.asarray(np.log(ratio)) if source.kind == "log" else ratio


def used_columns(columns: Mapping[str, object], signal: str = "auto") -> tuple[str, ...]:
    """Return the names of the columns from which energy and absorption would be taken."""
    energy = _energy_name(columns) or first_of(columns, ANGLE_NAMES)
    try:
        names = source_of(columns, "", signal).names
    except SpectrumError:
        names = ()
    return tuple(name for name in (energy, *names) if name)


def side_by_side(columns: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns that are a spectrum each: two or more beside the energy, none of them of
    a name that says what it is; none where a file isn't of that kind."""
    energy = _energy_name(columns)
    rest = [n for n in columns if n and n != energy and plain_name(n) not in NO_SIGNALS]
    known = (*MU_NAMES, *I0_NAMES, *TRANSMITTED_NAMES, *FLUORESCENCE_NAMES, *REFERENCE_NAMES)
    if energy is None or len(rest) < 2 or first_of(columns, known) or _detectors(columns):
        return ()
    return tuple(rest)


def first_of(columns: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    """Return the first of *names* that is a column, in their order of preference."""
    have = {plain_name(name): name for name in reversed(list(columns))}
    return next((have[name] for name in names if name in have), None)


def _energy_name(columns: Mapping[str, object]) -> str | None:
    named = first_of(columns, ENERGY_NAMES)
    return named or next((name for name in columns if "energy" in plain_name(name)), None)


def _source(columns: Mapping[str, object], kind: str) -> Source | None:
    if kind == "mu":
        mu = first_of(columns, MU_NAMES)
        return Source("mu", (mu,)) if mu else None
    if ready := first_of(columns, MU_BY_KIND[kind]):
        return Source("mu", (ready,))
    i0, transmitted = first_of(columns, I0_NAMES), first_of(columns, TRANSMITTED_NAMES)
    if kind == "fluorescence":
        one = first_of(columns, FLUORESCENCE_NAMES)
        counted = (one,) if one else _detectors(columns)
        return Source("ratio", (*counted, i0)) if i0 and counted else None
    if kind == "reference":
        i0, transmitted = transmitted, first_of(columns, REFERENCE_NAMES)
    return Source("log", (i0, transmitted)) if i0 and transmitted else None


def _detectors(columns: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns of the elements of one fluorescence detector: fl1, fl2 and so on."""
    groups: dict[str, list[str]] = {}
    for name in columns:
        if match := _DETECTORS.match(name.strip().lower()):
            groups.setdefault(match[1], []).append(name)
    largest = max(groups.values(), key=operator.length_hint, default=[])
    return tuple(largest)


def _asked(columns: Mapping[str, object], name: str, where: str) -> str:
    found = name if name in columns else first_of(columns, (plain_name(name),))
    if found is None:
        raise SpectrumError(
            f"{where}: no column {name!r}; columns are: {_listed(columns)}; a signal is one of "
            f"{', '.join(SIGNALS)} or one of these"
        )
    return found


def _looks_like_kev(energy: FloatArray) -> bool:
    finite = energy[np.isfinite(energy)]
    return bool(finite.size and finite.max() <= MOST_KEV and np.ptp(finite) <= MOST_KEV_SPAN)


def _listed(columns: Mapping[str, object]) -> str:
    """Return the names of *columns* in one line, whatever they hold."""
    names = [name if name.isprintable() else ascii(name) for name in columns]
    text = ", ".join(names) or "none"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} …"


def _check_positive(columns: Mapping[str, FloatArray], name: str, where: str) -> None:
    bad = np.flatnonzero(~(columns[name] > 0))
    if bad.size:
        raise SpectrumError(
            f"{where}: column {name}, point {bad[0] + 1} is {columns[name][bad[0]]:g}; counts must "
            f"be above zero: subtract the dark current from both or leave such points out"
        )


def _bragg_energy(angle: FloatArray, unit: str, d_spacing: float, where: str) -> FloatArray:
    """Return energies in eV. Bragg's law: E = hc / (2 d sin θ)."""
    degrees = not unit.lower().startswith("rad")
    sine = np.sin(np.deg2rad(angle) if degrees else angle)
    if not (sine > 0).all():
        raise SpectrumError(f"{where}: Bragg angles must lie between 0 and 180 degrees")
    return np.asarray(HC_EV_ANGSTROM / (2.0 * d_spacing * sine))
