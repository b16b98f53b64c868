"""Whether absorption scans in files are good."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from controller.commands.absorbing import require_free
from controller.commands.bars import bar
from models.errors import SpectrumError
from models.spectra.columns import Layout


def train(scans: Path, out: Path, seed: int, *, force: bool) -> None:
    """Train on the labelled *scans*, write the model to *out* and print how well it does."""
    from models.spectra.quality import save_quality
    from models.spectra.quality_training import QualityTraining, train_quality

    require_free(out, force=force)
    with bar("training") as tell:
        model = train_quality(scans, QualityTraining(seed=seed), tell)
    save_quality(out, model, force=force)
    real = model.card.calibration["real"]
    typer.echo(
        f"{out}: of {real['count']} scans held back {real['answered']:.1%} are answered, "
        f"{real['accuracy_answered']:.1%} of these as the person did; probabilities are off by "
        f"{real['ece']:.3f}"
    )


def grade(files: Sequence[Path], model: Path | None, how: Layout, *, as_json: bool) -> None:
    """Print what is said of each scan in *files*, as JSON or in words."""
    for found in _graded(files, model, how):
        typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _in_words(found))


def _graded(files: Sequence[Path], model: Path | None, how: Layout) -> Iterator[dict[str, Any]]:
    """Yield file, scan, verdict, probability_good, epistemic, distance and reasons of each scan.

    Raises SpectrumError after the last, with every file that could not be read.
    """
    from models.spectra.fitting import expanded
    from models.spectra.quality import SHIPPED, load_quality
    from models.spectra.reading import read_scans

    judge = load_quality(model or SHIPPED)
    unreadable: list[str] = []
    for path in expanded(files):
        try:
            scans = [(scan.name, *scan.points(how.signal)) for scan in read_scans(path, how)]
        except SpectrumError as error:
            unreadable.append(str(error))
            continue
        for name, energy, mu in scans:
            answer = judge.judge(energy, mu)
            yield {
                "file": str(path),
                "scan": name,
                "verdict": answer.grade.value,
                "probability_good": round(answer.probability, 4),
                "epistemic": round(answer.epistemic, 4),
                "distance": round(answer.distance, 3),
                "reasons": list(answer.reasons),
            }
    if unreadable:
        raise SpectrumError("\n".join(unreadable))


def _in_words(found: dict[str, Any]) -> str:
    scan = f", scan {found['scan']}" if found["scan"] else ""
    reasons = f" ({'; '.join(found['reasons'])})" if found["reasons"] else ""
    return (
        f"{found['file']}{scan}: {found['verdict']}, good with probability "
        f"{found['probability_good']:.3f}{reasons}"
    )
