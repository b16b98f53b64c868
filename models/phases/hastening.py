"""An identifier whose networks ONNX Runtime runs."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from models.fast import faster
from models.phases.identifier import Identifier
from models.phases.network import Ensemble


def hastened(identifier: Identifier, cache: Path) -> Identifier:
    """Return the same identifier, its networks run by ONNX Runtime where that is installed.

    For asking only: it can't be saved. Exports are kept in *cache*.
    """
    example = (torch.zeros(2, 2, identifier.grid.count),)
    return replace(
        identifier, ensemble=cast("Ensemble", faster(identifier.ensemble, example, (0,), cache))
    )
