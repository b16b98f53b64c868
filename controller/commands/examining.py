"""Looks at files without running anything: check, verify, schema."""

import json
from contextlib import closing
from pathlib import Path

import typer

from controller.anchors import AUDIT_TABLE, GATE_FILE, require_whole
from controller.chain import Chain, require_sound
from controller.journal import FILE, read
from controller.notify.asked import TABLE as ASKED
from controller.notify.ledger import FOLDER
from controller.notify.ledger import TABLE as NOTICES
from controller.schemas import Kind, schema

BAD_INPUT = 2


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
    for name in (NOTICES, ASKED):
        file = directory / FOLDER / f"{name}.sqlite"
        if file.is_file():
            with closing(Chain.read(file, name)) as chain:
                typer.echo(f"{chain.name}: {chain.length} records, unbroken, head {chain.head}")
            require_sound(file)
    require_whole(directory, records)


def print_schema(kind: Kind) -> None:
    """Print the JSON Schema of the files of *kind*."""
    typer.echo(json.dumps(schema(kind), indent=2, ensure_ascii=False))
