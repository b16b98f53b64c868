"""What an agent has been told, and what it believes of it: one belief for each outcome."""

from collections.abc import Iterable, Mapping, Sequence

from agents.belief import Belief
from agents.choosing import Choosing
from agents.history import History
from agents.learning import Learner
from agents.protocols import Objective, Observation, Parameters, Prediction
from agents.space import Space
from agents.transfer import Earlier
from models.surrogates.training import FitError


class Knowledge:
    """The history of a campaign over *space*, and beliefs about *outcomes* learned from it.

    With *warp* skewed outcomes are straightened, except the *even* ones. What *earlier* campaigns
    found takes part. What *others* learn, by outcome, they learn in their own way.
    """

    def __init__(
        self,
        space: Space,
        outcomes: Iterable[Objective],
        *,
        warp: bool,
        even: frozenset[str] = frozenset(),
        earlier: Sequence[Earlier] = (),
        others: Mapping[str, Choosing] | None = None,
    ) -> None:
        self.space = space
        self.history = History(space)
        self._learners: dict[str, Learner | Choosing] = {
            outcome.name: Learner(
                space,
                outcome,
                warp=warp and outcome.name not in even,
                earlier=[one.rows[outcome.name] for one in earlier if outcome.name in one.rows],
            )
            for outcome in outcomes
        } | dict(others or {})
        self._beliefs: dict[str, Belief] | None = None

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*."""
        self.history.tell(observations)
        self._beliefs = None

    def beliefs(self) -> dict[str, Belief]:
        """Return the beliefs about all outcomes measured so far, by name.

        Brought up to what was told at the first call after it. Raises FitError when no fit
        succeeds.
        """
        if self._beliefs is None:
            learned = {
                name: learner.believe(self.history) for name, learner in self._learners.items()
            }
            self._beliefs = {name: belief for name, belief in learned.items() if belief is not None}
        return self._beliefs

    def predictions(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by outcome; empty without a model."""
        try:
            beliefs = self.beliefs()
        except FitError:
            return [{} for _ in points]
        by_name = {name: belief.predictions(points) for name, belief in beliefs.items()}
        return [{name: many[row] for name, many in by_name.items()} for row in range(len(points))]

    def fit(self) -> dict[str, float]:
        """Return the hyperparameters of all beliefs, under flat names."""
        fits = [belief.hyperparameters() for belief in self.beliefs().values()]
        return {name: value for fit in fits for name, value in fit.items()}
