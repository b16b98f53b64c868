"""Which surrogate to trust: by evidence, shown.

What was measured on recorded tables (docs/uncertainty.md): below FEW points a Gaussian process is
best and a forest a cheap second opinion, while networks are far too sure of themselves; above,
and where simulated or earlier data stand behind them, networks are worth a try. Among several the
cross-validated likelihood of what was held out decides, and only a clear difference changes the
first choice.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.surrogates import deep_kernel, dropout, ensemble, forest, gaussian, mixed, quantile
from models.surrogates.folds import FOLDS, out_of_fold
from models.surrogates.posterior import Learner, Surrogate
from models.surrogates.scores import crps, nll, within_90
from models.surrogates.training import Array, FitError, Training

FEW = 200
CLEAR = 1.0
"""A better one must be ahead by so many standard errors of the paired differences."""
LEAST = 8
"""With fewer points nothing is compared."""


@dataclass(frozen=True)
class Certain:
    """A learner without chance: *fit* alone decides, the seed changes nothing."""

    fit: Callable[[Training], Surrogate]

    def __call__(self, training: Training, seed: int) -> Surrogate:
        """Return the surrogate of *training*."""
        return self.fit(training)


LEARNERS: Mapping[str, Learner] = {
    "gp": Certain(gaussian.fit),
    "mixed": Certain(mixed.fit),
    "forest": forest.fit,
    "deep-kernel": deep_kernel.fit,
    "ensemble": ensemble.fit,
    "dropout": dropout.fit,
    "quantile": quantile.fit,
}
"""All that learn from one training set, by the name they have in a campaign file."""


@dataclass(frozen=True, slots=True)
class Score:
    """How a surrogate predicted what it hadn't seen: means over *count* points.

    ``nll`` in nats and ``crps`` in standardised outcomes, less is better; ``covered`` is the part
    inside raw 90 % intervals. ``behind`` is the mean NLL beyond that of the preferred surrogate,
    ``error`` the standard error of that difference.
    """

    name: str
    nll: float
    crps: float
    covered: float
    count: int
    behind: float
    error: float


@dataclass(frozen=True)
class Choice:
    """The surrogate chosen, fitted to everything, and the scores behind the choice, best first.

    ``failed`` says of others why they couldn't be fitted.
    """

    name: str
    surrogate: Surrogate
    reason: str
    scores: tuple[Score, ...] = ()
    failed: tuple[str, ...] = ()


def usual(training: Training, *, rehearsed: bool = False) -> tuple[str, ...]:
    """Return the names of the learners worth comparing on *training*, the preferred one first.

    The mixed process where there are options. Networks from FEW points on, or where the campaign
    was *rehearsed*: simulated or earlier data of its kind have shown that they can be trusted.
    """
    options = bool((np.bincount(training.groups) > 1).any())
    process = "mixed" if options else "gp"
    if len(training.outcomes) < FEW and not rehearsed:
        return process, "forest"
    return process, "forest", "deep-kernel", "ensemble", "dropout"


def choose(training: Training, learners: Mapping[str, Learner], seed: int) -> Choice:
    """Return the best of *learners* on *training*; the first one where none is clearly better.

    By the mean negative log-likelihood of points held out in FOLDS folds: another than the first
    must be better by CLEAR standard errors of the paired differences. Learners that can't be
    fitted are left out and named; FitError where none can, ValueError where there are none.
    """
    if not learners:
        raise ValueError("choice: no learner is given")
    count, failed = len(training.outcomes), {}
    terms: dict[str, tuple[Array, Score]] = {}
    if count >= LEAST and len(learners) > 1:
        for name, learner in learners.items():
            try:
                terms[name] = _scored(name, learner, training, seed)
            except FitError as error:
                failed[name] = f"{name}: {error}"
    scores = _compared(list(terms.values()))
    order = _order(list(learners), scores, failed)
    for name in order:
        try:
            surrogate = learners[name](training, seed)
        except FitError as error:
            failed[name] = f"{name}: {error}"
            continue
        reason = _reason(name, scores, count)
        return Choice(name, surrogate, reason, scores, tuple(failed.values()))
    raise FitError(f"choice: no learner could be fitted: {'; '.join(failed.values())}")


def _scored(name: str, learner: Learner, training: Training, seed: int) -> tuple[Array, Score]:
    """Return the terms of the NLL (n), and the score with nothing to compare with yet."""
    predicted = out_of_fold(learner, training, seed, FOLDS)
    outcomes = training.outcomes
    lost = nll(predicted, outcomes)
    score = Score(
        name,
        float(lost.mean()),
        float(crps(predicted, outcomes).mean()),
        float(within_90(predicted, outcomes).mean()),
        len(outcomes),
        0.0,
        0.0,
    )
    return lost, score


def _compared(terms: list[tuple[Array, Score]]) -> tuple[Score, ...]:
    """Return the scores, each set against the first, the best first."""
    if not terms:
        return ()
    first = terms[0][0]
    compared = []
    for lost, score in terms:
        more = lost - first
        error = float(more.std(ddof=1)) / math.sqrt(len(more))
        compared.append(replace(score, behind=float(more.mean()), error=error))
    return tuple(sorted(compared, key=lambda score: score.nll))


def _order(names: list[str], scores: tuple[Score, ...], failed: Mapping[str, str]) -> list[str]:
    """Return *names* in the order in which they are to be tried: those that failed last."""
    clear = [score.name for score in scores if score.behind < -CLEAR * score.error]
    return sorted(names, key=lambda name: (name in failed, name not in clear[:1]))


def _reason(name: str, scores: tuple[Score, ...], count: int) -> str:
    if not scores:
        return f"{name}: not compared, of {count} observations"
    own = next((score for score in scores if score.name == name), None)
    if own is None:
        return f"{name}: what was better on part of the observations failed on all"
    others = ", ".join(f"{s.name} {s.nll:.2f}" for s in scores if s is not own)
    clearly = own.behind < -CLEAR * own.error
    why = "clearly the best" if clearly else "none is clearly better"
    return f"{name}: {why} by held-out NLL {own.nll:.2f} ({others or 'alone'}), {count} points"
