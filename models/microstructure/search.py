"""Bayesian optimisation over a space of microstructures, and which space is the better one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch

from models.microstructure.errors import MicrostructureError
from models.microstructure.spaces import Space
from models.surrogates.gaussian import GaussianProcess, fit
from models.surrogates.training import Array, Training

Worth = Callable[[torch.Tensor], Array]
"""Images (m x n x n) to what they are worth (m)."""

FIRST = 10
"""Points before a surrogate is asked."""
LEAST_PAIRS = 4
REFIT = 5
"""Evaluations from one search for hyperparameters to the next; in between they are polished."""
CANDIDATES = 1500
NEAR = 0.08
"""Standard deviation of candidates about the best points, in parts of the cube."""
DRAWS, PLACES = 400, 400
"""Functions drawn from each surrogate, and points at which their maxima are taken."""
SURE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What was tried, in order: *points* (n x d) and their *outcomes* (n).

    *noise* is the variance of outcomes at one point, from points that were tried twice.
    """

    space: Space
    points: Array
    outcomes: Array
    noise: float = 0.0

    @property
    def best_so_far(self) -> Array:
        """The highest outcome after each evaluation (n)."""
        return np.maximum.accumulate(self.outcomes)

    def recommended(self) -> Array:
        """Return the point tried (d) that is expected to be best: one outcome may be luck."""
        model, _ = _surrogate(self)
        return np.asarray(self.points[int(np.argmax(model.means(self.points)))])


class Better(StrEnum):
    """Where to search."""

    FIRST = "first"
    SECOND = "second"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two spaces holds the better best: the *probability* that it is the first, and how
    far apart the bests are (*gain* of the first, mean and standard deviation)."""

    better: Better
    probability: float
    gain: float
    gain_sigma: float


def random_search(space: Space, worth: Worth, budget: int, seed: int) -> Search:
    """Return *budget* evaluations at random points."""
    points = np.random.default_rng(seed).random((budget, space.dimension))
    return Search(space, points, _tried(space, worth, points, seed, 0))


def bayesian_search(
    space: Space, worth: Worth, budget: int, seed: int, begun: Search | None = None
) -> Search:
    """Return *budget* evaluations, each but the first few where most is to be gained (expected
    improvement over the best mean); *begun* is gone on with, its evaluations count.

    The same for the same arguments. Raises MicrostructureError for a budget of none.
    """
    if budget < 1:
        raise MicrostructureError(f"budget: {budget} evaluations; needed is one or more")
    random = np.random.default_rng(seed)
    search = begun or pilot(space, worth, min(FIRST, budget), seed)
    model: GaussianProcess | None = None
    while len(search.outcomes) < budget:
        count = len(search.outcomes)
        model, best = _surrogate(search, None if count % REFIT == 0 else model)
        point = _most_promising(model, best, search.points, random)[None]
        outcome = _tried(space, worth, point, seed, count)
        search = replace(
            search,
            points=np.vstack([search.points, point]),
            outcomes=np.append(search.outcomes, outcome),
        )
    return search


def pilot(space: Space, worth: Worth, count: int, seed: int) -> Search:
    """Return *count* evaluations spread evenly (Sobol); where images vary, each point twice.

    Without repeats, few outcomes are as well explained by no noise at all, and luck by a peak.
    """
    if not space.varies or count < 2 * LEAST_PAIRS:
        points = _sobol(space.dimension, count, seed)
        return Search(space, points, _tried(space, worth, points, seed, 0))
    pairs = count // 2
    points = np.repeat(_sobol(space.dimension, pairs + count % 2, seed), 2, axis=0)[:count]
    outcomes = _tried(space, worth, points, seed, 0)
    apart = outcomes[: 2 * pairs : 2] - outcomes[1 : 2 * pairs : 2]
    return Search(space, points, outcomes, float(np.mean(apart**2)) / 2)


def compare(first: Search, second: Search, seed: int = 0) -> Comparison:
    """Return which space holds the better best, by what was tried in each so far.

    A Gaussian process is fitted to each; functions are drawn from both and their maxima compared
    (over evenly spread points and points near the best ones). It answers only where one maximum is
    higher in 90 % of the draws; otherwise more of both should be tried.
    """
    random = np.random.default_rng(seed)
    tops = [_maxima(search, random) for search in (first, second)]
    ahead = tops[0] - tops[1]
    probability = float(np.mean(ahead > 0))
    better = Better.UNDECIDED
    if probability >= SURE:
        better = Better.FIRST
    elif probability <= 1 - SURE:
        better = Better.SECOND
    return Comparison(better, probability, float(ahead.mean()), float(ahead.std()))


def _maxima(search: Search, random: np.random.Generator) -> Array:
    """Return the maxima (DRAWS) of functions drawn from what is known of *search*."""
    model, _ = _surrogate(search)
    places = _candidates(search, PLACES, random)
    mean, covariance = model.joint(places)
    covariance += 1e-8 * np.eye(len(places))
    factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(places)))
    drawn = mean[:, None] + factor @ random.standard_normal((len(places), DRAWS))
    low, scale = _scale(search.outcomes)
    return np.asarray(low + scale * drawn.max(axis=0))


def _scale(outcomes: Array) -> tuple[float, float]:
    return float(outcomes.mean()), float(outcomes.std()) or 1.0


def _surrogate(
    search: Search, near: GaussianProcess | None = None
) -> tuple[GaussianProcess, float]:
    """Return the process of standardised outcomes, and its best mean at what was tried."""
    points, outcomes = search.points, search.outcomes
    low, scale = _scale(outcomes)
    count, dimension = points.shape
    groups = np.arange(dimension, dtype=np.int64)
    told = Training(
        points, (outcomes - low) / scale, np.full(count, search.noise / scale**2), groups
    )
    model = fit(told, near)
    return model, float(model.means(points).max())


def _most_promising(
    model: GaussianProcess, best: float, points: Array, random: np.random.Generator
) -> Array:
    """Return the candidate (d) with most expected improvement over *best*."""
    from scipy.special import ndtr

    order = np.argsort(model.means(points))[::-1][:5]
    local = points[order][random.integers(len(order), size=CANDIDATES // 2)]
    # a coordinate in two is moved, as steps in all of many seldom lead up
    moved = random.random(local.shape) < max(0.5, 2.0 / local.shape[1])
    local = np.clip(local + moved * NEAR * random.standard_normal(local.shape), 0, 1)
    wide = random.random((CANDIDATES - len(local), points.shape[1]))
    places = np.vstack([local, wide])
    mean, sigma = model.moments(places)
    z = (mean - best) / sigma
    gain = sigma * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
    return np.asarray(places[int(np.argmax(gain))])


def _candidates(search: Search, count: int, random: np.random.Generator) -> Array:
    best = search.points[np.argsort(search.outcomes)[::-1][:5]]
    local = best[random.integers(len(best), size=count // 2)]
    local = np.clip(local + 2 * NEAR * random.standard_normal(local.shape), 0, 1)
    wide = random.random((count - len(local), search.points.shape[1]))
    return np.vstack([local, wide])


def _tried(space: Space, worth: Worth, points: Array, seed: int, first: int) -> Array:
    """Return the outcomes (m) of *points*, the *first* of which is the evaluation of that number;
    a realisation is by its number."""
    outcomes = [
        float(worth(space.images(points[i : i + 1], 100_003 * seed + first + i))[0])
        for i in range(len(points))
    ]
    return np.asarray(outcomes)


def _sobol(dimension: int, count: int, seed: int) -> Array:
    from scipy.stats import qmc

    power = max(int(np.ceil(np.log2(max(count, 2)))), 1)
    drawn = qmc.Sobol(dimension, rng=np.random.default_rng(seed)).random_base2(power)
    return np.asarray(drawn[:count])
