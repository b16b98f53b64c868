"""Learning one outcome observation by observation, so that waiting for a model is short.

When hyperparameters are fitted is a function of the told history alone: at set numbers of
observations, and in between where an observation came as a surprise. In between the model grows
by a row per observation. A fit starts from nothing but the observations up to it, or near the one
before it back to a fit that does, so that a campaign told all at once ends with the same model, bit
for bit. It needs the models of the time that ``agents.hindsight`` looks back on, for each outcome
was foretold by the model before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.hindsight import BLOCK, LEAST, Foretold, Hindsight, counted_from, trust_in
from agents.history import History
from agents.outcomes import OutcomeScale, scale_of
from agents.protocols import Goal, Measured, Objective, Parameters
from agents.space import Space
from agents.transfer import MOST
from models.surrogates.gaussian import GaussianProcess, fit
from models.surrogates.multi_task import Transfer
from models.surrogates.training import FitError, Training

Array = NDArray[np.float64]
Row = tuple[Parameters, Measured]

WIDEST = 1e6
"""Beyond so many standard deviations of the outcomes, a stated sigma says that nothing is known."""
ALWAYS = 40
"""Up to so many observations every one of them is followed by a fit."""
PART = 20
"""After that a fit follows when the observations have grown by one part in so many."""
FOLLOWED, SLOWER = 8, 5
"""The same two numbers where earlier campaigns take part in every fit."""
SURPRISE = 3.5
"""An observation so many standard deviations from what was expected calls for a fit."""
OUTLYING = 50.0
"""Outcomes further than so many robust sigmas from the median are taken to be no further."""
ENOUGH = 5
"""With fewer outcomes nobody can tell which of them is out of the way."""
PAUSE = 5
"""So many observations at least lie between a fit and the next one for a surprise."""


def last_set(count: int) -> int:
    """Return the largest number up to *count* at which a fit is due in any case."""
    due = min(count, ALWAYS)
    while due >= ALWAYS and due + due // PART <= count:
        due += due // PART
    return due


def is_anchor(count: int) -> bool:
    """Whether the fit at *count* observations starts from nothing.

    Up to ALWAYS each does, and after that those from which hindsight may begin
    (``hindsight.counted_from``): in between a search begins where the one before ended, and who is
    told a long campaign at once begins at the same anchors.
    """
    return count <= ALWAYS or last_set(BLOCK * -(-count // BLOCK)) == count


def last_set_among(count: int) -> int:
    """Return the same where a fit takes earlier campaigns along, and so takes longer."""
    due = min(count, FOLLOWED)
    while due >= FOLLOWED and due + due // SLOWER <= count:
        due += due // SLOWER
    return due


@dataclass(frozen=True)
class Learned:
    """A belief from the first ``count`` observations, fitted to the first ``fitted``.

    ``limits`` (in the outcome's unit) are how far outcomes are believed.
    """

    belief: Belief
    count: int
    fitted: int
    limits: tuple[float, float]


class Learner:
    """The belief about one outcome, kept up with what is told."""

    def __init__(
        self,
        space: Space,
        objective: Objective,
        *,
        warp: bool,
        earlier: Sequence[Sequence[Row]] = (),
    ) -> None:
        """Learn of *objective*, beside what *earlier* campaigns found of it."""
        self._space = space
        self._objective = objective
        self._warp = warp and objective.goal is not Goal.TARGET
        self._transfer = self._transferring(earlier) if earlier else None
        self._learned: Learned | None = None
        self._count = 0
        self._failure = ""
        self._hindsight = Hindsight()

    def believe(self, history: History) -> Belief | None:
        """Return the belief from *history*; None where the outcome was never measured.

        *history* must begin with what it was at the last call. Raises
        ``models.surrogates.training.FitError`` when no fit succeeds.
        """
        rows = history.measured(self._objective.name)
        if not rows:
            return None
        begin = max(self._last_set(counted_from(len(rows))), min(LEAST, len(rows)))
        if self._count < begin:
            self._learned, self._count = None, begin - 1
        while self._count < len(rows):
            self._learned = self._after(rows, self._count + 1)
            self._count += 1
        if self._learned is None:
            raise FitError(self._failure)
        trust = trust_in(self._hindsight.after(len(rows)))
        return replace(self._learned.belief, trust=trust)

    def _last_set(self, count: int) -> int:
        """Return the largest number up to *count* at which a fit is due in any case."""
        return last_set(count) if self._transfer is None else last_set_among(count)

    def _transferring(self, earlier: Sequence[Sequence[Row]]) -> Transfer:
        """Return what fits a process that rests on *earlier* campaigns."""
        trainings = [prepared(self._space, rows, warp=self._warp)[0] for rows in earlier]
        return Transfer(trainings, MOST)

    def _after(self, rows: Sequence[Row], count: int) -> Learned | None:
        """Return what is learned after *count* of *rows*; None where no fit succeeds."""
        learned = self._learned
        try:
            if learned is None:
                return self._fitted(rows[:count], None)
            return self._next(learned, rows)
        except FitError as error:
            self._failure = str(error)
            return None

    def _next(self, learned: Learned, rows: Sequence[Row]) -> Learned:
        """Return what is *learned* after one more of *rows*."""
        count = learned.count + 1
        grown = self._grown(learned, rows[learned.count])
        foretold = _foretold(learned.belief.process, grown)
        self._hindsight.note(learned.count, foretold)
        surprising = abs(foretold.outcome - foretold.mean) > SURPRISE * foretold.sigma
        if count == self._last_set(count) or (count - learned.fitted > PAUSE and surprising):
            return self._fitted(rows[:count], None if is_anchor(count) else learned)
        belief = Belief(self._space, self._objective, learned.belief.scale, grown)
        return Learned(belief, count, learned.fitted, learned.limits)

    def _fitted(self, rows: Sequence[Row], before: Learned | None) -> Learned:
        """Return what is learned from *rows* with hyperparameters of their own.

        They are sought from nothing, or near those of what was learned *before*.
        """
        training, scale, limits = prepared(self._space, rows, warp=self._warp)
        near = None if before is None else before.belief.process
        process = fit(training, near) if self._transfer is None else self._transfer(training)
        belief = Belief(self._space, self._objective, scale, process)
        return Learned(belief, len(rows), len(rows), limits)

    def _grown(self, learned: Learned, row: Row) -> GaussianProcess:
        """Return what is *learned* with one more *row*, on the scale that it has."""
        point, value = row
        belief = learned.belief
        outcome = np.clip(np.array([value.mean]), *learned.limits)
        known = _variances([value.sigma], belief.scale.slope(outcome))
        return belief.process.grown(
            self._space.encode([point]), belief.scale.forward(outcome), known
        )


def prepared(
    space: Space, rows: Sequence[Row], *, warp: bool
) -> tuple[Training, OutcomeScale, tuple[float, float]]:
    """Return *rows* as a training set, its scale, and how far its outcomes are believed."""
    told = np.array([value.mean for _, value in rows])
    limits = believable(told)
    outcomes = np.clip(told, *limits)
    scale = scale_of(outcomes, warp=warp)
    known = _variances([value.sigma for _, value in rows], scale.slope(outcomes))
    inputs = space.encode([point for point, _ in rows])
    return Training(inputs, scale.forward(outcomes), known, space.groups), scale, limits


def believable(outcomes: Array) -> tuple[float, float]:
    """Return how far *outcomes* (n) are believed: OUTLYING robust sigmas around their median.

    One value that is millions of sigma away would otherwise leave all others looking the same.
    """
    middle = float(np.median(outcomes))
    spread = 1.4826 * float(np.median(np.abs(outcomes - middle)))
    if len(outcomes) < ENOUGH or spread <= 0 or not np.isfinite(spread):
        return -np.inf, np.inf
    return middle - OUTLYING * spread, middle + OUTLYING * spread


def _variances(stated: Sequence[float], slopes: Array) -> Array:
    """Return the known variances (n) on the modelled scale, of *stated* sigmas in the unit."""
    sigmas = np.array([sigma if sigma > 0 else 0.0 for sigma in stated])
    return np.asarray(np.square(np.minimum(sigmas * slopes, WIDEST)))


def _foretold(before: GaussianProcess, after: GaussianProcess) -> Foretold:
    """Return what *before* expected of the last observation of *after*, and what it was."""
    mean, sigma = before.ahead_of(after)
    return Foretold(mean, max(sigma, 1e-12), float(after.training.outcomes[-1]))


def believe(history: History, objective: Objective, *, warp: bool) -> Belief | None:
    """Return the belief about *objective* from *history*; None where it was never measured."""
    return Learner(history.space, objective, warp=warp).believe(history)
