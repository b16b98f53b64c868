"""Tells the phases of a user's powder patterns."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from controller.commands.absorbing import warned_of_missing
from controller.outcome.wording import with_sigma

if TYPE_CHECKING:
    from models.phases.identifier import Identified

BAD_INPUT = 2
SHOWN = 0.02
"""Phases below this probability aren't printed for people."""


def identify(
    model: Path,
    files: Sequence[Path],
    wavelength: str | None,
    *,
    as_json: bool,
    fast: bool = False,
) -> int:
    """Print what the model in *model* sees in *files*, and return the exit code.

    What can't be read is said, and the others are told nevertheless. *fast*: by ONNX Runtime.
    """
    from models.diffraction.radiation import radiation
    from models.diffraction.reading import pattern_files, read_patterns
    from models.errors import PatternError
    from models.phases.store import load_identifier

    measured = None if wavelength is None else radiation(wavelength)
    identifier = load_identifier(model)
    if fast and not warned_of_missing():
        from models.cache import cache_folder
        from models.phases.hastening import hastened

        identifier = hastened(identifier, cache_folder() / "onnx")
    failed = 0
    for path in pattern_files(files):
        try:
            for pattern in read_patterns(path):
                found = identifier.identify(pattern, measured)
                typer.echo(json.dumps(as_object(found)) if as_json else as_text(found))
        except PatternError as error:
            typer.echo(f"heliostat: {error}", err=True)
            failed += 1
    return BAD_INPUT if failed else 0


def as_object(found: "Identified") -> dict[str, Any]:
    """Return *found* as plain JSON."""
    phases = []
    for phase in found.phases:
        entry: dict[str, Any] = {"phase": phase.name, "probability": round(phase.probability, 5)}
        if phase.fraction is not None:
            entry |= {
                "fraction": round(phase.fraction.mean, 5),
                "sigma": round(phase.fraction.sigma, 5),
                "sigma_aleatoric": round(phase.noise, 5),
                "sigma_epistemic": round(phase.model, 5),
            }
        phases.append(entry)
    return {
        "pattern": found.name,
        "present": [phase.name for phase in found.present],
        "set_probability": round(found.probability, 5),
        "phases": phases,
        "verdict": found.quality.verdict.value,
        "reasons": list(found.quality.reasons),
        "scores": {name: round(value, 5) for name, value in found.quality.scores.items()},
        "displacement_deg": round(found.displacement_deg, 4),
    }


def as_text(found: "Identified") -> str:
    """Return *found* for people."""
    lines = [f"{found.name}: {found.quality.verdict.value}, set {found.probability:.0%} sure"]
    for phase in found.phases:
        if phase.fraction is not None:
            amount = with_sigma(phase.fraction.mean, phase.fraction.sigma)
            lines.append(f"  {phase.name:<28} {amount} by mass, {phase.probability:.1%} sure")
        elif phase.probability >= SHOWN:
            lines.append(f"  {phase.name:<28} not taken, {phase.probability:.1%}")
    lines += [f"  {reason}" for reason in found.quality.reasons]
    return "\n".join(lines)
