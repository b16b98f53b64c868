"""Points predicted by a surrogate that hasn't seen them."""

import numpy as np

from models.surrogates.posterior import Learner, Posterior
from models.surrogates.training import Array, FitError, Groups, Training

FOLDS = 5


def part(training: Training, rows: Groups) -> Training:
    """Return the observations at *rows* of *training*."""
    return Training(
        training.inputs[rows], training.outcomes[rows], training.known[rows], training.groups
    )


def out_of_fold(learner: Learner, training: Training, seed: int, folds: int = FOLDS) -> Posterior:
    """Return what is predicted of each of the n observations by a fit to the other folds.

    Folds are drawn with *seed*; with fewer observations than *folds* each is one of its own.
    FitError with fewer than two.
    """
    count = len(training.outcomes)
    if count < 2:
        raise FitError(f"cross-validation needs two observations, there is {count}")
    shuffled = np.random.default_rng(seed).permutation(count)
    mean, epistemic, aleatoric = np.empty((3, count))
    for held in np.array_split(shuffled, min(folds, count)):
        rest = np.setdiff1d(np.arange(count), held)
        found = learner(part(training, rest), seed).predict(training.inputs[held])
        mean[held], epistemic[held], aleatoric[held] = found.mean, found.epistemic, found.aleatoric
    return Posterior(mean, epistemic, aleatoric)


def errors(predicted: Posterior, outcomes: Array) -> Array:
    """Return standardised errors (n) of *outcomes* (n): what ``Calibrator.prime`` takes."""
    return np.asarray((outcomes - predicted.mean) / predicted.sigma)
