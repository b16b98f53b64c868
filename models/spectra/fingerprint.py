"""What a trained model stands on, as one hash."""

import hashlib

import numpy as np

from models.spectra.references import ReferenceSet

VERSION = "2"
"""Raised whenever the same references would give another model."""

CHANGED_ABOVE = 4
"""Models of more labels are trained on sparser mixtures than those of this version once were."""


def fingerprint(references: ReferenceSet, *extra: str) -> str:
    """Return the SHA-256 (hex) of the references' labels and points, this version and *extra*."""
    digest = hashlib.sha256()
    for word in (VERSION, *extra):
        digest.update(word.encode() + b"\0")
    if len(references.labels) > CHANGED_ABOVE:
        digest.update(b"sparse\0")
    for label, spectra in references.spectra.items():
        digest.update(label.encode() + b"\0")
        for spectrum in spectra:
            for column in (spectrum.energy, spectrum.mu):
                digest.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
    return digest.hexdigest()
