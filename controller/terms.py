"""What a campaign was started with, as far as deciding what to do next needs it."""

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from agents.protocols import Objective, Observation
from controller.campaign import Autonomy, Campaign

FAILURES_IN_A_ROW = 3
"""So many failed experiments, one after the other, say that the bench is ill, not the points."""


class Stop(StrEnum):
    """Why a campaign takes no further experiment."""

    GOAL = "goal reached"
    EXPERIMENTS = "budget: experiments used up"
    DURATION = "budget: time used up"
    UNTIL = "until: the next experiment could not end in time"
    POOL = "pool exhausted"
    FAILURES = f"{FAILURES_IN_A_ROW} experiments failed one after the other"
    ADVISED = "advise: suggestions were made, nothing is run"
    DECLINED = "declined by a person"
    UNDECIDED = "an experiment not to be repeated was interrupted: a person must say if it was done"


@dataclass(frozen=True, slots=True)
class Target:
    """When an objective is good enough: on which side of *value*, with what *confidence*."""

    objective: str
    value: float
    at_least: bool
    confidence: float

    def reached(self, observation: Observation) -> bool:
        """Whether *observation* meets the target with the confidence asked for."""
        measured = observation.values.get(self.objective)
        if not observation.usable or measured is None:
            return False
        excess = measured.mean - self.value if self.at_least else self.value - measured.mean
        if measured.sigma <= 0:
            return excess >= 0
        return NormalDist(0.0, measured.sigma).cdf(excess) >= self.confidence


@dataclass(frozen=True, slots=True)
class Terms:
    """What the campaign was started with, as far as deciding what to do next needs it."""

    objectives: tuple[Objective, ...]
    experiments: int | None = None
    duration_s: float | None = None
    target: Target | None = None
    advise: bool = False
    final_plan: str | None = None


def terms_of(campaign: Campaign, objectives: tuple[Objective, ...]) -> Terms:
    """Return what deciding what to do next needs of *campaign*."""
    goal = campaign.goal
    target = None
    if goal is not None:
        value = goal.at_least if goal.at_least is not None else goal.at_most
        target = Target(goal.objective, value or 0.0, goal.at_least is not None, goal.confidence)
    return Terms(
        objectives=objectives,
        experiments=campaign.budget.experiments,
        duration_s=campaign.budget.duration_s,
        target=target,
        advise=campaign.autonomy is Autonomy.ADVISE,
        final_plan=None if campaign.finally_ is None else campaign.finally_.name,
    )
