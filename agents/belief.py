"""What an agent believes about one objective: its surrogate, in the objective's own unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agents.excess import Aim
from agents.hindsight import UNTRIED, Trust
from agents.outcomes import OutcomeScale
from agents.protocols import Goal, Objective, Parameters, Prediction
from agents.space import Space
from agents.steady import Steady
from models.surrogates.gaussian import GaussianProcess

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Belief:
    """A fitted surrogate of *objective*, the *scale* of its outcomes, and how far to trust it.

    Where it was chosen among several, *chosen* says why and *scores* the held-out NLL of each.
    """

    space: Space
    objective: Objective
    scale: OutcomeScale
    surrogate: GaussianProcess | Steady
    trust: Trust = UNTRIED
    chosen: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def process(self) -> GaussianProcess:
        """The surrogate, where it is a process that can be grown; TypeError where it isn't."""
        if not isinstance(self.surrogate, GaussianProcess):
            raise TypeError(f"{self.surrogate.name} of {self.objective.name} is no process")
        return self.surrogate

    def predictions(self, points: Sequence[Parameters]) -> list[Prediction]:
        """Return what is expected at *points*, in the objective's unit.

        Epistemic: what the surrogate doesn't know of the mean outcome. Aleatoric: the scatter of
        one experiment around it, learned and (in the median) stated. Both are as wide as past
        predictions were found to need.
        """
        width = self.trust.scale
        expected = self.surrogate.predict(self.space.encode(points))
        columns = (expected.mean, width * expected.epistemic, width * expected.aleatoric)
        predictions = []
        for mean, sigma, scatter in zip(*(column.tolist() for column in columns), strict=True):
            middle, epistemic = self.scale.moments(mean, sigma)
            predictions.append(Prediction(middle, epistemic, self.scale.moments(mean, scatter)[1]))
        return predictions

    def with_failures(self, failures: Sequence[Parameters]) -> "Belief":
        """Return what to act on where experiments failed: there, the worst that was measured.

        Only for choosing: predictions come from what was measured alone.
        """
        if not failures:
            return self
        outcomes = self.surrogate.training.outcomes
        worst = outcomes[np.argmin(self.aim.worth(outcomes))]
        places = self.space.encode(failures)
        imagined = self.surrogate.imagining(places, np.full(len(places), worst))
        return replace(self, surrogate=imagined)

    @property
    def aim(self) -> Aim:
        """What is wanted, on the surrogate's scale."""
        target = self.objective.target
        if self.objective.goal is not Goal.TARGET or target is None:
            return Aim(-1.0 if self.objective.goal is Goal.MINIMIZE else 1.0)
        return Aim(target=self.modelled(target))

    def modelled(self, outcome: float) -> float:
        """Return *outcome* (in its unit) on the surrogate's scale."""
        return float(self.scale.forward(np.array([outcome]))[0])

    def hyperparameters(self) -> dict[str, float]:
        """Return what was fitted, under flat names."""
        name = self.objective.name
        return {
            **self._of_process(),
            **{f"{name}.nll.{surrogate}": score for surrogate, score in self.scores.items()},
            f"{name}.scale.centre": self.scale.centre,
            f"{name}.scale.spread": self.scale.spread,
            f"{name}.scale.exponent": self.scale.exponent,
            **{f"{name}.likeness.{at}": like for at, like in self.surrogate.likeness.items()},
        }

    def _of_process(self) -> dict[str, float]:
        if not isinstance(self.surrogate, GaussianProcess):
            return {}
        name = self.objective.name
        lengths = zip(self.space.scales, self.surrogate.lengths.tolist(), strict=True)
        return {
            **{f"{name}.lengthscale.{column}": length for column, length in lengths},
            f"{name}.noise": self.surrogate.noise,
            f"{name}.mean": self.surrogate.mean,
        }
