"""What stands behind a campaign: its words, its station, and the twin in its place if it has one.

The one place that names a simulator.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.catalogue import OPTIONS, build_agent
from agents.protocols import Agent, Objective
from agents.space import Categorical, Space
from controller.checks.checking import Installed
from controller.devices.loading import load_devices, station_from
from controller.errors import ConfigurationError, Problem
from controller.files.beamline import Beamline
from controller.files.campaign import Campaign
from controller.outcome.summary import Ranks, experiments_of
from controller.outside.own import outside_agents
from controller.reducers import REDUCERS
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.envelope import Envelope, envelope_of_space
from controller.spaces import objectives_of, space_of
from controller.state import CampaignState
from instruments.catalogue import PLANS
from instruments.recorded import RecordedBench, RecordedStation
from instruments.stations import STATIONS
from simulators.errors import TableError
from simulators.mock_bench import MockBench, SelfAnswering
from simulators.recorded import read_table
from simulators.recorded_table import RecordedTable
from simulators.table_bench import TableBench
from simulators.twins import TWINS


@dataclass(frozen=True, slots=True)
class Words:
    """A campaign in the words of the agents: its space and what is wanted in it."""

    space: Space
    objectives: tuple[Objective, ...]
    table: RecordedTable | None


@dataclass(frozen=True, slots=True)
class StationBench:
    """A station with what stands in for it, if anything does."""

    station: Any
    simulated: MockBench | None = None
    twin: Any = None


def installed() -> Installed:
    """Return what this installation offers to campaign files by name."""
    return Installed(
        plans=PLANS,
        agents=OPTIONS,
        reducers=REDUCERS,
        twins={name: kind.options for name, kind in TWINS.items()}
        | {"recorded": None, "mock": None},
        read_table=_table,
        now=datetime.now(UTC),
        stations={name: kind.station for name, kind in TWINS.items()},
        units={name: kind.units for name, kind in TWINS.items()},
    )


def _table(folder: Path, objectives: Sequence[str]) -> RecordedTable:
    try:
        return read_table(folder, objectives)
    except TableError as error:
        problems = [
            Problem(str(p.file), p.message, p.row, p.column, p.value) for p in error.problems
        ]
        raise ConfigurationError(problems=problems) from error


def words_of(resolved: ResolvedCampaign) -> Words:
    """Return space and objectives of *resolved*; raises SpaceError, ConfigurationError."""
    campaign = resolved.campaign
    folder = resolved.beamline.table
    wanted = [objective.name for objective in campaign.objectives]
    table = None if folder is None else _table(Path(folder), wanted)
    return Words(space_of(campaign, table), objectives_of(campaign, table), table)


def agent_of(campaign: Campaign, words: Words, seed: int) -> Agent:
    """Return the agent that *campaign* names; AgentOptionError where it can't be made."""
    chosen, outside = campaign.agent, outside_agents()
    return build_agent(chosen.name, chosen.options, words.space, words.objectives, seed, outside)


def ranks_of(words: Words, state: CampaignState) -> Ranks | None:
    """Return how the experiments of *state* rank on a recorded bench, None for any other bench."""
    table = words.table
    if table is None:
        return None
    objective = words.objectives[0].name
    ranks = {
        o.experiment: table.rank(table.index_of(o.parameters), objective)
        for o in experiments_of(state)
    }
    return Ranks(len(table.pool), ranks, table.top_count())


def envelope_of(resolved: ResolvedCampaign, space: Space) -> Envelope:
    """Return the limits and rules in force: the envelope file's, or those of a recorded table."""
    if resolved.envelope is not None:
        return resolved.envelope.envelope(resolved.beamline.prefix)
    return envelope_of_space(resolved.beamline.name, space)


def station_of(beamline: Beamline, words: Words, file: Path = Path()) -> Any:
    """Return the devices of *beamline*, not connected; with a recorded table its one device.

    What the beamline *file* names is seen from its folder.
    """
    if words.table is not None:
        return _recorded_station(beamline.prefix or _prefix(beamline.name), words)
    own = STATIONS.get(beamline.station)
    base = None if own is None else own.build(beamline.prefix)
    return station_from(load_devices(beamline, file), base)


def bench_of(beamline: Beamline, words: Words, seed: int, file: Path = Path()) -> StationBench:
    """Return the station of *beamline* with what simulates it, if the *file* names a twin."""
    station = station_of(beamline, words, file)
    if words.table is not None:
        return StationBench(station, TableBench(station, words.table, seed))
    if beamline.twin is None:
        return StationBench(station)
    if beamline.twin.name == "mock":
        return StationBench(station, SelfAnswering())
    kind = TWINS[beamline.twin.name]
    simulated = kind.bench(station, seed, kind.options.model_validate(beamline.twin.options))
    return StationBench(station, simulated, simulated.twin)


def fresh_epics() -> dict[str, str]:
    """Return the EPICS variables of a soft IOC on ports that are free, for it and its clients."""
    from simulators.ioc.environment import epics_environment, free_port

    return epics_environment(free_port())


def _prefix(name: str) -> str:
    """Return how the PVs of the recorded table *name* begin, where its beamline doesn't say."""
    return re.sub(r"\W+", "_", name).upper() + ":"


def _recorded_station(prefix: str, words: Words) -> RecordedStation:
    columns: dict[str, type] = {
        p.name: str if isinstance(p, Categorical) else float for p in words.space.parameters
    }
    outcomes = tuple(objective.name for objective in words.objectives)
    return RecordedStation(RecordedBench(prefix, columns, outcomes, name="bench"))
