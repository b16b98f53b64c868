"""Absorption spectra in files: train a model on references, fit with it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import typer

from controller.commands.bars import bar
from controller.outcome.wording import with_sigma
from models.errors import ModelFileError
from models.saved import CARD
from models.spectra.columns import Layout

Found = Iterator[dict[str, Any]]
"""What ``models.spectra.fitting.fit_with`` yields."""


@dataclass(frozen=True, slots=True)
class References:
    """A folder of reference spectra, which of its labels to use, and how files are read."""

    folder: Path
    labels: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    layout: Layout = field(default_factory=Layout)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a training: *steps* for each range of energies, from *seed*."""

    steps: int
    seed: int


def layout(columns: str, signal: str) -> Layout:
    """Return how files are read, from the options' texts; BadParameter if they say nothing."""
    names = tuple(name.strip() for name in columns.split(",")) if columns.strip() else ()
    if any(not name for name in names):
        raise typer.BadParameter("--columns: names parted by commas, '-' for one to skip")
    return Layout(names, signal)


def train(references: References, out: Path, effort: Effort, *, force: bool) -> None:
    """Train an ensemble on mixtures of *references*, write it to *out* and print its figures."""
    from models.spectra.references import load_references, reference_files
    from models.spectra.trained import hashes, save_absorption, train_absorption
    from models.spectra.training import Training

    require_free(out, force=force)
    r = references
    held = load_references(r.folder, r.labels, r.leave_out, r.layout)
    training = Training(steps=effort.steps, seed=effort.seed)
    data = hashes(reference_files(r.folder), r.folder)
    with bar("training") as tell:
        model = train_absorption(held, training, data, lambda p: tell(p.done, p.total, p.what))
    save_absorption(out, model, force=force)
    typer.echo(f"{out}: a model of {', '.join(held.labels)}")
    for words, table in model.card.calibration.items():
        covered = table["coverage"]["0.9"]
        typer.echo(
            f"  {words}: fractions within {table['rmse']:.3f} (rms) on simulated mixtures; 90 % "
            f"intervals held {covered:.1%}"
        )
    typer.echo(f"  {model.card.figures['training_cpu_s']:.0f} CPU s of training")


def fit_references(references: References, files: Sequence[Path], method: str) -> Found:
    """Yield what the spectra in *files* are, against a folder of *references*."""
    from models.spectra.absorption import Absorption
    from models.spectra.fitting import fit_with
    from models.spectra.references import load_references

    r = references
    against = Absorption(load_references(r.folder, r.labels, r.leave_out, r.layout), method)
    return fit_with(against, files, r.layout)


def fit_model(model: Path, files: Sequence[Path], how: Layout, *, fast: bool) -> Found:
    """Yield what the spectra in *files* are, by the trained *model*; *fast*: by ONNX Runtime."""
    from models.spectra.fitting import fit_with
    from models.spectra.trained import load_absorption

    if not model.is_dir():
        raise ModelFileError(
            f"{model}: isn't a folder; the first argument is a model from heliostat train "
            f"absorption, unless there is --references"
        )
    trained = load_absorption(model)
    if fast and warned_of_missing():
        fast = False
    return fit_with((trained.hastened() if fast else trained).absorption(), files, how)


def warned_of_missing() -> bool:
    """Say on stderr which packages --fast needs and aren't there; return whether any is missing."""
    from models.fast import missing

    lacking = missing()
    if lacking:
        typer.echo(
            f"heliostat: --fast needs {', '.join(lacking)} (pip install 'heliostat[fast]'); "
            f"going on without",
            err=True,
        )
    return bool(lacking)


def drift(files: Sequence[Path], only: str, how: Layout, *, as_json: bool) -> None:
    """Print by how much the energies of each scan in *files* are off, from the first."""
    from models.errors import SpectrumError
    from models.spectra.drift import drift_of
    from models.spectra.fitting import expanded
    from models.spectra.reading import read_spectra

    series = [(path, s) for path in expanded(files) for s in read_spectra(path, how)]
    series = [(path, s) for path, s in series if only in s.name]
    if not series:
        raise SpectrumError(f"no scan's name holds {only!r}")
    for (path, spectrum), shift in zip(series, drift_of([s for _, s in series]), strict=True):
        if as_json:
            found = {"file": str(path), **asdict(shift), "scan": spectrum.scan}
            typer.echo(json.dumps(found, ensure_ascii=False))
            continue
        name = f"{path}, scan {spectrum.scan}" if spectrum.scan else str(path)
        typer.echo(f"{name}: {shift.shift_eV:+.3f} ± {shift.sigma_eV:.3f} eV")


def show(found: Found, *, as_json: bool) -> None:
    """Print each of *found* on a line, as JSON or in words."""
    for spectrum in found:
        typer.echo(json.dumps(spectrum, ensure_ascii=False) if as_json else _in_words(spectrum))


def require_free(out: Path, *, force: bool) -> None:
    """Refuse before a training what would be refused after it."""
    if out.exists() and not (force and (out / CARD).is_file()) and not _empty(out):
        again = "it holds no model to replace" if force else "or replace it with --force"
        raise ModelFileError(f"{out}: is there already; name another folder ({again})")


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _in_words(spectrum: dict[str, Any]) -> str:
    scan = f", scan {spectrum['scan']}" if spectrum["scan"] else ""
    fractions = ", ".join(
        f"{label} {with_sigma(value['mean'], value['sigma'])}"
        for label, value in spectrum["fractions"].items()
    )
    verdict = f"{spectrum['verdict']}{', novel' if spectrum['novel'] else ''}"
    reasons = f" ({'; '.join(spectrum['reasons'])})" if spectrum["reasons"] else ""
    method = f"; by {spectrum['method']}" if "fallback" in spectrum["method"] else ""
    return f"{spectrum['file']}{scan}: {fractions or 'no fractions'}; {verdict}{reasons}{method}"
