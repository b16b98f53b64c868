"""Trains an identifier of phases on a user's own CIF files."""

import time
from dataclasses import dataclass
from pathlib import Path

import typer

from controller.commands.bars import bar


@dataclass(frozen=True, slots=True)
class PhaseWishes:
    """What the patterns will be measured with and over, and how long to train."""

    wavelength: str
    two_theta: tuple[float, float]
    minutes: float
    seed: int


POINTS_PER_DEGREE = 22.75
"""Of the model's axis: 2048 points from 10 to 100 degrees."""
MOST_POINTS, LEAST_POINTS = 4096, 512


def train_phases(cifs: Path, out: Path, wishes: PhaseWishes, *, force: bool) -> None:
    """Train an identifier of the phases in *cifs* and write it to *out*."""
    from models.diffraction.grid import Grid
    from models.diffraction.phase import read_phases
    from models.diffraction.radiation import radiation
    from models.errors import PatternError, StructureError
    from models.phases.budget import learning_for
    from models.phases.learning import learn
    from models.phases.store import hashes, save_identifier
    from models.saved import refuse_taken

    refuse_taken(out, force=force)
    light = radiation(wishes.wavelength)
    start, stop = wishes.two_theta
    points = round((stop - start) * POINTS_PER_DEGREE)
    try:
        grid = Grid(start, stop, min(max(points, LEAST_POINTS), MOST_POINTS))
    except ValueError as error:
        raise PatternError(f"--two-theta: {error}") from error
    phases = read_phases(cifs, light, grid.least_d(light.wavelength))
    if len(phases) < 2:
        raise StructureError(f"{cifs}: holds one phase; there is nothing to tell apart")
    learning = learning_for(wishes.minutes, len(phases), wishes.seed)
    begun = time.process_time()
    with bar(f"{len(phases)} phases") as tell:
        learnt = learn(
            phases, grid, light, learning, lambda part: tell(round(1000 * part), 1000, "")
        )
    seconds = time.process_time() - begun
    files = sorted(p for p in cifs.glob("*") if p.suffix.lower() in {".cif", ".mcif"})
    save_identifier(out, learnt, learning, hashes(files), force=force)
    figures = learnt.figures
    typer.echo(
        f"{out}: {len(phases)} phases in {seconds:.0f} CPU s; on {figures['scans']:.0f} simulated "
        f"scans {figures['exact_set']:.1%} of the sets exact, AUROC of something new "
        f"{figures['novelty_auroc']:.3f}"
    )
