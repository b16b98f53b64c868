"""The course of a campaign: what each experiment gave, and the best there was after it."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.protocols import Measured, Observation
from controller.outcome.summary import experiments_of
from controller.state import CampaignState


@dataclass(frozen=True, slots=True)
class Step:
    """Experiment *number* (from 1), what it gave of the first objective, and the best so far.

    ``value`` is None where nothing was measured; a rejected experiment may have one, which is
    never a best one.
    """

    number: int
    observation: Observation
    value: Measured | None
    best: Measured | None


def course_of(state: CampaignState) -> Sequence[Step]:
    """Return every experiment of *state* that ran, in order."""
    objective = state.terms.objectives[0]
    best: Measured | None = None
    steps = []
    for number, observation in enumerate(experiments_of(state), start=1):
        value = observation.values.get(objective.name)
        better = value is not None and (
            best is None or objective.score(value.mean) > objective.score(best.mean)
        )
        if better and observation.usable:
            best = value
        steps.append(Step(number, observation, value, best))
    return steps
