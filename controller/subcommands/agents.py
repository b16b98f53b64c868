"""The command that serves an agent to campaigns of other processes and machines."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(agent)


def agent(
    function: Annotated[
        str,
        typer.Argument(metavar="FILE.py:FUNCTION", help="What makes it, or module:function."),
    ],
    at: Annotated[
        str, typer.Option(metavar="ADDRESS", help="ipc:///path, or tcp://host:port with keys.")
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            help="Over TCP: folder with this server's agent.key_secret, and in clients/ the public "
            "key of each campaign that may ask. What is missing is made."
        ),
    ] = None,
) -> None:
    """Serve an agent to campaigns whose agent is `remote`, until Ctrl-C.

    The function is called with space, objectives, seed and the campaign's arguments, once for
    each campaign that asks; it returns an agent, an optimizer with suggest and ingest, or an Ax
    client.
    """
    from controller.commands import hosting

    raise typer.Exit(hosting.serve(function, at, keys))
