"""A Gaussian process over several campaigns: what earlier ones found helps the present one.

Intrinsic coregionalisation (Goovaerts 1997; Bonilla, Chai & Williams, NIPS 2007): the covariance
of outcomes of campaigns i and j is B_ij k(x, x') with one Matérn-5/2 kernel k. B is of rank one
and a diagonal: the present campaign has B_00 = 1, an earlier one an amplitude s_i and a
correlation v_i with the present one, B_0i = s_i v_i and B_ij = s_i s_j v_i v_j. Each campaign has
a constant and a noise of its own, so that an offset between days teaches nothing wrong, and an
earlier campaign that was about something else comes out with v near zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.surrogates.evidence import NOISE_PRIOR, length_prior
from models.surrogates.gaussian import LENGTH_BOUNDS, NOISE_BOUNDS
from models.surrogates.kernel import correlation
from models.surrogates.likelihood import best, evidence, means_of
from models.surrogates.related import Before, RelatedProcess
from models.surrogates.training import Array, FitError, Groups, Training

MOST = 200
"""So many points of an earlier campaign are used, evenly spaced in order: the cost is cubic."""
LIKENESS_PRIOR = (0.9, 0.8)
"""Normal prior of artanh v: earlier campaigns are given because they are thought to be alike."""
NOISE_START = -5.0
"""Where a search for the log of a noise begins."""
AMPLITUDE_PRIOR = (0.0, 0.5)
"""Normal prior of log s: outcomes of every campaign are standardised."""


@dataclass(frozen=True)
class Campaigns:
    """The present training set and the earlier ones, one below the other; *task* (n) tells them."""

    training: Training
    task: Groups

    @property
    def count(self) -> int:
        """The number of earlier campaigns."""
        return int(self.task.max())

    @property
    def basis(self) -> Array:
        """One column per campaign (n x (1 + earlier)), 1 where a row is of it."""
        return np.asarray(self.task[:, None] == np.arange(self.count + 1), dtype=np.float64)

    def prior(self) -> tuple[Array, Array]:
        """Return where a search begins, and the scales of the normal priors of all parameters.

        In this order: log lengths, artanh v and log s of earlier campaigns, log noise of all; the
        noise has the gamma prior of ``models.surrogates.evidence`` instead.
        """
        earlier = self.count
        rows = [length_prior(self.training.scales)] * self.training.scales
        rows += [LIKENESS_PRIOR] * earlier + [AMPLITUDE_PRIOR] * earlier
        rows += [(NOISE_START, np.inf)] * (earlier + 1)
        middle, width = np.array(rows).T
        return middle, width

    def parts(self, parameters: Array) -> tuple[Array, Array, Array, Array]:
        """Return lengths (p), v (1 + earlier, v_0 = 1), s (likewise) and noise variances."""
        p, t = self.training.scales, self.count
        likeness = np.append(1.0, np.tanh(parameters[p : p + t]))
        amplitude = np.append(1.0, np.exp(parameters[p + t : p + 2 * t]))
        return np.exp(parameters[:p]), likeness, amplitude, np.exp(parameters[p + 2 * t :])

    def covariance(self, parameters: Array) -> tuple[Array, Array, Array]:
        """Return B of all rows (n x n), the kernel and its slope (n x n each)."""
        lengths, likeness, amplitude, _ = self.parts(parameters)
        shared = np.outer(likeness, likeness)
        np.fill_diagonal(shared, 1.0)
        between = shared * np.outer(amplitude, amplitude)
        inputs = self.training.inputs
        kernel, slope = correlation(inputs, inputs, lengths[self.training.groups])
        return between[np.ix_(self.task, self.task)], kernel, slope

    def loss(self, parameters: Array) -> tuple[float, Array]:
        """Return the negative log posterior of *parameters* and its gradient."""
        lengths, likeness, _, noise = self.parts(parameters)
        between, kernel, slope = self.covariance(parameters)
        whole = between * kernel
        noisy = whole.copy()
        noisy.flat[:: len(noisy) + 1] += self.training.known + noise[self.task]
        value, inner = evidence(noisy, self.training.outcomes, self.basis)
        gradient = np.concatenate(
            [
                self._by_length(inner * between * slope, lengths),
                *self._by_task(inner * whole, likeness),
                0.5 * noise * (self.basis.T @ np.diag(inner)),
            ]
        )
        middle, width = self.prior()
        away = (parameters - middle) / width
        shape, rate = NOISE_PRIOR
        logs = parameters[-len(noise) :]
        gradient[-len(noise) :] += shape - 1 - rate * noise
        prior = float(((shape - 1) * logs - rate * noise).sum()) - 0.5 * float(away @ away)
        return -(value + prior), -(gradient - away / width)

    def _by_length(self, moved: Array, lengths: Array) -> Array:
        inputs, groups = self.training.inputs, self.training.groups
        pull = moved.sum(0) @ np.square(inputs)
        pull = pull - np.einsum("nd,nd->d", inputs, moved @ inputs)
        by_length = np.bincount(groups, pull / lengths[groups] ** 2, self.training.scales)
        return np.asarray(by_length, dtype=np.float64)

    def _by_task(self, part: Array, likeness: Array) -> tuple[Array, Array]:
        """Return the slopes by artanh v and log s, with *part* = 2 d/dK times B k (n x n)."""
        blocks = self.basis.T @ part @ self.basis
        others = blocks - np.diag(np.diag(blocks))
        # d log B_ij / d log s_i = 1 off the diagonal and 2 on it; both halves of K count
        by_amplitude = blocks.sum(1)
        safe = np.where(np.abs(likeness) < 1e-12, 1e-12, likeness)
        by_likeness = others.sum(1) * (1 - likeness**2) / safe
        return by_likeness[1:], by_amplitude[1:]


class Transfer:
    """A learner that rests on *earlier* campaigns, each a training set over the same cube."""

    def __init__(self, earlier: Sequence[Training], most: int = MOST) -> None:
        """Use *most* points of each, evenly spaced in order."""
        self._earlier = [_thinned(training, most) for training in earlier]

    def __call__(self, training: Training, seed: int = 0) -> RelatedProcess:
        """Return ``fit`` of *training* and the earlier campaigns; there is no chance in it."""
        return fit(training, self._earlier)


def fit(training: Training, earlier: Sequence[Training]) -> RelatedProcess:
    """Return the process at the best hyperparameters found; the same for the same arguments.

    FitError where *earlier* is empty or of another space, and where no search succeeds.
    """
    campaigns = _stacked(training, earlier)
    whole, task = campaigns.training, campaigns.task
    middle, _ = campaigns.prior()
    short, apart = middle.copy(), middle.copy()
    middle[: training.scales] -= 1.0
    short[: training.scales] -= 2.0
    apart[training.scales : training.scales + campaigns.count] = 0.2
    lengths, noises = np.log(LENGTH_BOUNDS), np.log(NOISE_BOUNDS)
    rows = [lengths] * training.scales + [(-3.0, 3.0)] * campaigns.count
    rows += [(-2.0, 2.0)] * campaigns.count + [noises] * (campaigns.count + 1)
    parameters = best(campaigns.loss, [middle, short, apart], np.array(rows))
    lengths, likeness, amplitude, noise = campaigns.parts(parameters)
    between, kernel, _ = campaigns.covariance(parameters)
    covariance = between * kernel + np.diag(whole.known + noise[task])
    factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    means = means_of(factor, whole.outcomes, campaigns.basis)
    old = task > 0
    before = Before(
        whole.inputs[old],
        (likeness * amplitude)[task[old]],
        (whole.outcomes - campaigns.basis @ means)[old],
        np.asarray(np.linalg.cholesky(covariance[np.ix_(old, old)]), dtype=np.float64),
        tuple(likeness[1:].tolist()),
    )
    return RelatedProcess(training, lengths, float(noise[0]), before)


def _stacked(training: Training, earlier: Sequence[Training]) -> Campaigns:
    if not earlier:
        raise FitError("transfer: no earlier campaign is given; fit the present one by itself")
    for number, each in enumerate(earlier, 1):
        if not np.array_equal(each.groups, training.groups):
            raise FitError(
                f"transfer: earlier campaign {number} has columns of groups "
                f"{each.groups.tolist()}, the present one {training.groups.tolist()}: encode "
                "earlier experiments in the present space"
            )
    sets = [training, *(_thinned(each, MOST) for each in earlier)]
    whole = Training(
        np.vstack([each.inputs for each in sets]),
        np.concatenate([each.outcomes for each in sets]),
        np.concatenate([each.known for each in sets]),
        training.groups,
    )
    return Campaigns(whole, np.repeat(np.arange(len(sets)), [len(each.outcomes) for each in sets]))


def _thinned(training: Training, most: int) -> Training:
    """Return at most *most* of the observations, evenly spaced in order."""
    size = len(training.outcomes)
    rows = np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(np.int64))
    return Training(
        training.inputs[rows], training.outcomes[rows], training.known[rows], training.groups
    )
