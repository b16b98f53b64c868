"""One scan as its file has it: named columns, before anything is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.errors import SpectrumError
from models.spectra.columns import (
    ANGLE_NAMES,
    ENERGY_NAMES,
    NO_SIGNALS,
    OTHERWISE,
    Layout,
    energy_of,
    first_of,
    mu_of,
    plain_name,
    raw_mu,
    side_by_side,
    source_of,
    used_columns,
)
from models.spectra.spectrum import FloatArray, Spectrum, checked
from models.spectra.table import Table

LEAST_PLAIN_EV, SHORTEST_EV, LONGEST_EV = 1000.0, 20.0, 5000.0
"""A first column that rises through so much, and from so high, is an energy in eV by any name."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """*columns* (n each) by name, *units* where a file states them; *d_spacing* in Å.

    *rows* (n) are the numbers of the rows below the header, where a file has text among them.
    """

    columns: Mapping[str, FloatArray]
    file: str
    name: str = ""
    label: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    d_spacing: float | None = None
    rows: Sequence[float] = ()

    @property
    def place(self) -> str:
        """File and scan, as shown to people."""
        return f"{self.file} [{self.name}]" if self.name else self.file

    @property
    def energy(self) -> FloatArray:
        """The energies in eV (n); SpectrumError when there are none."""
        return energy_of(self.columns, self.units, self.d_spacing, self.place)

    def spectrum(self, signal: str = "auto") -> Spectrum:
        """Return the spectrum that *signal* gives (``columns.SIGNALS``, or a column's name).

        Raises SpectrumError when there is none, or for numbers that can't be.
        """
        for name in used_columns(self.columns, signal):
            bad = np.flatnonzero(~np.isfinite(self.columns[name]))
            if bad.size and len(self.rows):
                raise SpectrumError(
                    f"{self.place}: column {name}, row {self.rows[bad[0]]:g} below the header is "
                    f"no finite number; leave rows without a measurement out"
                )
        mu = mu_of(self.columns, self.place, signal)
        return checked(self.energy, mu, file=self.file, scan=self.name, label=self.label)

    def points(self, signal: str = "auto") -> tuple[FloatArray, FloatArray]:
        """Return energies in eV and absorption (n each) as they are, finite or not."""
        source = source_of(self.columns, self.place, signal)
        return self.energy, raw_mu(self.columns, source)

    def parted(self) -> "list[Scan]":
        """Return a scan for each of the spectra that stand side by side, named by its column."""
        names = side_by_side(self.columns)
        if not names:
            return [self]
        energy = self.energy
        return [
            replace(
                self,
                columns={"energy_eV": energy, "mu": self.columns[name]},
                name=f"{self.name} {name}".strip(),
                label=name,
                units={},
            )
            for name in names
        ]


def scan_from_table(table: Table, file: str, layout: Layout) -> Scan:
    """Return the scan in *table*, its columns named by *layout*, by itself or by what they hold."""
    width = table.rows.shape[1]
    names = layout.columns or table.names
    place = f"{file} [{table.scan}]" if table.scan else file
    if layout.columns and len(names) != width:
        raise SpectrumError(
            f"{place}: {len(names)} columns are named, and its rows have {width}; "
            f"'-' skips a column"
        )
    if not names and width != 2:
        first = ", ".join(f"{value:g}" for value in table.rows[0][:8])
        raise SpectrumError(
            f"{place}: nothing names its {width} columns (the first row: {first}); {OTHERWISE}"
        )
    if not names:
        return Scan(dict(zip(("energy", "mu"), table.rows.T, strict=True)), file, table.scan)
    columns: dict[str, FloatArray] = {}
    for name, values in zip(names, table.rows.T, strict=True):
        if name != "-":
            columns.setdefault(name, values)
    return Scan(_understood(columns, layout), file, table.scan)


def _understood(columns: dict[str, FloatArray], layout: Layout) -> dict[str, FloatArray]:
    """Return *columns*, the first one as energy where none is called so and it can be nothing
    else, and the second of two as mu where it says nothing else."""
    names = list(columns)
    if not first_of(columns, (*ENERGY_NAMES, *ANGLE_NAMES)) and _is_energy(names[0], columns):
        columns = {"energy": columns[names[0]], **{n: columns[n] for n in names[1:]}}
        names[0] = "energy"
    if len(names) == 2 and not layout.columns and len(used_columns(columns)) == 1:
        columns = {names[0]: columns[names[0]], "mu": columns[names[1]]}
    return columns


def _is_energy(name: str, columns: Mapping[str, FloatArray]) -> bool:
    if "energy" in plain_name(name) or plain_name(name) in NO_SIGNALS:
        return False
    values = columns[name]
    steps = np.diff(values)
    rises = bool((steps > 0).all() or (steps < 0).all())
    span = float(np.ptp(values))
    return rises and values.min() >= LEAST_PLAIN_EV and SHORTEST_EV <= span <= LONGEST_EV
