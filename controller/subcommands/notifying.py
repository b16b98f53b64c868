"""The commands about notifications: try the channels, see what was told, tell what waits."""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

Directory = Annotated[Path, typer.Argument(help="Directory of a campaign (holds journal.sqlite).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    notify = typer.Typer(
        help="Who is told what of a campaign: try it, and see what came of it.",
        no_args_is_help=True,
    )
    for command in (test, log, send):
        notify.command()(command)
    app.add_typer(notify, name="notify")
    app.command()(answer)


def test(
    file: Annotated[Path, typer.Argument(help="The campaign file (YAML) with `notify:`.")],
    channel: Annotated[str | None, typer.Option(help="By this channel alone.")] = None,
    json: AsJson = False,
) -> None:
    """Send a test by every channel of a campaign file; exit 1 where one doesn't take it."""
    from controller.commands import notifying

    raise typer.Exit(notifying.test(file, channel, as_json=json))


def answer(
    directory: Directory,
    word: Annotated[Literal["yes", "no"], typer.Argument(help="Whether it may run.")],
    reason: Annotated[str, typer.Option(help="Why, in a few words; stands on record.")],
    person: Annotated[
        str | None, typer.Option(help="Who says so; default: the login name.")
    ] = None,
) -> None:
    """Say whether the suggestion may run that a campaign with `notify:` asks about.

    With approve_each it waits for a yes; with approve_by_exception it runs some time after people
    were told, unless somebody says no.
    """
    from controller.commands import notifying

    who = person or getpass.getuser()
    raise typer.Exit(notifying.answer(directory, yes=word == "yes", reason=reason, person=who))


def log(directory: Directory, json: AsJson = False) -> None:
    """Show what was told of a campaign, by which channels, and what still waits."""
    from controller.commands import notifying

    raise typer.Exit(notifying.log(directory, as_json=json))


def send(directory: Directory) -> None:
    """Tell now what could not be told before; exit 1 where that fails again.

    A campaign that runs does so by itself.
    """
    from controller.commands import notifying

    raise typer.Exit(notifying.send(directory))
