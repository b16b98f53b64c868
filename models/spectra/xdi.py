"""XDI: the text format of the XAFS community for one spectrum.

Source: Ravel and Newville, "XDI: XAFS data interchange", J. Phys. Conf. Ser. 712, 012148 (2016):
lines ``# Family.key: value``, ``# ///``, comments, ``# ---``, then the table.
"""

import re
from dataclasses import dataclass

import numpy as np

from models.errors import SpectrumError
from models.spectra.scan import Scan
from models.spectra.spectrum import FloatArray, Spectrum

_FIELD = re.compile(r"^#\s*([A-Za-z_]\w*\.\w+)\s*:\s*(.*?)\s*$")
_SPLIT = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class XdiTable:
    """The header fields (keys in lower case) and the columns (name, unit) of one file."""

    fields: dict[str, str]
    columns: dict[str, FloatArray]
    units: dict[str, str]


def spectrum_from_xdi(text: str, where: str) -> Spectrum:
    """Return the spectrum in the XDI *text*, its label the sample's formula, else its name.

    Raises SpectrumError naming *where*, column and row.
    """
    return scan_from_xdi(text, where).spectrum()


def scan_from_xdi(text: str, where: str) -> Scan:
    """Return the scan in the XDI *text*; SpectrumError where it can't be read."""
    table = parse_xdi(text, where)
    label = table.fields.get("sample.formula") or table.fields.get("sample.name", "")
    spacing = _d_spacing(table.fields, where)
    return Scan(table.columns, where, label=label, units=table.units, d_spacing=spacing)


def parse_xdi(text: str, where: str) -> XdiTable:
    """Return header and table of the XDI *text*; SpectrumError where a line can't be read."""
    fields: dict[str, str] = {}
    comment = ""
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if line.lstrip().startswith("#"):
            match = _FIELD.match(line.strip())
            if match and not rows:
                fields[match[1].lower()] = match[2]
            elif not rows and line.strip("# -\t"):
                comment = line
            continue
        rows.append(_row(line, number, len(rows[0]) if rows else None, where))
    if not rows:
        raise SpectrumError(f"{where}: no table of numbers below the XDI header")
    names, units = _column_names(fields, comment, len(rows[0]), where)
    values = np.asarray(rows, dtype=np.float64)
    return XdiTable(fields, {name: values[:, i] for i, name in names.items()}, units)


def _row(line: str, number: int, width: int | None, where: str) -> list[float]:
    words = _SPLIT.split(line.strip().strip(",;"))
    try:
        row = [float(word) for word in words]
    except ValueError as error:
        raise SpectrumError(f"{where}: line {number}: not a row of numbers: {error}") from error
    if width is not None and len(row) != width:
        raise SpectrumError(f"{where}: line {number}: {len(row)} numbers; rows above have {width}")
    return row


def _column_names(
    fields: dict[str, str], comment: str, width: int, where: str
) -> tuple[dict[int, str], dict[str, str]]:
    """Return column index → name and name → unit, from ``Column.N`` or the last comment line."""
    names: dict[int, str] = {}
    units: dict[str, str] = {}
    for index in range(width):
        words = fields.get(f"column.{index + 1}", "").lower().split()
        if words:
            names[index] = words[0]
            units[words[0]] = words[1] if len(words) > 1 else ""
    if names:
        return names, units
    words = comment.strip("# \t").lower().split()
    if len(words) != width:
        raise SpectrumError(
            f"{where}: the header names no columns; accepted is '# Column.1: energy eV' and so on"
        )
    return dict(enumerate(words)), {}


def _d_spacing(fields: dict[str, str], where: str) -> float | None:
    """Return the monochromator's d-spacing in Å, None when it isn't stated."""
    words = fields.get("mono.d_spacing", "").split()
    if not words:
        return None
    try:
        spacing = float(words[0])
    except ValueError as error:
        raise SpectrumError(
            f"{where}: Mono.d_spacing is {words[0]!r}, not a number in Å"
        ) from error
    return spacing if spacing > 0 and np.isfinite(spacing) else None
