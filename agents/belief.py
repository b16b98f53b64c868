"""What an agent believes about one objective: its surrogate, in the objective's own unit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.history import History
from agents.outcomes import OutcomeScale, scale_of
from agents.protocols import Goal, Objective, Parameters, Prediction
from agents.space import Space
from models.surrogates.gaussian import GaussianProcess, fit
from models.surrogates.training import Training

Array = NDArray[np.float64]

WIDEST = 1e6
"""Beyond so many standard deviations of the outcomes, a stated sigma says that nothing is known."""


@dataclass(frozen=True)
class Belief:
    """A fitted surrogate of *objective*, and the *scale* on which it was fitted."""

    space: Space
    objective: Objective
    scale: OutcomeScale
    surrogate: GaussianProcess

    def predictions(self, points: Sequence[Parameters]) -> list[Prediction]:
        """Return what is expected at *points*, in the objective's unit.

        Epistemic: what the surrogate doesn't know of the mean outcome. Aleatoric: the scatter of
        one experiment around it, learned and (in the median) stated.
        """
        means, sigmas = self.surrogate.posterior(self.space.encode(points))
        scatter = math.sqrt(self.surrogate.noise + float(np.median(self.surrogate.training.known)))
        predictions = []
        for mean, sigma in zip(means.tolist(), sigmas.tolist(), strict=True):
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
        worst = outcomes[np.argmin(self.utility(outcomes))]
        places = self.space.encode(failures)
        imagined = self.surrogate.imagining(places, np.full(len(places), worst))
        return replace(self, surrogate=imagined)

    def utility(self, modelled: Array) -> Array:
        """Return what *modelled* outcomes (any shape, surrogate's scale) are worth."""
        target = self.modelled_target()
        return self.utility_sign() * modelled if target is None else -np.abs(modelled - target)

    def utility_sign(self) -> float:
        """Return -1 where less is better, else 1; a target is dealt with by ``modelled_target``."""
        return -1.0 if self.objective.goal is Goal.MINIMIZE else 1.0

    def modelled_target(self) -> float | None:
        """Return the target on the surrogate's scale; None where more or less is better."""
        if self.objective.goal is not Goal.TARGET or self.objective.target is None:
            return None
        return float(self.scale.forward(np.array([self.objective.target]))[0])

    def hyperparameters(self) -> dict[str, float]:
        """Return what was fitted, under flat names."""
        name = self.objective.name
        lengths = zip(self.space.names, self.surrogate.lengths.tolist(), strict=True)
        return {
            **{f"{name}.lengthscale.{column}": length for column, length in lengths},
            f"{name}.noise": self.surrogate.noise,
            f"{name}.mean": self.surrogate.mean,
            f"{name}.scale.centre": self.scale.centre,
            f"{name}.scale.spread": self.scale.spread,
            f"{name}.scale.exponent": self.scale.exponent,
        }


def believe(history: History, objective: Objective, *, warp: bool) -> Belief | None:
    """Return the belief about *objective* from *history*; None where it was never measured.

    Raises ``models.surrogates.training.FitError`` when no fit succeeds.
    """
    measured = history.measured(objective.name)
    if not measured:
        return None
    space = history.space
    outcomes = np.array([value.mean for _, value in measured])
    stated = np.array([value.sigma if value.sigma > 0 else 0.0 for _, value in measured])
    scale = scale_of(outcomes, warp=warp and objective.goal is not Goal.TARGET)
    known = np.square(np.minimum(stated * scale.slope(outcomes), WIDEST))
    inputs = space.encode([point for point, _ in measured])
    training = Training(inputs, scale.forward(outcomes), known, space.groups)
    return Belief(space, objective, scale, fit(training))
