"""The command that commissions an envelope."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(commission)


def commission(
    file: Annotated[Path, typer.Argument(help="The campaign file (YAML) that names the envelope.")],
    beamline: Annotated[
        str,
        typer.Option(
            metavar="live|FILE",
            help="live: the campaign's beamline without its twin; or another beamline file. Its "
            "safe sequence is run, nothing else is written.",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the record; default: beside the envelope.")
    ] = None,
    person: Annotated[str, typer.Option(help="Who commissions; default: the login name.")] = "",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Try every rule of a campaign's envelope at its limit, and keep a signed record of it.

    Each rule is taken to its limit by readings that are given to the gate, never by the hardware;
    the emergency stop is pressed, cables are pulled. With --beamline the bench's safe sequence is
    run and read back first, readings that aren't driven are the bench's own, and you are asked to
    pull cables. A live campaign is armed only with such a record for exactly its envelope; exit 1
    when something didn't go as it should.
    """
    from controller.commands import commissioning

    wish = commissioning.Wish(file, beamline, out, person)

    def ask(question: str) -> str:
        return str(typer.prompt(question, default="", show_default=False, err=True))

    raise typer.Exit(commissioning.commission(wish, ask, as_json=json))
