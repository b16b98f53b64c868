"""What earlier campaigns found, taken from their journals for an agent that is to know of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.protocols import Objective, Observation
from agents.space import Space
from agents.transfer_options import EarlierCampaign, EarlierExperiment
from controller.errors import ConfigurationError, ControllerError
from controller.files.campaign import Chosen
from controller.history import fold, resolved_of, started_of
from controller.journal import FILE, read
from controller.resolving import ResolvedCampaign
from controller.spaces import Table, objectives_of, space_of
from controller.terms import terms_of

MOST = 200
"""So many experiments of each are taken, evenly spaced in order."""
KEY = "transfer"

ReadTable = Callable[[Path, Sequence[str]], Table]


def journals_of(agent: Chosen) -> Iterator[tuple[int, str]]:
    """Yield the place and the path of each journal that *agent* names and nobody has read yet."""
    named = agent.options.get(KEY) if agent.name == "bayesian" else None
    for place, each in enumerate(named if isinstance(named, list) else ()):
        if isinstance(each, str):
            yield place, each


def with_earlier(
    agent: Chosen, space: Space, objectives: Sequence[Objective], read_table: ReadTable
) -> Chosen:
    """Return *agent* with what its earlier campaigns found instead of their journals' paths.

    Members of a portfolio too. Raises ConfigurationError as ``taken`` does.
    """
    if agent.name == "portfolio" and isinstance(agent.options.get("agents"), list):
        members = [
            _member(member, space, objectives, read_table)
            for member in agent.options["agents"]  # type: ignore[union-attr]
        ]
        return agent.model_copy(update={"options": {**agent.options, "agents": members}})
    found = {
        place: taken(Path(path), space, objectives, read_table)
        for place, path in journals_of(agent)
    }
    return knowing(agent, found)


def knowing(agent: Chosen, found: Mapping[int, EarlierCampaign]) -> Chosen:
    """Return *agent* with what was *found*, by place, instead of the journals named there."""
    if not found:
        return agent
    named: list[Any] = list(agent.options[KEY])  # type: ignore[arg-type]
    for place, campaign in found.items():
        named[place] = campaign.model_dump(mode="json")
    return agent.model_copy(update={"options": {**agent.options, KEY: named}})


def _member(
    member: Any, space: Space, objectives: Sequence[Objective], read_table: ReadTable
) -> Any:
    options = member.get("options") if isinstance(member, dict) else None
    if not isinstance(options, dict):
        return member
    chosen = Chosen(name=str(member.get("name") or "?"), options=options)
    return {**member, "options": with_earlier(chosen, space, objectives, read_table).options}


def taken(
    place: Path, space: Space, objectives: Sequence[Objective], read_table: ReadTable
) -> EarlierCampaign:
    """Return what the campaign at *place* (its folder, or its journal) found.

    Usable experiments with a value of an objective, as they were corrected since. Raises
    ConfigurationError where there is no such campaign, its parameters or their units are others,
    or an objective wasn't measured in its unit.
    """
    directory = place.parent if place.name == FILE else place
    try:
        records = read(directory)
        resolved = resolved_of(records, directory)
        campaign, folder = resolved.campaign, resolved.beamline.table
        table = None
        if folder is not None:
            table = read_table(Path(folder), [each.name for each in campaign.objectives])
        before, wanted = space_of(campaign, table), objectives_of(campaign, table)
    except ControllerError as error:
        raise ConfigurationError(f"can't be used as an earlier campaign: {error}") from error
    _require_alike(directory, before, space)
    _require_measured(directory, wanted, objectives)
    began = ResolvedCampaign.model_validate(started_of(records, directory).campaign)
    state = fold(records, terms_of(began.campaign, wanted))
    names = [objective.name for objective in objectives]
    experiments = [each for one in state.observations if (each := _experiment(one, names))]
    if not experiments:
        raise ConfigurationError(f"{directory}: has measured nothing of {', '.join(names)} yet")
    rows = np.linspace(0, len(experiments) - 1, min(len(experiments), MOST)).round()
    chosen = tuple(experiments[row] for row in rows.astype(int).tolist())
    return EarlierCampaign.of(campaign.name, str(directory), chosen)


def _require_alike(directory: Path, before: Space, now: Space) -> None:
    """Refuse parameters of other names or units."""
    units = {parameter.name: parameter.unit for parameter in before.parameters}
    needed = {parameter.name: parameter.unit for parameter in now.parameters}
    if units != needed:
        raise ConfigurationError(
            f"{directory}: was a campaign over {_listed(units)}; "
            f"needed are the same parameters and units as here: {_listed(needed)}"
        )


def _require_measured(
    directory: Path, before: Sequence[Objective], now: Sequence[Objective]
) -> None:
    """Refuse where an objective had another unit, or was none."""
    units = {objective.name: objective.unit for objective in before}
    for objective in now:
        if units.get(objective.name) != objective.unit:
            raise ConfigurationError(
                f"{directory}: pursued {_listed(units)}; "
                f"needed is the objective {_listed({objective.name: objective.unit})}"
            )


def _listed(units: dict[str, str]) -> str:
    return ", ".join(f"{name} [{unit or '1'}]" for name, unit in units.items()) or "nothing"


def _experiment(observation: Observation, names: Sequence[str]) -> EarlierExperiment | None:
    values = {
        name: (value.mean, value.sigma)
        for name, value in observation.values.items()
        if name in names and np.isfinite([value.mean, value.sigma]).all()
    }
    if not observation.usable or not values:
        return None
    return EarlierExperiment(parameters=dict(observation.parameters), values=values)
