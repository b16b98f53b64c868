"""Trained ensembles, kept in a folder by the hash of what they were trained on."""

import os
import pickle
import tempfile
from pathlib import Path

import torch

from models.spectra.ensemble import Ensemble, Network, train
from models.spectra.fingerprint import fingerprint
from models.spectra.mixture import Basis
from models.spectra.training import Training

_UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    pickle.UnpicklingError,
)
"""What torch raises for a file that holds something else."""


def ensemble_for(basis: Basis, training: Training, folder: Path) -> Ensemble:
    """Return the ensemble for *basis*: from *folder* if it is there, else trained and put there.

    A file that can't be read, or a folder that can't be written, costs a training and no more.
    """
    path = folder / f"xanes-{_key(basis, training)}.pt"
    return _load(path, basis, training) or _save(train(basis, training), path)


def _key(basis: Basis, training: Training) -> str:
    span = ",".join(f"{x:.6g}" for x in basis.frame.span)
    return fingerprint(basis.references, span, repr(training), torch.__version__)[:40]


def _load(path: Path, basis: Basis, training: Training) -> Ensemble | None:
    bins = basis.frame.fine.stop - basis.frame.fine.start
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        network = Network(bins, len(basis.labels), training)
    try:
        network.load_state_dict(torch.load(path, weights_only=True))
    except _UNREADABLE:
        return None
    finite = all(bool(torch.isfinite(values).all()) for values in network.state_dict().values())
    return Ensemble(network, training) if finite else None


def _save(ensemble: Ensemble, path: Path) -> Ensemble:
    """Write beside *path* and rename, so that a reader sees all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:
        return ensemble
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save(ensemble.network.state_dict(), stream)
        part.replace(path)
    except (OSError, RuntimeError):  # torch.save says RuntimeError when the disk is full
        part.unlink(missing_ok=True)
    return ensemble
