"""Builds a campaign from its file: the one place that names a simulator."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ophyd_async.core import NotConnectedError

from agents.catalogue import OPTIONS, build_agent
from agents.protocols import Agent, Objective, Reducer
from agents.space import Categorical, Space
from controller.actions import next_action
from controller.anchors import AUDIT_TABLE, require_whole
from controller.approval import Approver, clearance_of, require_somebody
from controller.bench import EngineBench, Identity, Precheck, World
from controller.campaign import Campaign
from controller.chain import Chain
from controller.checking import Installed
from controller.clock import VIRTUAL_START, Clock, RealClock, VirtualClock
from controller.documents import DocumentWriter
from controller.engine import BenchHooks, Engine
from controller.errors import (
    ConfigurationError,
    EngineError,
    Problem,
)
from controller.events import CampaignResumed, CampaignStarted
from controller.history import fold, started_of
from controller.journal import FILE, Journal, locked, require_campaign
from controller.loop import Listener, Loop, Parts
from controller.planning import planned_calls
from controller.reducers import REDUCERS, build_reducer
from controller.resolving import ResolvedCampaign
from controller.safety.audit import Audit
from controller.safety.connectors import ensure_guarded, guard, none_ungated
from controller.safety.envelope import Envelope, envelope_of_space
from controller.safety.gate import Gate
from controller.seam import Ids, derived_id, seam
from controller.spaces import objectives_of, space_of
from controller.state import CampaignState
from controller.summary import Ranks, experiments_of
from controller.terms import terms_of
from controller.versions import changed, versions
from instruments.catalogue import PLANS
from instruments.recorded import RecordedBench, RecordedStation
from instruments.stations import XasStation
from simulators.copper.options import CopperOptions
from simulators.copper.twin import CopperTwin
from simulators.errors import TableError
from simulators.mock_bench import CopperBench, MockBench, TableBench
from simulators.recorded import read_table
from simulators.recorded_table import RecordedTable

OUTCOME_KEY = "bench-outcome-{}"
"""The data key of a recorded bench's outcome."""


@dataclass(frozen=True, slots=True)
class Words:
    """A campaign in the words of the agents: its space and what is wanted in it."""

    space: Space
    objectives: tuple[Objective, ...]
    table: RecordedTable | None


@dataclass(frozen=True, slots=True)
class Session:
    """A campaign ready to run, in its directory. ``twin`` is for tests and benchmarks alone."""

    loop: Loop
    resolved: ResolvedCampaign
    words: Words
    directory: Path
    twin: Any = None

    def ranks(self) -> Ranks | None:
        """Return how the experiments of a recorded bench rank, None for any other bench."""
        return ranks_of(self.words, self.loop.state)


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


@dataclass(frozen=True, slots=True)
class _Bench:
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
        twins={"copper": CopperOptions, "recorded": None},
        read_table=_table,
        now=datetime.now(UTC),
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
    """Return the agent that *campaign* names."""
    chosen = campaign.agent
    return build_agent(chosen.name, chosen.options, words.space, words.objectives, seed)


@contextmanager
def open_session(
    resolved: ResolvedCampaign,
    directory: Path,
    listener: Listener,
    approve: Approver | None = None,
) -> Iterator[Session]:
    """Begin the campaign *resolved* in *directory*, which must not hold one yet.

    *approve* asks a person, for campaigns that want one asked. Raises ConfigurationError when
    the directory holds a campaign, or nobody can be asked; CampaignInUse when another process
    is at it.
    """
    require_somebody(resolved.campaign, approve)
    with locked(directory), ExitStack() as stack:
        journal = Journal.open(directory)
        stack.callback(journal.close)
        if len(journal):
            raise ConfigurationError(
                f"{directory}: holds a campaign already; give another directory with --data, "
                f"or go on with `heliostat resume {directory}`"
            )
        words = words_of(resolved)
        yield _start(stack, journal, _Plan(resolved, words, directory, listener, approve))


@contextmanager
def resume_session(
    directory: Path, listener: Listener, approve: Approver | None = None
) -> Iterator[Session]:
    """Go on with the campaign in *directory*, from what its journal says.

    Raises NoCampaign when there is none, JournalBroken when it was changed, CampaignInUse when
    another process is at it.
    """
    require_campaign(directory)
    with locked(directory), ExitStack() as stack:
        journal = Journal.open(directory)
        stack.callback(journal.close)
        records = list(journal.records())
        require_whole(directory, records)
        started = started_of(records, directory)
        resolved = ResolvedCampaign.model_validate(started.campaign)
        require_somebody(resolved.campaign, approve)
        plan = _Plan(resolved, words_of(resolved), directory, listener, approve)
        state = fold(records, terms_of(plan.resolved.campaign, plan.words.objectives))
        clock = _clock(resolved, max(0.0, state.bench_time - state.started))
        stack.callback(clock.loop.close)
        session = _build(stack, (journal, clock), plan, state)
        if next_action(session.loop.state) is not None or state.final_failure:
            session.loop.record(CampaignResumed(changed=changed(started.versions, versions())))
        yield session


@dataclass(frozen=True, slots=True)
class _Plan:
    resolved: ResolvedCampaign
    words: Words
    directory: Path
    listener: Listener
    approve: Approver | None = None


def _start(stack: ExitStack, journal: Journal, plan: _Plan) -> Session:
    campaign = plan.resolved.campaign
    clock = _clock(plan.resolved, 0.0)
    stack.callback(clock.loop.close)
    started = CampaignStarted(
        campaign_id=derived_id(plan.resolved.model_dump_json(), campaign.seed, clock.now()),
        campaign=plan.resolved.model_dump(mode="json"),
        seed=campaign.seed,
        limits=_envelope(plan.resolved, plan.words.space).digest(),
        versions=versions(),
    )
    record = journal.append(clock.now(), started)
    state = fold([record], terms_of(plan.resolved.campaign, plan.words.objectives))
    plan.listener(record, state)
    return _build(stack, (journal, clock), plan, state)


def _build(
    stack: ExitStack, spine: tuple[Journal, Clock], plan: _Plan, state: CampaignState
) -> Session:
    resolved, words = plan.resolved, plan.words
    (journal, clock), ids = spine, Ids()
    envelope = _envelope(resolved, words.space)
    if state.limits != envelope.digest():
        raise ConfigurationError(
            f"{plan.directory}: the limits in force are not those that the campaign started with"
        )
    stack.enter_context(seam(clock, ids))
    stack.enter_context(none_ungated())
    chain = stack.enter_context(closing(Chain.open(plan.directory / FILE, AUDIT_TABLE)))
    gate = Gate(envelope, Audit(chain, clock))
    engine = Engine(clock, DocumentWriter(plan.directory), resolved.metadata)
    stack.callback(engine.close)
    bench = _bench(resolved, words, state.seed)
    try:
        engine.call(_connect(bench, gate, state))
    except NotConnectedError as error:
        raise EngineError(
            f"beamline {resolved.beamline.name!r}: could not connect: {error}; are its IOCs up, "
            f"and is the prefix {resolved.beamline.prefix!r} right?"
        ) from error
    identity = Identity(
        campaign_id=state.campaign_id,
        directory=plan.directory,
        ids=ids,
        metadata=_about(resolved, state),
        head=lambda: journal.head,
        writes=lambda: chain.head,
    )
    calls = planned_calls(resolved.campaign, words.space)
    parts = Parts(
        clock=clock,
        journal=journal,
        agent=agent_of(resolved.campaign, words, state.seed),
        reducer=_reducer(resolved, words),
        bench=EngineBench(engine, bench.station, calls, _world(bench), identity),
        clearance=clearance_of(
            resolved.campaign,
            Precheck(words.space, calls, gate, _until(resolved.campaign)),
            plan.approve,
        ),
    )
    return Session(Loop(parts, state, plan.listener), resolved, words, plan.directory, bench.twin)


def _clock(resolved: ResolvedCampaign, elapsed: float) -> Clock:
    return RealClock() if resolved.beamline.twin is None else VirtualClock(VIRTUAL_START, elapsed)


def _envelope(resolved: ResolvedCampaign, space: Space) -> Envelope:
    if resolved.envelope is not None:
        return resolved.envelope.envelope()
    return envelope_of_space(resolved.beamline.name, space)


def _bench(resolved: ResolvedCampaign, words: Words, seed: int) -> _Bench:
    beamline = resolved.beamline
    if words.table is not None:
        station = _recorded_station(beamline.prefix, words)
        return _Bench(station, TableBench(station, words.table, seed))
    xas = XasStation.build(beamline.prefix)
    if beamline.twin is None:
        return _Bench(xas)
    twin = CopperTwin(seed, CopperOptions.model_validate(beamline.twin.options))
    return _Bench(xas, CopperBench(xas, twin), twin)


def _recorded_station(prefix: str, words: Words) -> RecordedStation:
    columns: dict[str, type] = {
        p.name: str if isinstance(p, Categorical) else float for p in words.space.parameters
    }
    outcomes = tuple(objective.name for objective in words.objectives)
    return RecordedStation(RecordedBench(prefix, columns, outcomes, name="bench"))


async def _connect(bench: _Bench, gate: Gate, state: CampaignState) -> None:
    devices = bench.station.devices()
    for path, device in devices.items():
        guard(gate, path, device)
        await device.connect(mock=bench.simulated is not None)
        ensure_guarded(path, device)
    if bench.simulated is not None:
        if state.bench:
            bench.simulated.restore(state.bench)
        bench.simulated.attach(gate.watch)


def _world(bench: _Bench) -> World:
    simulated = bench.simulated
    if simulated is None:
        return World(BenchHooks(_nothing, _nothing))
    return World(BenchHooks(simulated.start, simulated.stop), simulated.snapshot)


def _nothing() -> None:
    """Do nothing: a real bench needs nobody to let its time pass."""


def _about(resolved: ResolvedCampaign, state: CampaignState) -> dict[str, Any]:
    return {
        "campaign": resolved.campaign.name,
        "campaign_id": state.campaign_id,
        "beamline": resolved.beamline.name,
        "seed": state.seed,
    }


def _reducer(resolved: ResolvedCampaign, words: Words) -> Reducer:
    chosen = resolved.campaign.reducer
    if chosen is not None:
        return build_reducer(chosen.name, chosen.options)
    keys = {o.name: OUTCOME_KEY.format(o.name) for o in words.objectives}
    return build_reducer("columns", {"keys": keys})


def _until(campaign: Campaign) -> float | None:
    return None if campaign.until is None else campaign.until.timestamp()
