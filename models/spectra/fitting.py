"""``heliostat fit``: spectra in files against a folder of references."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.errors import SpectrumError
from models.spectra.absorption import Absorption, Analysis
from models.spectra.columns import Layout
from models.spectra.reading import SUFFIXES, is_spectrum_file, read_spectra
from models.spectra.references import LABEL_FILES, load_references


def fit_files(
    references: Path,
    files: Sequence[Path],
    labels: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    method: str = "auto",
    layout: Layout | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what ``fit_with`` does, against *references*, a folder as ``load_references`` reads it.

    *labels* and *leave_out* choose among its labels. *method* is "auto" (the ensemble, trained if
    it isn't cached) or "linear". Raises ReferenceSetError before the first.
    """
    against = Absorption(load_references(references, labels, leave_out), method)
    yield from fit_with(against, files, layout)


def fit_with(
    against: Absorption, files: Sequence[Path], layout: Layout | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one JSON-able object for each spectrum in *files*, in their order.

    A folder among *files* stands for the spectra in it; *layout* says how they are read. A
    spectrum that can be read and says nothing is an object with its reasons. Raises SpectrumError
    after the last, with every file that could not be read.

    Keys: file, scan, fractions {label: {mean, sigma and, from an ensemble, epistemic}}, novel,
    verdict, reasons, shift_eV, residual (edge steps), method, scores.
    """
    unreadable: list[str] = []
    for path in expanded(files):
        try:
            spectra = read_spectra(path, layout)
        except SpectrumError as error:
            unreadable.append(str(error))
            continue
        for spectrum in spectra:
            found = as_object(against.analyse(spectrum))
            yield {"file": str(path), "scan": spectrum.scan, **found}
    if unreadable:
        raise SpectrumError("\n".join(unreadable))


def as_object(analysis: Analysis) -> dict[str, Any]:
    """Return *analysis* as plain values for JSON, without its curves."""
    return {
        "fractions": {
            label: {"mean": measured.mean, "sigma": measured.sigma, **_own(analysis, label)}
            for label, measured in analysis.fractions.items()
        },
        "novel": analysis.novel,
        "verdict": analysis.quality.verdict.value,
        "reasons": list(analysis.quality.reasons),
        "shift_eV": analysis.shift_eV,
        "residual": analysis.residual if math.isfinite(analysis.residual) else None,
        "method": analysis.method,
        "scores": dict(analysis.quality.scores),
    }


def _own(analysis: Analysis, label: str) -> dict[str, float]:
    return {"epistemic": analysis.epistemic[label]} if label in analysis.epistemic else {}


def expanded(files: Sequence[Path]) -> list[Path]:
    """Return *files*, each folder among them as the files of spectra in it."""
    paths: list[Path] = []
    for path in files:
        if not path.is_dir():
            paths.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if is_spectrum_file(p))
        inside = [p for p in inside if p.name.lower() not in LABEL_FILES]
        if not inside:
            raise SpectrumError(
                f"{path}: a folder without spectra; they end in {', '.join(SUFFIXES)}"
            )
        paths.extend(inside)
    return paths
