"""Learning whether more is safe, where that promises more than what is known to be safe.

Of all places that may be safe and aren't known to be, those count that promise the most; the safe
place to measure at is the one that tells most of them (goal-oriented safe exploration: Turchetta,
Berkenkamp & Krause, "Safe exploration for interactive machine learning", NeurIPS 2019; after
SafeOpt: Sui, Gotovos, Burdick & Krause, ICML 2015, and StageOpt: Sui, Zhuang, Burdick & Yue, ICML
2018, which enlarge the safe set before, or regardless of, what may be had there).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Acquisition
from agents.fence import Fence, safe

Array = NDArray[np.float64]

CONSIDERED = 256
"""So many safe places, and as many that may be safe, are looked at together."""


@dataclass(frozen=True)
class Expansion:
    """An experiment in the *row* of safe places, worth *value* (a logarithm) for what it opens."""

    row: int
    value: float


def best_expansion(
    gain: Acquisition, fences: Sequence[Fence], inside: Array, around: Array
) -> Expansion | None:
    """Return where of *inside* (m x d, safe) to measure to learn whether more of *around* is safe.

    Worth the expected gain at a place that may be safe, times the share of the constraints'
    variance there that the experiment would take. None where there is nothing to learn.
    """
    beyond = around[~safe(fences, around) & _hopeful(fences, around)]
    if not len(inside) or not len(beyond):
        return None
    gains = gain.values(beyond)
    order = np.argsort(-gains, kind="stable")[:CONSIDERED]
    beyond, gains = beyond[order], gains[order]
    slack = np.min([fence.margins(inside) - fence.reach for fence in fences], axis=0)
    rows = np.sort(np.argsort(slack, kind="stable")[:CONSIDERED])
    learned = np.zeros((len(rows), len(beyond)))
    closed = np.zeros(len(beyond))
    for fence in fences:
        open_ = fence.margins(beyond) <= fence.reach
        learned += np.where(open_, fence.learned(inside[rows], beyond), 0.0)
        closed += open_
    values = gains[None, :] + np.log(np.maximum(learned / closed, 1e-12))
    place = int(values.max(axis=1).argmax())
    return Expansion(int(rows[place]), float(values[place].max()))


def _hopeful(fences: Sequence[Fence], places: Array) -> NDArray[np.bool_]:
    """Return which of *places* (m x d) may be safe, by an optimistic prediction."""
    may = np.ones(len(places), dtype=bool)
    for fence in fences:
        may &= fence.margins(places) > -fence.reach
    return may
