"""Exports a campaign, and says what lies where."""

from pathlib import Path

import typer

from controller.exporting.checker import CRATE, PROVENANCE
from controller.exporting.folder import export as write


def export(directory: Path, out: Path | None, *, force: bool) -> int:
    """Export the campaign in *directory* to the folder *out* and return the exit code."""
    files = write(directory, out, force=force)
    spectra = [path for path in files if path.suffix == ".nxs"]
    typer.echo(
        f"{files[0].parent}: {len(spectra)} NeXus files, {CRATE} and {PROVENANCE}, all checked"
    )
    return 0
