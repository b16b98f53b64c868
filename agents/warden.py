"""Keeps what is known of outcomes that must not be broken, and counts how often they were.

Every experiment is predicted before it is told: its residual makes the next pessimistic
prediction as wide as the ones before should have been (``models.calibration``), and where the
prediction called it safe, the experiment counts for the frequency that was promised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.fence import Fence, fence_of, safe
from agents.history import History
from agents.knowledge import Knowledge
from agents.options import OutcomeConstraint
from agents.prospects import Bound
from agents.protocols import Goal, Objective, Observation, Parameters, Prediction
from agents.space import Space
from models.calibration import Calibrator, Coverage
from models.surrogates.training import FitError


@dataclass(frozen=True)
class Record:
    """*experiments* that were safe by the model before they were made; *broken* broke a bound."""

    experiments: int = 0
    broken: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Return where the true frequency lies with 95 % confidence (Clopper & Pearson 1934)."""
        kept = Coverage(0.95, self.experiments - self.broken, self.experiments)
        return (1 - kept.high, 1 - kept.low) if self.experiments else (0.0, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.broken} of {self.experiments} experiments foreseen as safe broke a constraint "
            f"(true frequency {low:.1%} to {high:.1%})"
        )


class Warden:
    """Beliefs about the outcomes that *limits* name, and what they have come to.

    An experiment may break any of them with a probability of *bound*, shared out evenly.
    """

    def __init__(self, space: Space, limits: Sequence[OutcomeConstraint], bound: float) -> None:
        self.limits = tuple(limits)
        self.outcomes = tuple(Objective(name, Goal.TARGET) for name in _names(limits))
        self.record = Record()
        self._level = 1 - 2 * bound / len(self.limits)
        self._knowledge = Knowledge(space, self.outcomes, warp=False)
        self._calibrators = {outcome.name: Calibrator() for outcome in self.outcomes}

    @property
    def history(self) -> History:
        """What was told."""
        return self._knowledge.history

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*, each after it was predicted without itself."""
        for observation in observations:
            if self.kept(observation) is not None:
                self._compare(observation)
            self._knowledge.tell([observation])

    def kept(self, observation: Observation) -> bool | None:
        """Return whether *observation* kept all limits; None where not all were measured."""
        one = History(self._knowledge.space, [observation])
        values = {name: one.measured(name) for name in _names(self.limits)}
        if not all(values.values()):
            return None
        return all(_keeps(limit, values[limit.outcome][0][1].mean) for limit in self.limits)

    def fences(self) -> tuple[Fence, ...] | None:
        """Return where each of the limits holds; None where that can't be said."""
        try:
            beliefs = self._knowledge.beliefs()
        except FitError:
            return None
        if any(limit.outcome not in beliefs for limit in self.limits):
            return None
        return tuple(
            fence_of(Bound(beliefs[limit.outcome], *bound_of(limit)), self.reach(limit.outcome))
            for limit in self.limits
        )

    def bounds(self) -> tuple[Bound, ...]:
        """Return the limits and what is believed of them; FitError where no fit succeeds."""
        beliefs = self._knowledge.beliefs()
        return tuple(Bound(beliefs[each.outcome], *bound_of(each)) for each in self.limits)

    def reach(self, outcome: str) -> float:
        """Return by how many sigma *outcome* has to keep its bound: never less than if normal."""
        from scipy.special import ndtri

        normal = float(ndtri(0.5 + self._level / 2))
        return max(normal, self._calibrators[outcome].factor(self._level))

    def predictions(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected of the limited outcomes at each of *points*."""
        return self._knowledge.predictions(points)

    def _compare(self, observation: Observation) -> None:
        """Count *observation*, and learn from how far it is from what was expected."""
        fences = self.fences()
        if fences is None:
            return
        place = self._knowledge.space.encode([observation.parameters])
        if safe(fences, place)[0]:
            broken = self.record.broken + (not self.kept(observation))
            self.record = Record(self.record.experiments + 1, broken)
        beliefs = self._knowledge.beliefs()
        for name, fence in {
            limit.outcome: fence for limit, fence in zip(self.limits, fences, strict=True)
        }.items():
            mean, sigma = fence.expected(place)
            outcome = beliefs[name].modelled(observation.values[name].mean)
            self._calibrators[name].observe(float(mean[0]), float(sigma[0]), outcome)


def bound_of(limit: OutcomeConstraint) -> tuple[float, float]:
    """Return the bound of *limit*, and its sign: 1 where the outcome is to stay below."""
    if limit.at_least is not None:
        return limit.at_least, -1.0
    return limit.at_most or 0.0, 1.0


def _keeps(limit: OutcomeConstraint, value: float) -> bool:
    bound, sign = bound_of(limit)
    return sign * (bound - value) >= 0


def _names(limits: Sequence[OutcomeConstraint]) -> list[str]:
    return list(dict.fromkeys(limit.outcome for limit in limits))
