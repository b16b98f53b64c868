"""How image models are kept: members' weights, and numbers found after the training.

Weights are kept, and rounded once trained, in half precision: a small folder, the same numbers.
"""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import ModelFileError
from models.images.training import Effort
from models.saved import Card, load, save


@dataclass(frozen=True, slots=True)
class Kept:
    """What a trained image model is, apart from its networks: everything that its card says.

    *constants* are numbers found after the training: temperatures, limits.
    """

    kind: str
    effort: Effort
    constants: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


def keep(folder: Path, kept: Kept, members: nn.ModuleList, *, force: bool = False) -> None:
    """Write the model to *folder*; ModelFileError when it can't be."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    versions["numpy"] = np.__version__
    versions["heliostat"] = metadata.version("heliostat") if _installed() else "source"
    card = Card(
        kind=kept.kind,
        seed=kept.effort.seed,
        options={"effort": asdict(kept.effort), "constants": dict(kept.constants)},
        ranges=kept.ranges,
        calibration=kept.calibration,
        versions=versions,
        figures=kept.figures,
    )
    half = {name: value.half() for name, value in members.state_dict().items()}
    save(folder, card, half, force=force)


def recall(
    folder: Path, kind: str, make: Callable[[Effort], nn.Module]
) -> tuple[Kept, nn.ModuleList]:
    """Return what ``keep`` wrote; ModelFileError where *folder* holds something else."""
    card, weights = load(folder, kind)
    try:
        effort = Effort(**card.options["effort"])
        constants = {name: float(value) for name, value in card.options["constants"].items()}
        members = nn.ModuleList(make(effort) for _ in range(effort.members))
        members.load_state_dict(weights)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{folder}: card and weights don't make a model of kind {kind!r} "
            f"({str(error).splitlines()[0]}); train it again"
        ) from error
    if not all(_finite(value) for value in weights.values()):
        raise ModelFileError(f"{folder}: holds weights that aren't finite; train it again")
    kept = Kept(kind, effort, constants, card.ranges, card.calibration, card.figures)
    return kept, members.eval()


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _installed() -> bool:
    try:
        metadata.version("heliostat")
    except metadata.PackageNotFoundError:
        return False
    return True
