"""Identifiers in a folder: see models/saved.py. The phases' lines are kept with the weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from models.diffraction.grid import Grid
from models.diffraction.phase import Phase
from models.diffraction.radiation import Radiation
from models.errors import ModelFileError
from models.phases.evidence import NOVELTY_EVIDENCE, PHASE_EVIDENCE, Judge
from models.phases.identifier import Calibration, Identifier
from models.phases.learning import HIDDEN, Learning, Learnt
from models.phases.network import Ensemble
from models.saved import Card, load, save

KIND = "phases"
LINES = ("d", "hkl", "strength", "strain", "texture")
LIBRARIES = ("torch", "numpy", "scipy", "gemmi")


def save_identifier(
    folder: Path,
    learnt: Learnt,
    learning: Learning,
    data: Mapping[str, str],
    *,
    force: bool = False,
) -> None:
    """Write what was learnt to *folder*; *data* are hashes of the CIF files by name."""
    identifier, training = learnt.identifier, learning.training
    grid = identifier.grid
    options: dict[str, Any] = {
        "grid": asdict(grid),
        "radiation": asdict(identifier.radiation),
        "members": training.members,
        "hidden": training.hidden,
        "calibration": asdict(identifier.calibration),
        "phases": [{"name": p.name, "mass": p.mass, "volume": p.volume} for p in identifier.phases],
        "steps": training.steps,
        "batch": training.batch,
        "scans": learning.scans,
    }
    card = Card(
        kind=KIND,
        seed=training.seed,
        options=options,
        ranges={
            "two_theta_deg": (grid.start, grid.stop),
            **training.conditions.ranges(),
            "fraction": (training.recipe.least, 1.0),
            "phases": (1.0, float(len(training.recipe.numbers))),
        },
        calibration=learnt.table,
        data=dict(data),
        versions={name: version(name) for name in LIBRARIES},
        figures=learnt.figures,
    )
    weights = {
        **_prefixed("ensemble", identifier.ensemble.state_dict()),
        **_prefixed("present", identifier.present.state_dict()),
        **_prefixed("novel", identifier.novel.state_dict()),
    }
    for number, phase in enumerate(identifier.phases):
        weights |= {f"phase{number}.{n}": torch.tensor(getattr(phase, n)) for n in LINES}
    save(folder, card, weights, force=force)


def load_identifier(folder: Path) -> Identifier:
    """Return the identifier in *folder*; ModelFileError where there is none."""
    card, weights = load(folder, KIND)
    try:
        options = card.options
        phases = [
            Phase(**{**entry, **{n: weights[f"phase{k}.{n}"].numpy() for n in LINES}})
            for k, entry in enumerate(options["phases"])
        ]
        grid = Grid(**options["grid"])
        shape = (grid.count, len(phases), int(options["members"]), int(options["hidden"]))
        calibration = dict(options["calibration"])
        calibration["alarms"] = tuple(calibration["alarms"])
        with torch.random.fork_rng(devices=[]):
            ensemble = Ensemble(*shape)
            present = Judge(len(PHASE_EVIDENCE), HIDDEN)
            novel = Judge(len(NOVELTY_EVIDENCE), 0)
        parts = {"ensemble": ensemble, "present": present, "novel": novel}
        for name, module in parts.items():
            module.load_state_dict(_part(name, weights))
            module.eval()
        return Identifier(
            phases,
            grid,
            Radiation(**options["radiation"]),
            ensemble,
            present,
            novel,
            Calibration(**calibration),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(
            f"{folder}: isn't a model of phases: {error}; train it again"
        ) from error


def hashes(paths: list[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _prefixed(name: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{name}.{key}": value for key, value in weights.items()}


def _part(name: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    head = f"{name}."
    return {key[len(head) :]: v for key, v in weights.items() if key.startswith(head)}
