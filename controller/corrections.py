"""What people may correct while a campaign runs or when it doesn't, and when that makes sense."""

from controller.events import (
    Event,
    ExperimentResolved,
    ObservationAmended,
    ObservationRetracted,
    ObservationTold,
)
from controller.state import CampaignState

TEACHES_ANEW = (ObservationAmended, ObservationRetracted)
"""What changes observations that the agent was told: it must be built anew, and told them all."""


def reason_against(state: CampaignState, event: Event) -> str:
    """Return why a person's *event* can't be taken now, empty when it can."""
    match event:
        case ObservationTold(observation=observation):
            return _against_telling(state, observation.experiment)
        case ObservationAmended(experiment_id=name) | ObservationRetracted(experiment_id=name):
            return _against_changing(state, name)
        case ExperimentResolved(experiment_id=name):
            return _against_resolving(state, name)
    return f"{event.kind}: not something that a person can say"


def _against_telling(state: CampaignState, name: str) -> str:
    if name in _observed(state):
        return f"experiment {name}: has an observation already; correct it with `heliostat amend`"
    if state.running is not None and name == state.running.experiment_id:
        return f"experiment {name}: is in flight; tell of it when it has ended"
    return ""


def _against_changing(state: CampaignState, name: str) -> str:
    if name in _observed(state):
        return ""
    if name in state.retracted:
        return f"experiment {name}: its observation was retracted already"
    if any(name == one.experiment_id for one in state.in_flight):
        return f"experiment {name}: has no observation yet; see `heliostat resolve`"
    return f"there is no observation of an experiment {name}; known: {_some(_observed(state))}"


def _against_resolving(state: CampaignState, name: str) -> str:
    for one in state.in_flight:
        if name == one.experiment_id and one.finished is not None and not one.finished.unfit:
            return f"experiment {name}: has ended, and what it gave is on disk; it will be reduced"
        if name == one.experiment_id:
            return ""
    if name in _observed(state):
        return f"experiment {name}: its outcome is known; see `heliostat amend` and `retract`"
    waiting = [one.experiment_id for one in state.in_flight]
    return f"experiment {name}: doesn't wait for anybody's word; those that do: {_some(waiting)}"


def _observed(state: CampaignState) -> list[str]:
    return [one.experiment for one in state.observations]


def _some(names: list[str]) -> str:
    return ", ".join(names[-5:]) or "none"
