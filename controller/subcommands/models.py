"""The commands about models for a user's own data: train them, and ask them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

train = typer.Typer(help="Train a model that can be asked later.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(metavar="MODEL", help="The folder that the model becomes.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the model that is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same model.")]

References = Annotated[Path, typer.Option(help="Folder with reference spectra and their labels.")]
Labels = Annotated[
    list[str] | None, typer.Option(help="Only these labels of the references (repeatable).")
]
LeaveOut = Annotated[
    list[str] | None, typer.Option(help="Not these labels of the references (repeatable).")
]
Columns = Annotated[
    str,
    typer.Option(
        metavar="NAME,NAME,…",
        help="Names of the files' columns in their order, '-' to skip one; default: their headers.",
    ),
]
Signal = Annotated[
    str,
    typer.Option(
        metavar="auto|mu|transmission|fluorescence|reference|COLUMN",
        help="What absorption is taken from. auto: a mu column, else transmission, else "
        "fluorescence.",
    ),
]

Fast = Annotated[
    bool, typer.Option("--fast", help="Through ONNX Runtime, where heliostat[fast] is installed.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.add_typer(train, name="train")
    app.command()(identify)
    app.command()(fit)
    app.command()(quality)
    app.command()(drift)


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


@train.command("absorption")
def train_absorption(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    references: References,
    out: Out,
    label: Labels = None,
    leave_out: LeaveOut = None,
    columns: Columns = "",
    signal: Signal = "auto",
    steps: Annotated[
        int, typer.Option(min=50, max=20000, help="Of training, for each range of energies.")
    ] = 1000,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Train an ensemble on simulated mixtures of reference spectra of one edge, any element.

    The model holds the references, and an ensemble for each of some ranges around the edge, so
    that shorter scans than theirs can be fitted too.
    """
    from controller.commands import absorbing

    how = absorbing.layout(columns, signal)
    chosen = absorbing.References(references, tuple(label or ()), tuple(leave_out or ()), how)
    absorbing.train(chosen, out, absorbing.Effort(steps, seed), force=force)


def fit(  # noqa: PLR0913, PLR0917  (a command's arguments are its options)
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] FILES...",
            help="A folder from `heliostat train absorption` (none with --references), then "
            "spectra: XDI, CSV, columns of numbers, SPEC, NPZ, or folders of them.",
        ),
    ],
    references: Annotated[
        Path | None, typer.Option(help="Instead of a model: folder with reference spectra.")
    ] = None,
    label: Labels = None,
    leave_out: LeaveOut = None,
    method: Annotated[
        Literal["auto", "linear"],
        typer.Option(help="With --references. auto: the ensemble, trained when needed."),
    ] = "auto",
    columns: Columns = "",
    signal: Signal = "auto",
    fast: Fast = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, one object a spectrum.")
    ] = False,
) -> None:
    """Fit XANES spectra of any element: fractions of the references ± sigma, is it new?"""
    from controller.commands import absorbing

    how = absorbing.layout(columns, signal)
    if references is None:
        if len(paths) == 1 or label or leave_out or method != "auto":
            raise typer.BadParameter(
                "give a model and files, or files and --references DIR; --label, --leave-out and "
                "--method go with --references"
            )
        found = absorbing.fit_model(paths[0], paths[1:], how, fast=fast)
    else:
        chosen = absorbing.References(references, tuple(label or ()), tuple(leave_out or ()), how)
        found = absorbing.fit_references(chosen, paths, method)
    absorbing.show(found, as_json=json)


@train.command("quality")
def train_quality(
    scans: Annotated[
        Path,
        typer.Option(help="NPZ: label (n; 1 good), energy_eV and mu… (n x points) of your scans."),
    ],
    out: Out,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Train what `heliostat quality` judges absorption scans by, on a person's verdicts."""
    from controller.commands import grading

    grading.train(scans, out, seed, force=force)


def quality(
    files: Annotated[
        list[Path],
        typer.Argument(help="Absorption scans: XDI, CSV, columns of numbers, SPEC, NPZ, folders."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="A folder from `heliostat train quality`; default: the one shipped."),
    ] = None,
    columns: Columns = "",
    signal: Signal = "auto",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, one object a scan.")
    ] = False,
) -> None:
    """Say whether absorption scans are good or failed, with a probability; or that it's unsure.

    The model shipped is trained on scans of one beamline that a person called good or bad, and
    on what was made of them. Any element, transmission or fluorescence.
    """
    from controller.commands import absorbing, grading

    grading.grade(files, model, absorbing.layout(columns, signal), as_json=json)


def drift(
    files: Annotated[
        list[Path],
        typer.Argument(help="Scans of one sample or one foil, in order: as `heliostat fit` reads."),
    ],
    only: Annotated[
        str, typer.Option(metavar="TEXT", help="Only scans whose name holds this.")
    ] = "",
    columns: Columns = "",
    signal: Signal = "auto",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, one object a scan.")
    ] = False,
) -> None:
    """Say how far the energy scale drifts over a series of absorption scans (eV, from the first).

    Give the scans of the sample itself, or with --signal reference the foil measured behind it.
    """
    from controller.commands import absorbing

    absorbing.drift(files, only, absorbing.layout(columns, signal), as_json=json)


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
    fast: Fast = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, one object a pattern.")
    ] = False,
) -> None:
    """Tell the phases of powder patterns: probabilities, mass fractions ± sigma, is it new?"""
    from controller.commands import identifying

    raise typer.Exit(identifying.identify(model, files, wavelength, as_json=json, fast=fast))
