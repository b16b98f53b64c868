"""Looks at files without running anything: check, verify, fit, schema."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from controller.anchors import AUDIT_TABLE, GATE_FILE, require_whole
from controller.chain import Chain, require_sound
from controller.journal import FILE, read
from controller.outcome.wording import with_sigma
from controller.schemas import Kind, schema

BAD_INPUT = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """Which references to fit with, and how."""

    labels: tuple[str, ...]
    leave_out: tuple[str, ...]
    method: str


def check_file(file: Path) -> int:
    """Print every problem of the campaign *file* and return the exit code."""
    from controller.benches import installed
    from controller.checks.checking import check

    problems = check(file, installed())
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        count = len(problems)
        typer.echo(f"{file}: {count} problem{'s' if count > 1 else ''}", err=True)
        return BAD_INPUT
    typer.echo(f"{file}: nothing to mend")
    return 0


def verify(directory: Path) -> None:
    """Check every chain of the campaign in *directory*; raises JournalBroken."""
    records = read(directory)
    head = records[-1].hash if records else "none"
    typer.echo(f"{directory / FILE} (events): {len(records)} records, unbroken, head {head}")
    require_sound(directory / FILE)
    if (directory / GATE_FILE).is_file():  # else cut off before the gate was there
        with closing(Chain.read(directory / GATE_FILE, AUDIT_TABLE)) as chain:
            typer.echo(f"{chain.name}: {chain.length} records, unbroken, head {chain.head}")
        require_sound(directory / GATE_FILE)
    require_whole(directory, records)


def fit(references: Path, files: Sequence[Path], choice: Choice, *, as_json: bool) -> None:
    """Print what the references say of each spectrum in *files*."""
    from models.spectra.fitting import fit_files

    found = fit_files(references, files, choice.labels, choice.leave_out, choice.method)
    for spectrum in found:
        typer.echo(json.dumps(spectrum, ensure_ascii=False) if as_json else _in_words(spectrum))


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


def print_schema(kind: Kind) -> None:
    """Print the JSON Schema of the files of *kind*."""
    typer.echo(json.dumps(schema(kind), indent=2, ensure_ascii=False))
