"""The commands about a campaign's data: its catalog, its export, its decisions."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(help="Directory of a campaign (holds journal.sqlite).")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(catalog)
    app.command()(export)
    app.command()(explain)


def catalog(
    directory: Directory,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 0,
    serve: Annotated[
        bool, typer.Option(help="Serve it until Ctrl-C, or bring it up to date only.")
    ] = True,
) -> None:
    """Bring a campaign's Tiled catalog up to date and serve it to any Bluesky user."""
    from controller.commands import cataloguing

    raise typer.Exit(cataloguing.catalog(directory, port, serve=serve))


def export(
    directory: Directory,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; default: DIR/export.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what an earlier export has written.")
    ] = False,
) -> None:
    """Write a NeXus file per experiment, an RO-Crate and an account of every decision (PROV)."""
    from controller.commands import exporting

    raise typer.Exit(exporting.export(directory, out, force=force))


def explain(
    directory: Directory,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[NUMBER|ID]",
            help="A decision's number, or the id of its suggestion or experiment; default: the "
            "last one.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Say why a point was chosen: what was expected, what else was close, how far to trust it."""
    from controller.commands import explaining

    raise typer.Exit(explaining.explain(directory, which, as_json=json))
