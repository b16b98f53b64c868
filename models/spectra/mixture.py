"""What a set of references looks like in a frame: means, spread of repeats, neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ReferenceSetError
from models.spectra.edge import Edge, find_edge
from models.spectra.frame import Frame, cut, make_frame
from models.spectra.references import ReferenceSet
from models.spectra.scatter import left_over, strays
from models.spectra.spectrum import FloatArray

ALIGN_EV = 3.0
"""Repeats from two beamlines are aligned within this."""

USUAL_SHIFT_EV = 0.05
"""Scans of one beamtime agree to about this."""

LEAST_BEFORE_EV, LEAST_AFTER_EV = 10.0, 25.0
"""A scan must start this much before the edge and end this much after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """The references in one frame.

    *scans* (n x f) are all of them in the fine bins: normalised over the whole range that the
    references share, then as *frame* does. *owner* (n) is the index of the label of each,
    *steps* (n) the edge step that *frame* gives to a reference of unit step, *means* (k x f) the
    means of the repeats and *label_steps* (k) of their steps. *strays* and *left_over* (k) say how
    far a new spectrum of each label may be from its mean, see ``scatter``.
    """

    references: ReferenceSet
    widest: Frame
    frame: Frame
    kept: slice
    scans: FloatArray
    owner: NDArray[np.int64]
    steps: FloatArray
    means: FloatArray
    label_steps: FloatArray
    strays: tuple[FloatArray, ...]
    left_over: FloatArray

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the fractions."""
        return self.references.labels

    def moved(self, shifts: Sequence[float] | FloatArray) -> FloatArray:
        """Return the references with unit edge step, moved by *shifts* (eV), in the bins of
        *frame* (s x n x g)."""
        return moved(self.references, self.widest, shifts)[:, :, self.kept]


def common_edge(references: ReferenceSet) -> float:
    """Return the median edge energy of *references* (eV); ReferenceSetError for a broken one."""
    return float(np.median([edge.e0 for edge in _edges(references)]))


def common_half(references: ReferenceSet) -> tuple[float, float]:
    """Return the lowest and the highest half-height energy of *references* (eV)."""
    halves = [edge.half for edge in _edges(references)]
    return min(halves), max(halves)


def _edges(references: ReferenceSet) -> list[Edge]:
    found = []
    for spectrum in (s for group in references.spectra.values() for s in group):
        edge, reason = find_edge(spectrum)
        if edge is None:
            raise ReferenceSetError(
                f"{spectrum.name}: {reason}; leave this reference out or replace it"
            )
        found.append(edge)
    return found


def common_span(references: ReferenceSet, e0: float) -> tuple[float, float]:
    """Return the range (eV relative to *e0*) that all references cover."""
    spectra = [s for group in references.spectra.values() for s in group]
    first = max(spectra, key=lambda s: s.energy[0])
    last = min(spectra, key=lambda s: s.energy[-1])
    low, high = float(first.energy[0]) - e0, float(last.energy[-1]) - e0
    if low > -LEAST_BEFORE_EV or high < LEAST_AFTER_EV:
        raise ReferenceSetError(
            f"the references' edge is at {e0:.1f} eV; together they cover "
            f"{first.energy[0]:.1f} ({first.name}) to {last.energy[-1]:.1f} eV ({last.name}); "
            f"needed are {LEAST_BEFORE_EV:g} eV before and {LEAST_AFTER_EV:g} eV after the edge"
        )
    return low, high


def make_basis(
    references: ReferenceSet, e0: float, span: tuple[float, float] | None = None
) -> Basis:
    """Return *references* in the frame around *e0* over *span* (eV relative to e0; or all)."""
    widest = make_frame(e0, *common_span(references, e0))
    frame, kept = cut(widest, *(span or widest.span))
    normal, steps = frame.normalise(moved(references, widest, [0.0])[0][:, kept])
    scans = normal[:, frame.fine]
    owner = np.array([k for k, g in enumerate(references.spectra.values()) for _ in g])
    members = [owner == k for k in range(len(references.labels))]
    means = np.stack([scans[member].mean(axis=0) for member in members])
    label_steps = np.array([steps[member].mean() for member in members])
    return Basis(
        references,
        widest,
        frame,
        kept,
        scans,
        owner,
        steps,
        means,
        label_steps,
        strays(scans, owner, means),
        left_over(_aligned(references, widest, frame, kept), owner, means),
    )


def _aligned(references: ReferenceSet, widest: Frame, frame: Frame, kept: slice) -> FloatArray:
    """Return the normalised references (n x f), each moved to the first repeat of its label."""
    shifts = np.arange(-ALIGN_EV, ALIGN_EV + 1e-9, 0.1)
    every = moved(references, widest, shifts)[:, :, kept]
    chosen: list[FloatArray] = []
    first = 0
    for group in references.spectra.values():
        for index in range(first, first + len(group)):
            normal = frame.normalise(every[:, index])[0][:, frame.fine]
            target = chosen[first] if index > first else normal[shifts.size // 2]
            chosen.append(normal[int(np.argmin(((normal - target) ** 2).sum(axis=1)))])
        first += len(group)
    return np.stack(chosen)


def misalignment(basis: Basis) -> float:
    """Return by how much energies of single scans differ, as a standard deviation (eV).

    From the shift that brings each repeat to the mean of its label; ``USUAL_SHIFT_EV`` counts
    as two more repeats.
    """
    shifts = np.arange(-1.5, 1.51, 0.05)
    moved_scans = basis.moved(shifts)
    squares = [USUAL_SHIFT_EV**2] * 2
    for index, label in enumerate(basis.owner):
        others = (basis.owner == label) & (np.arange(basis.owner.size) != index)
        if others.any():
            target = moved_scans[shifts.size // 2, others].mean(axis=0)
            misfit = ((moved_scans[:, index] - target) ** 2)[:, basis.frame.fine].mean(axis=1)
            # two scans that differ by d both stray by d/√2 from the truth
            share = others.sum() / (others.sum() + 1.0)
            squares.append(share * float(shifts[int(np.argmin(misfit))]) ** 2)
    return float(np.sqrt(np.mean(squares)))


def moved(
    references: ReferenceSet, widest: Frame, shifts: Sequence[float] | FloatArray
) -> FloatArray:
    """Return all references, moved by *shifts* (eV), with the edge step that they have unmoved
    as unit, in the bins of *widest* (s x n x g)."""
    columns = []
    for spectrum in (s for group in references.spectra.values() for s in group):
        mu = widest.resample(spectrum, np.concatenate([[0.0], np.asarray(shifts)]))
        unit = float(widest.step @ mu[0])
        columns.append(mu[1:] @ widest.numerator.T / unit)
    return np.stack(columns, axis=1)
