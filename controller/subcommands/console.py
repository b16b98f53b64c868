"""The commands of the console: its keys."""

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
    keys.command()(create)
    keys.command("list")(show)
    keys.command()(revoke)
    app.add_typer(keys)


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
