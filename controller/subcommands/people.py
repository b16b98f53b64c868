"""The commands by which people have their say: suggest, tell, amend, retract, resolve."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Directory = Annotated[Path, typer.Argument(help="Directory of a campaign (holds journal.sqlite).")]
Experiment = Annotated[str, typer.Argument(help="The experiment's id, or how it begins.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words; stands in the journal.")]
Person = Annotated[str | None, typer.Option(help="Who says so; default: the login name.")]
Values = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=MEAN±SIGMA", help="A value; +- is fine too (repeatable)."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (suggest, tell, amend, retract, resolve):
        app.command()(command)


def suggest(
    directory: Directory,
    reason: Reason,
    at: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="A parameter; give each of them.")
    ],
    person: Person = None,
) -> None:
    """Have a point tried next, before what the agent would suggest; several wait in their order."""
    from controller.commands import correcting

    raise typer.Exit(correcting.suggest(directory, at, reason, person))


def tell(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    directory: Directory,
    reason: Reason,
    csv: Annotated[
        Path | None, typer.Option(help="A table: parameters, values, NAME_sigma, experiment.")
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter (repeatable).")
    ] = None,
    value: Values = None,
    experiment: Annotated[str, typer.Option(help="Of which experiment, if of one here.")] = "",
    person: Person = None,
) -> None:
    """Tell a campaign what was measured elsewhere, or came later than its experiment."""
    from controller.commands import correcting

    results = correcting.Results(csv, tuple(at or ()), tuple(value or ()), experiment)
    raise typer.Exit(correcting.tell(directory, results, reason, person))


def amend(
    directory: Directory,
    experiment: Experiment,
    reason: Reason,
    value: Values = None,
    person: Person = None,
) -> None:
    """Correct values of an experiment; those not named stay as they are."""
    from controller.commands import correcting

    raise typer.Exit(correcting.amend(directory, experiment, tuple(value or ()), reason, person))


def retract(
    directory: Directory, experiment: Experiment, reason: Reason, person: Person = None
) -> None:
    """Take the observation of an experiment back: it teaches nothing any more."""
    from controller.commands import correcting

    raise typer.Exit(correcting.retract(directory, experiment, reason, person))


def resolve(
    directory: Directory,
    experiment: Experiment,
    outcome: Annotated[
        Literal["done", "not-done", "discard"], typer.Argument(help="What became of it.")
    ],
    reason: Reason,
    person: Person = None,
) -> None:
    """Say what became of an experiment that was cut off and must not be repeated unasked."""
    from controller.commands import correcting

    said = correcting.Outcome(outcome)
    raise typer.Exit(correcting.resolve(directory, experiment, said, reason, person))
