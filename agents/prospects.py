"""From beliefs to an acquisition: the incumbents, what is supposed of them, the terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.acquisition import Acquisition, Feasibility, Improvement, Total
from agents.belief import Belief
from agents.hypervolume import HypervolumeImprovement, strips_of, thresholds_of
from agents.outlook import Outlook, drawn, normals_of
from agents.steady import Steady, SteadyOutlook

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]

CERTAIN = 0.02
"""Incumbents known to so many standard deviations of the outcomes are taken as known."""
CONTENDERS = 12
"""So many measured points that may be the best are supposed together."""
STARTS = 3
"""The best measured points, around which a search looks as well (twice as many on a front)."""
WIDE = 3.0
"""Sigma within which a measured point may yet be better than the best mean."""


@dataclass(frozen=True)
class Bound:
    """What is learned of an outcome that must be at most *bound* (*sign* 1), or at least (-1)."""

    belief: Belief
    bound: float
    sign: float = 1.0

    @property
    def modelled(self) -> float:
        """The bound on the surrogate's scale."""
        return self.belief.modelled(self.bound)

    def kept(self, places: Array) -> Bools:
        """Return at which of *places* (m x d) the outcome is expected to keep the bound."""
        mean, _ = self.belief.surrogate.moments(places)
        return np.asarray(self.sign * (self.modelled - mean) >= 0)

    def term(self) -> Feasibility:
        """Return the log probability of keeping the bound."""
        return Feasibility(Outlook.plain(self.belief.process), self.modelled, self.sign)


@dataclass(frozen=True)
class Question:
    """What is asked of beliefs: *pending* points (m x d, unit cube), draws and their seed."""

    pending: Array
    samples: int
    stream: int


def improvement(belief: Belief, bounds: Sequence[Bound], asked: Question) -> Acquisition:
    """Return the log expected improvement of *belief* times the probability of keeping *bounds*.

    Over the best that is expected among the measured points that are expected to keep the
    bounds; where none does, over the worst.
    """
    if isinstance(belief.surrogate, Steady):
        return _by_means(belief, belief.surrogate, bounds, asked)
    process, aim = belief.process, belief.aim
    inputs = process.training.inputs
    kept = _kept(bounds, inputs)
    mean, sigma = process.moments(inputs)
    worth = aim.worth(mean)
    incumbent = float(worth[kept].max()) if kept.any() else float(worth.min())
    able = kept & (worth + WIDE * sigma >= incumbent)
    places, counted = _supposed(inputs, able, worth + sigma, sigma, bounds, asked)
    if len(places):
        draws = drawn(process, places, normals_of(len(places), asked.samples, asked.stream))
        outlook = Outlook.supposing(process, places, draws)
        supposed = np.where(counted[:, None], aim.worth(draws), -np.inf).max(axis=0)
        rest = _rest(inputs, places, kept)
        floor = float(worth[rest].max()) if rest.any() else float(worth.min())
        best = np.maximum(supposed, floor)
    else:
        outlook, best = Outlook.plain(process), np.array([incumbent])
    return _all((Improvement(outlook, aim, best), *(bound.term() for bound in bounds)))


def _by_means(
    belief: Belief, surrogate: Steady, bounds: Sequence[Bound], asked: Question
) -> Acquisition:
    """Return the same where no scenario can be supposed: over the best mean of what was measured.

    Pending experiments count as if they had come out as expected.
    """
    inputs = surrogate.training.inputs
    worth, kept = belief.aim.worth(surrogate.means(inputs)), _kept(bounds, inputs)
    best = float(worth[kept].max()) if kept.any() else float(worth.min())
    if len(asked.pending):
        surrogate = surrogate.imagining(asked.pending, surrogate.means(asked.pending))
    gain = Improvement(SteadyOutlook(surrogate), belief.aim, np.array([best]))
    return _all((gain, *(bound.term() for bound in bounds)))


def _all(terms: Sequence[Acquisition]) -> Acquisition:
    return terms[0] if len(terms) == 1 else Total(terms)


def _kept(bounds: Sequence[Bound], places: Array) -> Bools:
    kept = np.ones(len(places), dtype=bool)
    for bound in bounds:
        kept &= bound.kept(places)
    return kept


def _supposed(
    inputs: Array,
    able: Bools,
    hope: Array,
    sigma: Array,
    bounds: Sequence[Bound],
    asked: Question,
) -> tuple[Array, Bools]:
    """Return the places (q x d) whose outcomes are to be supposed, and which count as incumbents.

    Pending ones, and measured ones that may be the best where that isn't certain.
    """
    rows = np.flatnonzero(able)
    if len(rows) and sigma[rows].max() > CERTAIN:
        rows = np.sort(rows[np.argsort(-hope[rows], kind="stable")[:CONTENDERS]])
    else:
        rows = rows[:0]
    pending = asked.pending
    places = np.vstack([inputs[rows], pending]) if len(pending) else inputs[rows]
    counted = np.ones(len(places), dtype=bool)
    if len(pending):
        counted[len(rows) :] = _kept(bounds, pending)
    return places, counted


def _rest(inputs: Array, places: Array, kept: Bools) -> Bools:
    """Return which of *inputs* are *kept* and not among *places*."""
    among = (inputs[:, None, :] == places[None, :, :]).all(axis=2).any(axis=1)
    return np.asarray(kept & ~among)


def hypervolume(
    beliefs: tuple[Belief, Belief],
    thresholds: Sequence[float | None],
    bounds: Sequence[Bound],
    asked: Question,
) -> Acquisition:
    """Return the log expected gain of the volume that two outcomes dominate, above *thresholds*.

    *thresholds* in the objectives' units; None has them inferred from the front so far.
    """
    first, second = (belief.process for belief in beliefs)
    aims = (beliefs[0].aim, beliefs[1].aim)
    inputs = first.training.inputs
    inputs = inputs[_kept_or_all(bounds, inputs)]
    worths, limits = limits_of(beliefs, thresholds, bounds)
    moments = [process.moments(inputs) for process in (first, second)]
    sigma = np.stack([sigma for _, sigma in moments], 1)
    rows = _contenders(worths, sigma)
    places = np.vstack([inputs[rows], asked.pending]) if len(asked.pending) else inputs[rows]
    if not len(places):
        outlooks = (Outlook.plain(first), Outlook.plain(second))
        fronts = worths[None, :, :]
    else:
        normals = normals_of(2 * len(places), asked.samples, asked.stream)
        draws = [
            drawn(process, places, part)
            for process, part in zip((first, second), np.split(normals, 2), strict=True)
        ]
        outlooks = (
            Outlook.supposing(first, places, draws[0]),
            Outlook.supposing(second, places, draws[1]),
        )
        supposed = np.stack(
            [aim.worth(draw).T for aim, draw in zip(aims, draws, strict=True)], axis=2
        )
        rest = np.delete(worths, rows, axis=0)
        fronts = np.concatenate([np.repeat(rest[None], len(supposed), axis=0), supposed], axis=1)
    gain = HypervolumeImprovement(outlooks, aims, strips_of(fronts, limits))
    return _all((gain, *(bound.term() for bound in bounds)))


def limits_of(
    beliefs: Sequence[Belief], thresholds: Sequence[float | None], bounds: Sequence[Bound]
) -> tuple[Array, Array]:
    """Return the expected worths (n x k) of what was measured within *bounds*, and thresholds (k).

    Where nothing measured keeps the bounds, of all that was measured.
    """
    inputs = beliefs[0].surrogate.training.inputs
    inputs = inputs[_kept_or_all(bounds, inputs)]
    columns = [belief.aim.worth(belief.surrogate.moments(inputs)[0]) for belief in beliefs]
    worths = np.stack(columns, axis=1)
    limits = thresholds_of(worths)
    for place, (belief, stated) in enumerate(zip(beliefs, thresholds, strict=True)):
        if stated is not None:
            limits[place] = belief.aim.worth(np.array([belief.modelled(stated)]))[0]
    return worths, limits


def _kept_or_all(bounds: Sequence[Bound], places: Array) -> Bools:
    kept = _kept(bounds, places)
    return kept if kept.any() else np.ones_like(kept)


def promising(beliefs: Sequence[Belief], bounds: Sequence[Bound], places: Array) -> list[int]:
    """Return the rows of *places* (m x d) that are believed to be the best, within *bounds*.

    With several beliefs, rows spread over the front.
    """
    rows = np.flatnonzero(_kept_or_all(bounds, places))
    columns = [belief.aim.worth(belief.surrogate.moments(places[rows])[0]) for belief in beliefs]
    worths = np.stack(columns, axis=1)
    if len(beliefs) == 1:
        return [int(row) for row in rows[np.argsort(-worths[:, 0], kind="stable")[:STARTS]]]
    front = [row for row, worth in zip(rows, worths, strict=True) if _unbeaten(worth, worths)]
    front.sort(key=lambda row: float(worths[np.searchsorted(rows, row), 0]))
    chosen = np.unique(np.linspace(0, len(front) - 1, 2 * STARTS).round().astype(int))
    return [int(front[place]) for place in chosen]


def _unbeaten(worth: Array, worths: Array) -> bool:
    beating = (worths >= worth).all(axis=1) & (worths > worth).any(axis=1)
    return not bool(np.any(beating))


def _contenders(worths: Array, sigma: Array) -> Indices:
    """Return the rows of *worths* (n x 2) whose place on the front isn't certain."""
    hopeful = worths + sigma
    least = hopeful + sigma
    beaten = np.all(worths[None, :, :] >= least[:, None, :], axis=2)
    rows = np.flatnonzero(~np.any(beaten, axis=1))
    if not len(rows) or sigma[rows].max() <= CERTAIN:
        return rows[:0]
    order = np.argsort(-hopeful[rows].sum(axis=1), kind="stable")
    return np.sort(rows[order[: 2 * CONTENDERS]])
