"""Which reflections are equivalent, and how a cell may strain without losing its symmetry.

Found from the metric and the intensities themselves, so that a structure written without its
symmetry (all atoms listed, P 1, as computed structures often are) is treated as the crystal it is.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.diffraction.radiation import FloatArray

IntArray = NDArray[np.int64]

METRIC_TOLERANCE = 1e-3
"""Cells whose edges agree to this have the symmetry, as far as it can be measured."""
INTENSITY_TOLERANCE = 5e-3
"""Largest difference of equivalent |F|², as part of the strongest."""


def laue_operations(metric: FloatArray, hkl: IntArray, square: FloatArray) -> list[IntArray]:
    """Return the matrices W (3 x 3), h' = h W, that leave *metric* and |F|² as they are.

    *square* (n) is |F|² of *hkl* (n x 3), a half space without its Friedel mates. Inversion is
    understood and one of each pair ±W returned.
    """
    known = {tuple(h): f for h, f in zip(hkl.tolist(), square.tolist(), strict=True)}
    strongest = np.argsort(-square)[: min(80, len(square))]
    limit = INTENSITY_TOLERANCE * float(square.max())
    found = []
    for operation in _metric_operations(metric):
        images = hkl[strongest] @ operation
        if all(
            abs(known.get(tuple(h), known.get(tuple(-x for x in h), np.inf)) - f) <= limit
            for h, f in zip(images.tolist(), square[strongest].tolist(), strict=True)
        ):
            found.append(operation)
    return found


def _metric_operations(metric: FloatArray) -> list[IntArray]:
    """Return the integer matrices W of determinant 1 with W^T G W = G; they act on columns."""
    steps = np.array(list(product(range(-2, 3), repeat=3)))
    lengths = np.einsum("ni,ij,nj->n", steps, metric, steps)
    choices = [
        steps[np.abs(lengths - metric[k, k]) < METRIC_TOLERANCE * metric[k, k]] for k in range(3)
    ]
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    out = []
    for first, second in product(choices[0], choices[1]):
        if abs(first @ metric @ second - metric[0, 1]) > METRIC_TOLERANCE * scale[0, 1]:
            continue
        for third in choices[2]:
            off = np.array([first, second]) @ metric @ third - metric[:2, 2]
            operation = np.stack([first, second, third], axis=1)
            if (np.abs(off) <= METRIC_TOLERANCE * scale[:2, 2]).all() and round(
                float(np.linalg.det(operation))
            ) == 1:
                out.append(operation)
    return out


def families(hkl: IntArray, operations: list[IntArray]) -> tuple[IntArray, IntArray]:
    """Return of which family (n) each of *hkl* (n x 3) is, and one member of each (r x 3)."""
    images = np.stack([hkl @ operation for operation in operations])
    both = np.concatenate([images, -images])
    base = 2 * int(np.abs(both).max()) + 1
    keys = (both @ np.array([base * base, base, 1])).max(axis=0)
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    return member, hkl[first]


def strain_modes(metric: FloatArray, operations: list[IntArray], hkl: IntArray) -> FloatArray:
    """Return how the strains that keep the symmetry move lines: q (k x r), 1 to 6 modes.

    1/d² becomes (1 - 2 sum_k e_k q_k) / d². The first mode is isotropic (q = 1), the others
    are free of it, with |q| up to 1.
    """
    inverse = np.linalg.inv(metric)
    symmetric = np.zeros((6, 3, 3))
    for k, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        scale = np.sqrt(inverse[i, i] * inverse[j, j])
        symmetric[k, i, j] = symmetric[k, j, i] = scale
    # h' = h W keeps h G* h^T, so a change B of G* is averaged as W B W^T
    mean = np.mean([np.einsum("ij,kjl,ml->kim", w, symmetric, w) for w in operations], axis=0)
    lengths = np.einsum("ri,ij,rj->r", hkl, inverse, hkl)
    responses = np.einsum("ri,kij,rj->kr", hkl, mean, hkl) / lengths
    return _independent(responses)


def _independent(responses: FloatArray) -> FloatArray:
    """Return the isotropic mode and a basis of what the rest of *responses* (6 x r) can do."""
    count = responses.shape[1]
    rest = responses - responses.mean(axis=1, keepdims=True)
    _, sizes, rows = np.linalg.svd(rest, full_matrices=False)
    kept = [np.ones(count)]
    for size, row in zip(sizes, rows, strict=True):
        if size > 1e-3 * np.sqrt(count):
            kept.append(row / np.abs(row).max())
    return np.array(kept[:6])
