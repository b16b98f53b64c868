"""The commands of the console: the console itself, and its keys."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]

keys = typer.Typer(
    name="keys",
    help="Makes, shows and revokes the keys of the console.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(console)
    keys.command()(create)
    keys.command("list")(show)
    keys.command()(revoke)
    app.add_typer(keys)


def console(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    attach: Annotated[
        Path | None,
        typer.Option(help="The campaign's directory; default: the one campaign that runs here."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens.")] = 8765,
    address: Annotated[
        str, typer.Option(help="Any other than loopback needs TLS, or a proxy with it.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="How browsers call this machine (repeatable).")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS: the certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: its private key (PEM).")] = None,
    proxy: Annotated[
        str, typer.Option(metavar="ORIGIN", help="The https:// origin of a proxy before it.")
    ] = "",
) -> None:
    """Serve the console of a campaign: what it does and why, and people's commands, over HTTP.

    Prints its address and a key for this start. It may be ended and started again at any time:
    the campaign doesn't notice, and the numbers of its messages go on.
    """
    from controller.commands import consoling
    from controller.console.serving import Listening

    listening = Listening(address, port, tuple(name or ()), certificate, key, proxy)
    raise typer.Exit(consoling.serve(attach, listening))


def create(
    role: Annotated[
        list[str],
        typer.Option(help="viewer, operator, scientist, safety-officer, admin (repeatable)."),
    ],
    expires: Annotated[str, typer.Option(metavar="DURATION", help="Good for: `30d`.")] = "30d",
    name: Annotated[
        str | None, typer.Option(help="Who holds it; stands in the log. Default: the login name.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    from controller.commands import console_keys
    from controller.console.keys import KeyRing
    from controller.processes.apart import own_name

    raise typer.Exit(console_keys.create(KeyRing(), name or own_name(), role, expires))


def show(json: AsJson = False) -> None:
    """Show every key: its id, whether it is good, its roles and its holder."""
    import time

    from controller.commands import console_keys
    from controller.console.keys import KeyRing

    raise typer.Exit(console_keys.show(KeyRing(), as_json=json, now=time.time()))


def revoke(key: Annotated[str, typer.Argument(help="The key's id (`keys list`).")]) -> None:
    """Let a key be good for nothing from now on; whoever is connected with it is put out."""
    from controller.commands import console_keys
    from controller.console.keys import KeyRing

    raise typer.Exit(console_keys.revoke(KeyRing(), key))
