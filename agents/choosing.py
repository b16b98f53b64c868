"""Learning one outcome by a surrogate that the campaign names, or by the best of several.

It is fitted to everything at each decision; which of several is chosen is asked at set numbers of
observations. Both follow from the told history alone, however it was told.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from agents.belief import Belief
from agents.history import History
from agents.learning import last_set_among, prepared
from agents.protocols import Goal, Objective
from agents.space import Space
from agents.steady import Steady
from models.surrogates.gaussian import GaussianProcess
from models.surrogates.posterior import Learner as SurrogateLearner
from models.surrogates.posterior import Surrogate

CHOOSE = "choose"


class Choosing:
    """The belief about one outcome by the surrogate *named*; ``choose``: by the best *among* some.

    Without *among* those that are usually worth comparing (``models.surrogates.choice``).
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        seed: int,
        *,
        named: str,
        among: Sequence[str] = (),
        warp: bool,
    ) -> None:
        self._space = space
        self._objective = objective
        self._seed = seed
        self._named = named
        self._among = tuple(among)
        self._warp = warp and objective.goal is not Goal.TARGET
        self._chosen: tuple[int, str, str, Mapping[str, float]] | None = None
        """From how many observations what was chosen, why, and the held-out NLLs."""
        self._known: tuple[int, Belief] | None = None

    def believe(self, history: History) -> Belief | None:
        """Return the belief from *history*; None where the outcome was never measured.

        *history* must begin with what it was at the last call. Raises
        ``models.surrogates.training.FitError`` when no fit succeeds.
        """
        rows = history.measured(self._objective.name)
        if not rows:
            return None
        if self._known is None or self._known[0] != len(rows):
            self._known = len(rows), self._fitted(history, len(rows))
        return self._known[1]

    def _fitted(self, history: History, count: int) -> Belief:
        rows = history.measured(self._objective.name)
        name, why, scores = self._choice(history, last_set_among(count))
        training, scale, _ = prepared(self._space, rows, warp=self._warp)
        surrogate: Surrogate = self._learners[name](training, self._seed)
        process = surrogate if isinstance(surrogate, GaussianProcess) else Steady.of(surrogate)
        return Belief(self._space, self._objective, scale, process, chosen=why, scores=dict(scores))

    @cached_property
    def _learners(self) -> Mapping[str, SurrogateLearner]:
        from models.surrogates.choice import LEARNERS

        return LEARNERS

    def _choice(self, history: History, count: int) -> tuple[str, str, Mapping[str, float]]:
        """Return what is chosen by the first *count* observations, why, and the scores."""
        if self._named != CHOOSE:
            return self._named, "", {}
        if self._chosen is None or self._chosen[0] != count:
            from models.surrogates.choice import choose, usual

            rows = history.measured(self._objective.name)[:count]
            training, _, _ = prepared(self._space, rows, warp=self._warp)
            names = self._among or usual(training)
            found = choose(training, {name: self._learners[name] for name in names}, self._seed)
            scores = {score.name: score.nll for score in found.scores}
            self._chosen = count, found.name, found.reason, scores
        return self._chosen[1:]
