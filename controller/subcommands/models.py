"""The commands about models for a user's own data: train them, and ask them."""

from pathlib import Path
from typing import Annotated

import typer

train = typer.Typer(help="Train a model that can be asked later.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(metavar="MODEL", help="The folder that the model becomes.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the model that is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same model.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.add_typer(train, name="train")
    app.command()(identify)


@train.command("phases")
def train_phases(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    cifs: Annotated[Path, typer.Option(help="Folder with a CIF file of each candidate phase.")],
    out: Out,
    wavelength: Annotated[
        str, typer.Option(metavar="CuKa|CoKa|MoKa|…|ANGSTROM", help="What it is to be used with.")
    ] = "CuKa",
    two_theta: Annotated[
        tuple[float, float], typer.Option(metavar="FROM TO", help="Range in degrees.")
    ] = (10.0, 100.0),
    minutes: Annotated[
        float, typer.Option(min=0.02, max=600, help="CPU minutes, about; more for many phases.")
    ] = 2.5,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Simulate powder patterns of the phases in --cifs and train an ensemble to tell them apart."""
    from controller.commands import training

    training.train_phases(
        cifs, out, training.PhaseWishes(wavelength, two_theta, minutes, seed), force=force
    )


def identify(
    model: Annotated[Path, typer.Argument(help="A folder from `heliostat train phases`.")],
    files: Annotated[
        list[Path], typer.Argument(help="Patterns: .xy, .xye, .dat, .txt, .csv, .npz, or folders.")
    ],
    wavelength: Annotated[
        str | None,
        typer.Option(
            metavar="CuKa|CoKa|MoKa|…|ANGSTROM",
            help="What the patterns were measured with; default: what the model is for.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, one object a pattern.")
    ] = False,
) -> None:
    """Tell the phases of powder patterns: probabilities, mass fractions ± sigma, is it new?"""
    from controller.commands import identifying

    identifying.identify(model, files, wavelength, as_json=json)
