"""A set of reference spectra: what a mixture may be made of, from a folder of files.

Accepted folders (see ``load_references``): one table with a ``scan`` column, a flat folder of
files, or one subfolder for each label. Several spectra of one label are repeats:
their spread tells how far a measured species may stray from its reference.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ReferenceSetError, SpectrumError
from models.spectra.columns import Layout
from models.spectra.reading import (
    LABEL_COLUMNS,
    SUFFIXES,
    is_spectrum_file,
    read_rows,
    read_spectra,
    read_text,
)
from models.spectra.spectrum import Spectrum

LABEL_FILES = ("labels.csv", "index.csv")
_KEY_COLUMNS = ("file", "scan", "name")
_REPEAT = re.compile(r"(?:[._\-\s]+(?:rep|repeat|scan|r|s)?\d{1,4}|\s*\(\d+\))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSet:
    """Spectra by label, in sorted order of labels; each label has one or more (repeats)."""

    spectra: Mapping[str, tuple[Spectrum, ...]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(self.spectra)

    def without_scans(self, scans: Sequence[str]) -> "ReferenceSet":
        """Return the set without the spectra whose scan or file is one of *scans*."""
        gone = set(scans)
        return reference_set(
            [s for group in self.spectra.values() for s in group if not gone & {s.scan, s.file}]
        )


def load_references(
    folder: Path,
    labels: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    layout: Layout | None = None,
) -> ReferenceSet:
    """Return the references in *folder*: every file of spectra in it and one level below.

    The label of a spectrum is the first of these that there is:

    1. ``labels.csv`` or ``index.csv`` in the folder: column ``file`` or ``scan`` (the stem of a
       file will do) and column ``label``, ``compound``, ``species``, ``formula`` or ``phase``;
    2. a column of such a name in the table itself;
    3. the name of the subfolder that the file lies in;
    4. in an .xdi file, ``Sample.formula``, else ``Sample.name``;
    5. the scan's or file's name without a repeat number (``CuO_1.csv``, ``CuO.002.csv``,
       ``CuO-3.csv`` and ``CuO.csv`` are four repeats of CuO).

    *labels* keeps only these, *leave_out* leaves these labels out (none: all are used); *layout*
    says how the files are read. Raises ReferenceSetError when the folder or the labels can't be
    used, SpectrumError for a bad file.
    """
    if not folder.is_dir():
        raise ReferenceSetError(f"{folder}: no such folder; give a folder with reference spectra")
    listed = _listed_labels(folder)
    found = [
        _labelled(s, p, p.parent.name if p.parent != folder else "", listed)
        for p in reference_files(folder)
        for s in read_spectra(p, layout)
    ]
    if not found:
        raise ReferenceSetError(
            f"{folder}: holds no spectra; accepted are files that end in {', '.join(SUFFIXES)}"
        )
    _check_asked({s.label for s in found}, (*labels, *leave_out), folder)
    kept = [s for s in found if (not labels or s.label in labels) and s.label not in leave_out]
    return reference_set(kept, str(folder))


def reference_files(folder: Path) -> list[Path]:
    """Return the files of spectra in *folder*, then those one level below it."""
    files = [path for path in sorted(folder.glob("*")) if _is_spectrum(path)]
    return files + [path for path in sorted(folder.glob("*/*")) if _is_spectrum(path)]


def reference_set(spectra: Sequence[Spectrum], where: str = "references") -> ReferenceSet:
    """Return the ReferenceSet of labelled *spectra*; at least two labels, overlapping energies.

    Raises ReferenceSetError otherwise.
    """
    groups: dict[str, list[Spectrum]] = {}
    for spectrum in spectra:
        groups.setdefault(spectrum.label, []).append(spectrum)
    if len(groups) < 2:
        have = ", ".join(groups) or "none"
        raise ReferenceSetError(
            f"{where}: fractions need references of at least two labels; labels are: {have}"
        )
    low = max(spectra, key=lambda s: s.energy[0])
    high = min(spectra, key=lambda s: s.energy[-1])
    if low.energy[0] >= high.energy[-1]:
        raise ReferenceSetError(
            f"{where}: energy ranges don't overlap: {low.name} starts at {low.energy[0]:g} eV, "
            f"{high.name} ends at {high.energy[-1]:g} eV; all references must span one edge"
        )
    return ReferenceSet({label: tuple(groups[label]) for label in sorted(groups)})


def label_from_name(name: str) -> str:
    """Return *name* without file suffix and repeat number: "Cu foil.002.csv" gives "Cu foil"."""
    stem = _stem(name)
    return _REPEAT.sub("", stem) or stem


def _stem(name: str) -> str:
    lowered = name.lower()
    suffix = next((s for s in reversed(SUFFIXES) if lowered.endswith(s)), "")
    return name[: len(name) - len(suffix)]


def _is_spectrum(path: Path) -> bool:
    return is_spectrum_file(path) and path.is_file() and path.name.lower() not in LABEL_FILES


def _labelled(spectrum: Spectrum, path: Path, parent: str, listed: Mapping[str, str]) -> Spectrum:
    """Return *spectrum* with its label, by the order of preference of ``load_references``."""
    keys = (spectrum.scan, f"{parent}/{path.name}", path.name, _stem(path.name))
    label = next((listed[key] for key in keys if key and key in listed), "")
    if path.name.lower().endswith(".xdi"):
        label = label or parent or spectrum.label
    else:
        label = label or spectrum.label or parent
    numbered = not spectrum.scan or spectrum.scan.isdigit()
    label = label or label_from_name(path.name if numbered else spectrum.scan)
    return Spectrum(
        spectrum.energy, spectrum.mu, path.name, spectrum.scan, label, spectrum.mu_sigma
    )


def _listed_labels(folder: Path) -> dict[str, str]:
    """Return scan or file → label from the label files of *folder* (the first one wins)."""
    listed: dict[str, str] = {}
    for path in (folder / name for name in LABEL_FILES):
        if not path.is_file():
            continue
        rows = read_rows(read_text(path), path.name)
        for row in rows:
            label = next((row[c].strip() for c in LABEL_COLUMNS if row.get(c, "").strip()), "")
            for key in (row[c].strip() for c in _KEY_COLUMNS if row.get(c, "").strip()):
                listed.setdefault(key, label)
        if rows and not any(column in rows[0] for column in LABEL_COLUMNS):
            raise SpectrumError(
                f"{path}: no column of labels; accepted are {', '.join(LABEL_COLUMNS)}"
            )
    return {key: label for key, label in listed.items() if label}


def _check_asked(have: set[str], asked: Sequence[str], folder: Path) -> None:
    unknown = sorted(set(asked) - have)
    if unknown:
        raise ReferenceSetError(
            f"{folder}: no reference is labelled {', '.join(unknown)}; labels are: "
            f"{', '.join(sorted(have))}"
        )
