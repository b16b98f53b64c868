"""A campaign as its file says it, but for what the command line has said instead."""

from pathlib import Path
from typing import Any

from agents.catalogue import read_options
from controller.beamline_choice import LIVE, with_beamline
from controller.files.campaign import Budget, Campaign, Chosen
from controller.resolving import ResolvedCampaign, Wishes, absolute


def wished(resolved: ResolvedCampaign, wishes: Wishes) -> ResolvedCampaign:
    """Return *resolved*, just read from its file, as *wishes* want it; it keeps them.

    Raises ConfigurationError for an agent or a beamline that there isn't.
    """
    if wishes.agent is not None:
        read_options(wishes.agent, {})
    if wishes.beamline is not None and wishes.beamline != LIVE:
        file = absolute(wishes.beamline, Path.cwd())
        wishes = wishes.model_copy(update={"beamline": file})
    if wishes.beamline is not None:
        resolved = with_beamline(resolved, wishes.beamline)
    campaign = _changed(resolved.campaign, wishes)
    return resolved.model_copy(update={"campaign": campaign, "wishes": wishes})


def _changed(campaign: Campaign, wishes: Wishes) -> Campaign:
    changes: dict[str, Any] = {}
    if wishes.seed is not None:
        changes["seed"] = wishes.seed
    if wishes.experiments is not None:
        budget = campaign.budget
        changes["budget"] = Budget(experiments=wishes.experiments, duration=budget.duration)
    if wishes.agent is not None and wishes.agent != campaign.agent.name:
        changes["agent"] = Chosen(name=wishes.agent)
    return campaign.model_copy(update=changes)
