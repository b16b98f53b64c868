"""Spectra from files: XDI, CSV, columns of numbers with any header, SPEC, NPZ; needs numpy only.

A table has ``energy_eV`` (or energy) and ``mu`` (or i0 with itrans, or i0 with ifluor); see
``columns`` for the names that are known. With a ``scan`` column a CSV holds many spectra;
``channel`` (sample, reference) parts a scan further, and ``compound`` or ``label`` says what each
is. Columns side by side whose names say nothing else are a spectrum each. Any file may be packed
by gzip.
"""

import csv
import gzip
import io
import math
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.errors import SpectrumError
from models.spectra.columns import ACCEPTED, ENERGY_NAMES, Layout, first_of
from models.spectra.scan import Scan, scan_from_table
from models.spectra.spectrum import FloatArray, Spectrum
from models.spectra.table import tables_in
from models.spectra.xdi import scan_from_xdi

SUFFIXES = (
    *(".xdi", ".csv", ".csv.gz", ".dat", ".dat.gz", ".txt", ".xmu", ".nor", ".xy", ".tsv", ".npz"),
    *(".spec", ".xas"),
)
"""What a folder is searched for; a file that is named may end in anything."""

NO_DATA = ("readme", "license", "licence", "source", "notes")
"""Beginnings of the names of texts that lie beside data."""

LABEL_COLUMNS = ("label", "compound", "species", "formula", "phase")
_TEXT_COLUMNS = ("scan", "channel", *LABEL_COLUMNS)

_ROW = "\n"
"""Key of the row numbers beside the columns; no column can have this name."""

_Points = dict[str, list[float]]


def read_spectra(path: Path, layout: Layout | None = None) -> list[Spectrum]:
    """Return the spectra in *path*, in the order in which they stand there.

    Raises SpectrumError, and nothing else, for whatever can't be read as a spectrum; it names
    file, row and column and says what is accepted.
    """
    layout = layout or Layout()
    return [scan.spectrum(layout.signal) for scan in read_scans(path, layout)]


def read_scans(path: Path, layout: Layout | None = None) -> list[Scan]:
    """Return the scans in *path* as named columns; SpectrumError if there are none."""
    layout = layout or Layout()
    scans = _read_scans(path, layout)
    if layout.columns or layout.signal != "auto":
        return scans
    return [part for scan in scans for part in scan.parted()]


def _read_scans(path: Path, layout: Layout) -> list[Scan]:
    raw = read_bytes(path)
    if raw.startswith(b"PK\x03\x04"):
        return _scans_from_npz(raw, path.name)
    text = _text(raw)
    if "\0" in text[:4096]:
        raise SpectrumError(
            f"{path}: not a text; accepted are XDI, CSV, columns of numbers, SPEC and NPZ files"
        )
    if layout.columns:
        return [scan_from_table(table, path.name, layout) for table in tables_in(text, path.name)]
    if path.name.lower().endswith(".xdi"):
        return [scan_from_xdi(text, path.name)]
    if _begins_as_csv(text):
        return scans_from_csv(text, path.name)
    scans = [scan_from_table(table, path.name, layout) for table in tables_in(text, path.name)]
    return [_with_xdi_fields(scan, text, len(scans)) for scan in scans]


def is_spectrum_file(path: Path) -> bool:
    """Return whether the name of *path* ends as one of a spectrum."""
    name = path.name.lower()
    return name.endswith(SUFFIXES) and not name.startswith((".", *NO_DATA))


def read_bytes(path: Path) -> bytes:
    """Return what *path* holds, unpacked if it is packed by gzip; SpectrumError if it can't."""
    try:
        raw = path.read_bytes()
        packed = raw.startswith(b"\x1f\x8b") or path.name.lower().endswith(".gz")
        return gzip.decompress(raw) if packed else raw
    except (OSError, EOFError, zlib.error) as error:
        raise SpectrumError(f"{path}: can't be read: {error}") from error


def read_text(path: Path) -> str:
    """Return the text of *path*, unpacked if it is packed; SpectrumError if it can't be read."""
    return _text(read_bytes(path))


def _text(raw: bytes) -> str:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    return raw.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def read_rows(text: str, where: str) -> list[dict[str, str]]:
    """Return the rows of a CSV as column → text; names in lower case, short rows filled up."""
    parting = _parting(text)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=parting))
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
    return [scan.spectrum() for scan in scans_from_csv(text, where)]


def scans_from_csv(text: str, where: str) -> list[Scan]:
    """Return the scans in the CSV *text*, one for each scan and channel."""
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
    spelled = {
        name.strip().lower(): name.strip() for name in _first_line(text).split(_parting(text))
    }
    named = {
        key: {spelled.get(name, name): column for name, column in points.items()}
        for key, points in groups.items()
    }
    return [_scan(named[key], key, labels[key], where) for key in named]


def _scan(points: _Points, key: tuple[str, str], label: str, where: str) -> Scan:
    rows = points.pop(_ROW)
    columns: dict[str, FloatArray] = {name: np.asarray(column) for name, column in points.items()}
    return Scan(columns, where, " ".join(word for word in key if word), label, rows=rows)


def _number(word: str) -> float:
    """Return *word* as a float; NaN where it isn't one, refused if its column is needed."""
    try:
        return float(word.replace(",", "."))
    except ValueError:
        return math.nan


def _first_line(text: str) -> str:
    lines = (line for line in text.splitlines() if line.strip())
    return next((line for line in lines if not line.lstrip().startswith("#")), "")


def _parting(text: str) -> str:
    """Return what parts the columns of a CSV by its first line: comma, semicolon or tab."""
    first = _first_line(text)
    return max(",;\t", key=first.count)


def _begins_as_csv(text: str) -> bool:
    """Return whether the first line names an energy among columns that something parts."""
    names = _first_line(text).split(_parting(text))
    cells = {name.strip().strip('"').lower(): None for name in names}
    return len(cells) > 1 and first_of(cells, ENERGY_NAMES) is not None


def _with_xdi_fields(scan: Scan, text: str, count: int) -> Scan:
    """Return *scan* with label and d-spacing from ``# Sample.formula`` and the like, where the
    text has them and holds one scan only."""
    if count > 1:
        return scan
    fields = {
        key: match[1]
        for key in ("sample.formula", "sample.name", "mono.d_spacing")
        if (match := re.search(rf"^#\s*{re.escape(key)}\s*:\s*(\S.*?)\s*$", text, re.I | re.M))
    }
    label = fields.get("sample.formula") or fields.get("sample.name", "")
    try:
        spacing = float(fields.get("mono.d_spacing", "").split()[0])
    except (IndexError, ValueError):
        return replace(scan, label=label)
    return replace(scan, label=label, d_spacing=spacing if spacing > 0 else None)


def _scans_from_npz(raw: bytes, where: str) -> list[Scan]:
    """Return the scans in an NPZ: arrays of one length are the columns of one scan, arrays of
    scans x points those of many; no pickled objects."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            held = {name: np.asarray(arrays[name]) for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise SpectrumError(f"{where}: can't be read as NPZ of plain arrays: {error}") from error
    numbers = {
        name.lower(): a.astype(np.float64) for name, a in held.items() if a.dtype.kind in "fiu"
    }
    lines = {name: a for name, a in numbers.items() if a.ndim in (1, 2)}
    points = max((a.shape[-1] for a in lines.values()), default=0)
    lines = {name: a for name, a in lines.items() if a.shape[-1] == points}
    count = max((a.shape[0] for a in lines.values() if a.ndim == 2), default=1)
    if not lines or any(a.ndim == 2 and a.shape[0] != count for a in lines.values()):
        raise SpectrumError(
            f"{where}: accepted are arrays (points) or (scans x points), named as columns: "
            f"{ACCEPTED}"
        )
    names = _npz_names(held, count)
    return [
        Scan({n: a if a.ndim == 1 else a[i] for n, a in lines.items()}, where, names[i])
        for i in range(count)
    ]


def _npz_names(held: dict[str, np.ndarray], count: int) -> Sequence[str]:
    """Return the names of *count* scans: an array of texts, else their numbers."""
    texts = (a for a in held.values() if a.dtype.kind == "U" and a.shape == (count,))
    given = next(texts, None)
    if given is not None and len(set(given.tolist())) == count:
        return [str(name) for name in given]
    return [str(i + 1) for i in range(count)] if count > 1 else [""]
