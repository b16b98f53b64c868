"""Combinatorial libraries that are made up: phases, tie triangles, and patterns with their faults.

What is stable where follows from formation energies: the lower convex hull over the composition
triangle, and the lever rule inside each of its facets (Gibbs' phase rule: at most three phases).
Lines move with composition (alloying strains the lattice), texture changes their heights from spot
to spot, and what is left of an amorphous halo and of counting noise is in every pattern.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

Array = NDArray[np.float64]

LOWEST, HIGHEST = 12.0, 45.0
"""Range of a pattern: q in nm^-1."""
BINS = 600


@dataclass(frozen=True, slots=True)
class LibraryFaults:
    """What is not ideal: relative or absolute sizes, one standard deviation unless said otherwise.

    ``strain`` is the largest relative change of a lattice across its field, ``texture`` the
    scatter of the logarithm of each line's height, ``noise`` that of a bin as a part of the
    highest line, ``halo`` the height of the amorphous halo.
    """

    strain: float = 0.006
    texture: float = 0.4
    noise: float = 0.02
    halo: float = 0.05


@dataclass(frozen=True, slots=True)
class Library:
    """Spots (n) of a wafer with all that is true of them.

    ``composition`` (n x 3) are cation fractions, ``patterns`` (n x f) intensities at ``q``
    (f, nm^-1), ``fractions`` (n x p) how much of each phase is there; rows sum to 1.
    """

    composition: Array
    q: Array
    patterns: Array
    fractions: Array


def made_up(
    seed: int, spots: int = 300, phases: int = 8, faults: LibraryFaults | None = None
) -> Library:
    """Return the library of *seed*: *spots* spread over the triangle, of about *phases* phases."""
    random = np.random.default_rng(seed)
    faults = faults or LibraryFaults()
    corners, triangles = _hull(random, phases)
    composition = random.dirichlet(np.ones(3), spots) * 0.94 + 0.02
    fractions = _lever_rule(composition, corners, triangles)
    present = fractions.max(0) > 0.05
    fractions = fractions[:, present] / fractions[:, present].sum(1, keepdims=True)
    q = np.linspace(LOWEST, HIGHEST, BINS)
    patterns = _patterns(random, q, composition, corners[present], fractions, faults)
    return Library(composition, q, patterns, fractions)


def _hull(random: np.random.Generator, phases: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the compositions of phases (p x 3) and the triangles of those that coexist (t x 3)."""
    inner = np.maximum(random.dirichlet(np.ones(3), max(phases - 3, 1)), 0.0)
    inner = np.round(inner * 8) / 8  # compounds have simple formulas
    inner[:, 2] = 1.0 - inner[:, 0] - inner[:, 1]
    corners = np.unique(np.vstack([np.eye(3), inner]), axis=0)
    mixing = 1.0 - np.square(corners).sum(1)
    energies = -mixing * random.uniform(0.8, 1.2, len(corners))
    hull = ConvexHull(np.column_stack([corners[:, :2], energies]))
    below = hull.simplices[hull.equations[:, 2] < -1e-9]
    return np.asarray(corners), below.astype(np.int64)


def _lever_rule(composition: Array, corners: Array, triangles: NDArray[np.int64]) -> Array:
    """Return how much of each phase (n x p) a mixture of *composition* (n x 3) comes to."""
    best = np.full(len(composition), -np.inf)
    fractions = np.zeros((len(composition), len(corners)))
    for triangle in triangles:
        if abs(np.linalg.det(corners[triangle])) < 1e-9:
            continue
        parts = np.linalg.solve(corners[triangle].T, composition.T).T
        inside = parts.min(1) > best
        best[inside] = parts[inside].min(1)
        fractions[inside] = 0.0
        fractions[np.ix_(inside, triangle)] = np.maximum(parts[inside], 0.0)
    return np.asarray(fractions / fractions.sum(1, keepdims=True))


def _patterns(
    random: np.random.Generator,
    q: Array,
    composition: Array,
    corners: Array,
    fractions: Array,
    faults: LibraryFaults,
) -> Array:
    n = len(composition)
    halo = np.exp(-0.5 * np.square((q - 20.0) / 3.0))
    found = random.uniform(0.0, 2.0 * faults.halo, n)[:, None] * halo
    for phase, corner in enumerate(corners):
        count = int(random.integers(8, 22))
        lines = np.sort(random.uniform(LOWEST + 1.0, HIGHEST - 1.0, count))
        heights = random.exponential(1.0, count) + 0.05
        heights /= heights.max()
        width = random.uniform(0.10, 0.22)
        away = composition - corner
        strain = 1.0 + faults.strain * np.clip(away @ random.normal(0.0, 1.5, 3), -1.0, 1.0)
        preferred = np.exp(faults.texture * _smooth(random, composition, count))
        for line, height, texture in zip(lines, heights, preferred.T, strict=True):
            at = (q[None, :] - line * strain[:, None]) / width
            part = fractions[:, phase] * height * texture
            found += part[:, None] / (1.0 + np.square(at)) ** 1.5
    found /= found.max(1, keepdims=True)
    return np.maximum(found + random.normal(0.0, faults.noise, found.shape), 0.0)


def _smooth(random: np.random.Generator, composition: Array, count: int) -> Array:
    """Return *count* fields of unit variance over *composition* (n x count), half of it smooth."""
    waves = random.normal(0.0, 4.0, (3, count))
    smooth = np.sqrt(2.0) * np.sin(composition @ waves + random.uniform(0.0, 6.28, count))
    return np.asarray((smooth + random.normal(size=smooth.shape)) / np.sqrt(2.0))
