"""Writes a campaign's export: all of it beside its place, checked, and only then put there."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from controller.errors import ConfigurationError, ControllerError
from controller.exporting.checker import CRATE, PROVENANCE, check_folder, digest
from controller.exporting.crate import RECORDS, crate_of
from controller.exporting.experiments import Context, Experiment, context_of, experiments_of
from controller.exporting.nexus import write_experiment
from controller.exporting.provenance import account_of
from controller.journal import Record
from controller.recorded.recording import Recording, recording

FOLDER = "export"


def export(directory: Path, out: Path | None = None, *, force: bool = False) -> list[Path]:
    """Export the campaign in *directory* to *out* (default ``DIR/export``); return the files.

    The same campaign gives the same bytes. Raises ConfigurationError when *out* holds something
    and *force* isn't given, ControllerError when what was written doesn't pass its check.
    """
    place = directory / FOLDER if out is None else out
    _require_free(place, force)
    recorded = recording(directory)
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        _write(new, recorded)
        problems = check_folder(new)
        if problems:
            raise ControllerError("\n".join(["the export is not sound:", *problems]))
        return _put(new, place)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _require_free(place: Path, force: bool) -> None:
    if place.exists() and not place.is_dir():
        raise ConfigurationError(f"{place}: is a file; give a folder with --out")
    if place.is_dir() and any(place.iterdir()) and not force:
        raise ConfigurationError(
            f"{place}: holds something already; give another folder with --out, or --force to "
            "write the campaign's files over those of the same name"
        )


def _write(folder: Path, recorded: Recording) -> None:
    context, experiments = context_of(recorded), experiments_of(recorded)
    for experiment in experiments:
        write_experiment(folder / experiment.file, experiment, context)
    _write_records(folder / RECORDS, recorded.records)
    files = {e.file: (digest(folder / e.file), tuple(e.runs)) for e in experiments}
    files[RECORDS] = (digest(folder / RECORDS), ())
    (folder / PROVENANCE).write_text(account_of(recorded, files), encoding="utf-8")
    _write_crate(folder, context, experiments, recorded.records)


def _write_records(path: Path, records: Sequence[Record]) -> None:
    lines = (
        f'{{"sequence":{record.sequence},"stamp":{record.stamp!r},"hash":"{record.hash}",'
        f'"event":{record.event.model_dump_json()}}}\n'
        for record in records
    )
    path.write_text("".join(lines), encoding="utf-8")


def _write_crate(
    folder: Path, context: Context, experiments: Sequence[Experiment], records: Sequence[Record]
) -> None:
    text = crate_of(folder, context, experiments, records)
    (folder / CRATE).write_text(text, encoding="utf-8")


def _put(new: Path, place: Path) -> list[Path]:
    """Move the files of *new* into *place*; those of an older export that are gone now go too."""
    place.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in new.iterdir()}
    for old in place.glob("*.nxs"):
        if old.name not in names:
            old.unlink()
    return sorted(path.replace(place / path.name) for path in new.iterdir())
