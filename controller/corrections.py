"""What people may correct while a campaign runs or when it doesn't, and when that makes sense."""

from agents.operator import suggested_by
from agents.protocols import Suggestion
from controller.events import (
    Event,
    ExperimentResolved,
    ObservationAmended,
    ObservationRetracted,
    ObservationTold,
    PointProposed,
)
from controller.state import CampaignState
from controller.terms import HALTED, Stop

TEACHES_ANEW = (ObservationAmended, ObservationRetracted)
"""What changes observations that the agent was told: it must be built anew, and told them all."""


GOES_ON = (*HALTED, Stop.NOBODY, Stop.UNDECIDED)
"""Ends after which a person's point may still be tried, once they are over."""
MOST = 5
"""So many experiments are named to a person who named one that there isn't."""


def suggestion_of(proposal: PointProposed, known: int, seed: int) -> Suggestion:
    """Return the suggestion that *proposal* becomes when *known* observations have been made."""
    return suggested_by(proposal.person, proposal.reason, proposal.parameters, known, seed)


def reason_against(state: CampaignState, event: Event) -> str:
    """Return why a person's *event* can't be taken now, empty when it can."""
    match event:
        case ObservationTold(observation=observation):
            return _against_telling(state, observation.experiment)
        case ObservationAmended(experiment_id=name) | ObservationRetracted(experiment_id=name):
            return _against_changing(state, name)
        case ExperimentResolved(experiment_id=name):
            return _against_resolving(state, name)
        case PointProposed():
            return _against_proposing(state, event)
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


def _against_proposing(state: CampaignState, proposal: PointProposed) -> str:
    if state.stop_reason and state.stop_reason not in GOES_ON:
        return f"the campaign has ended ({state.stop_reason}): no point is taken any more"
    used = state.reused(suggestion_of(proposal, 0, 0))
    queued = [
        f"{name} = {proposal.parameters[name]}: queued already"
        for name in state.terms.once
        if any(one.parameters.get(name) == proposal.parameters.get(name) for one in state.proposed)
    ]
    return "; ".join((*used, *queued))


def _observed(state: CampaignState) -> list[str]:
    return [one.experiment for one in state.observations]


def _some(names: list[str]) -> str:
    if len(names) <= MOST:
        return ", ".join(names) or "none"
    return f"the last {MOST} of {len(names)}: {', '.join(names[-MOST:])}"
