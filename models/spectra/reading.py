"""Spectra from files: .xdi, .csv and .csv.gz; importing this needs numpy only.

A table has ``energy_eV`` (or energy) and ``mu`` (or i0 with itrans, or i0 with ifluor). With a
``scan`` column it holds many spectra; ``channel`` (sample, reference) parts a scan further, and
``compound`` or ``label`` says what each is. Case of column names doesn't matter.
"""

import csv
import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from models.errors import SpectrumError
from models.spectra.columns import ACCEPTED, energy_of, mu_of, used_columns
from models.spectra.spectrum import FloatArray, Spectrum, checked
from models.spectra.xdi import spectrum_from_xdi

SUFFIXES = (".xdi", ".csv", ".csv.gz")
LABEL_COLUMNS = ("label", "compound", "species", "formula", "phase")
_TEXT_COLUMNS = ("scan", "channel", *LABEL_COLUMNS)

_ROW = "\n"
"""Key of the row numbers beside the columns; no column can have this name."""

_Points = dict[str, list[float]]


def read_spectra(path: Path) -> list[Spectrum]:
    """Return the spectra in *path*, in the order in which they stand there.

    Raises SpectrumError, and nothing else, for whatever can't be read as a spectrum; it names
    file, row and column and says what is accepted.
    """
    text = read_text(path)
    if path.name.lower().endswith(".xdi"):
        return [spectrum_from_xdi(text, path.name)]
    if is_spectrum_file(path):
        return spectra_from_csv(text, path.name)
    raise SpectrumError(f"{path}: accepted are files that end in {', '.join(SUFFIXES)}")


def is_spectrum_file(path: Path) -> bool:
    """Return whether the name of *path* ends as one of a spectrum."""
    return path.name.lower().endswith(SUFFIXES)


def read_text(path: Path) -> str:
    """Return the text of *path*, unpacked if its name ends in .gz; SpectrumError if it can't."""
    try:
        raw = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise SpectrumError(f"{path}: can't be read: {error}") from error
    return raw.decode("utf-8-sig", errors="replace")


def read_rows(text: str, where: str) -> list[dict[str, str]]:
    """Return the rows of a CSV as column → text; names in lower case, short rows filled up."""
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise SpectrumError(f"{where}: not a table of comma-separated values: {error}") from error
    lines = [line for line in lines if line and not line[0].lstrip().startswith("#")]
    if not lines:
        raise SpectrumError(f"{where}: empty; accepted is {ACCEPTED}")
    names = [name.strip().lower() for name in lines[0]]
    padded = ([*line, *[""] * len(names)] for line in lines[1:])
    return [dict(zip(names, line, strict=False)) for line in padded]


def spectra_from_csv(text: str, where: str) -> list[Spectrum]:
    """Return the spectra in the CSV *text*, one for each scan and channel."""
    groups: dict[tuple[str, str], _Points] = {}
    labels: dict[tuple[str, str], str] = {}
    for number, row in enumerate(read_rows(text, where), start=1):
        key = (row.get("scan", "").strip(), row.get("channel", "").strip())
        labels.setdefault(key, next((row[c].strip() for c in LABEL_COLUMNS if row.get(c)), ""))
        points = groups.setdefault(key, {})
        points.setdefault(_ROW, []).append(number)
        for name, word in row.items():
            if name not in _TEXT_COLUMNS:
                points.setdefault(name, []).append(_number(word))
    if not groups:
        raise SpectrumError(f"{where}: a header and no rows; accepted is {ACCEPTED}")
    return [_spectrum(groups[key], key, labels[key], where) for key in groups]


def _number(word: str) -> float:
    """Return *word* as a float; NaN where it isn't one, refused if its column is needed."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def _spectrum(points: _Points, key: tuple[str, str], label: str, where: str) -> Spectrum:
    scan = " ".join(word for word in key if word)
    rows = points.pop(_ROW)
    columns: dict[str, FloatArray] = {name: np.asarray(column) for name, column in points.items()}
    place = f"{where} [{scan}]" if scan else where
    for name in used_columns(columns):
        bad = np.flatnonzero(~np.isfinite(columns[name]))
        if bad.size:
            raise SpectrumError(
                f"{place}: column {name}, row {rows[bad[0]]:g} below the header is no finite "
                f"number; leave rows without a measurement out"
            )
    energy, mu = energy_of(columns, {}, None, place), mu_of(columns, place)
    return checked(energy, mu, file=where, scan=scan, label=label)
