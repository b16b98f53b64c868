"""`heliostat console`: serves the console of a campaign until somebody has had enough."""

from pathlib import Path

import typer

from controller.commands.console_acts import LocalActs
from controller.commands.safety_reaching import the_campaign
from controller.commands.safety_words import record_words
from controller.console.console import Console
from controller.console.keys import KeyRing
from controller.console.serving import Listening
from controller.console.serving import serve as serve_console
from controller.processes.apart import own_name

OK = 0


def serve(attach: Path | None, listening: Listening) -> int:
    """Serve the console of the campaign in *attach*, or of the one that runs; return the exit code.

    Raises NoCampaign, JournalBroken, and ConfigurationError where the port is taken.
    """
    directory = the_campaign(attach)
    keys = KeyRing()
    keys.all()
    key = keys.for_this_start(own_name())
    console = Console(directory, keys, LocalActs(directory), record_words)

    def ready() -> None:
        typer.echo(f"{directory}: {listening.url}/api/v1; Ctrl-C ends the console alone", err=True)
        typer.echo("the key of this start, for its one user:", err=True)
        typer.echo(key)

    try:
        serve_console(console, listening, ready)
    except KeyboardInterrupt:
        return OK
    return OK
