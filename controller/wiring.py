"""Builds a campaign that runs in one process: every part in its place, and nothing between them."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.actions import goes_on
from controller.anchors import AUDIT_TABLE, GATE_FILE, require_whole
from controller.approval import Approver, clearance_of, require_somebody
from controller.beginning import (
    about,
    connecting,
    reducer_of,
    require_new,
    routine_of,
    started,
    until,
)
from controller.bench.armed import ArmedBench
from controller.bench.bench import Identity, Precheck, World
from controller.bench.commissioned import against_arming
from controller.benches import (
    StationBench,
    Words,
    agent_of,
    bench_of,
    envelope_of,
    ranks_of,
    words_of,
)
from controller.clock import VIRTUAL_START, Clock, RealClock, VirtualClock
from controller.documents import DocumentWriter
from controller.engine import BenchHooks, Engine
from controller.errors import ConfigurationError, EngineError, JournalError
from controller.events import CampaignResumed
from controller.history import fold, resolved_of, started_of
from controller.journal import Journal, locked, require_campaign
from controller.loop import Listener, Loop, Parts
from controller.outcome.summary import Ranks
from controller.parts import Clearance
from controller.plans.planning import Calls, planned_calls
from controller.plans.stock import consumption
from controller.precheck.clearing import RunDry
from controller.precheck.gate import Present
from controller.precheck.rehearsing import Rehearsal
from controller.resolving import ResolvedCampaign
from controller.safety.devices.connectors import ensure_guarded, guard, none_ungated
from controller.safety.devices.inline import Bench
from controller.safety.gate.gate import Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.record.audit import Audit
from controller.safety.record.signed_chain import SignedChain
from controller.safety.record.signing import Signer
from controller.safety.scene.moment import Moment
from controller.safety.states.marker import Marker
from controller.seam import Ids, seam
from controller.state import CampaignState
from controller.terms import terms_of
from controller.versions import changed, versions


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
        require_new(journal, directory)
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
        resolved = resolved_of(records, directory)
        require_somebody(resolved.campaign, approve)
        plan = _Plan(resolved, words_of(resolved), directory, listener, approve)
        state = fold(records, terms_of(plan.resolved.campaign, plan.words.objectives))
        clock = _clock(resolved, max(0.0, state.bench_time - state.started))
        stack.callback(clock.loop.close)
        session = _build(stack, (journal, clock), plan, state)
        if goes_on(session.loop.state):
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
    clock = _clock(plan.resolved, 0.0)
    stack.callback(clock.loop.close)
    record = journal.append(clock.now(), started(plan.resolved, plan.words.space, clock.now()))
    state = fold([record], terms_of(plan.resolved.campaign, plan.words.objectives))
    plan.listener(record, state)
    return _build(stack, (journal, clock), plan, state)


def _build(
    stack: ExitStack, spine: tuple[Journal, Clock], plan: _Plan, state: CampaignState
) -> Session:
    resolved, words = plan.resolved, plan.words
    (journal, clock), ids = spine, Ids()
    envelope = envelope_of(resolved, words.space)
    if state.limits != envelope.digest():
        raise ConfigurationError(
            f"{plan.directory}: the limits in force are not those that the campaign started with"
        )
    stack.enter_context(seam(clock, ids))
    stack.enter_context(none_ungated())
    chain = stack.enter_context(closing(SignedChain.open(plan.directory / GATE_FILE, AUDIT_TABLE)))
    if not clock.virtual:  # a virtual campaign's record is the same everywhere, whoever runs it
        chain.sign_with(Signer.of_user())
    audit = Audit(chain, clock)
    engine = Engine(clock, DocumentWriter(plan.directory), resolved.metadata)
    stack.callback(engine.close)
    bench = bench_of(resolved.beamline, words, state.seed, Path(resolved.campaign.beamline))
    routine = routine_of(resolved.campaign, bench.station.devices())
    hands = Bench(bench.station.devices(), envelope)
    gate = Gate(envelope, audit, _means(plan, clock, hands))
    with connecting(resolved.beamline):
        engine.call(_connect(bench, gate, hands, state))
        stack.callback(_disarm, engine, gate)
        if routine.watch is not None:
            engine.call(routine.watch.connect())
    identity = Identity(
        campaign_id=state.campaign_id,
        directory=plan.directory,
        ids=ids,
        metadata=about(resolved, state),
        head=lambda: journal.head,
        writes=audit.anchor,
    )
    calls = planned_calls(resolved.campaign, words.space)
    parts = Parts(
        clock=clock,
        journal=journal,
        agent=agent_of(resolved.campaign, words, state.seed),
        reducer=reducer_of(resolved, words),
        bench=ArmedBench(engine, bench.station, calls, _world(bench), identity, routine).behind(
            gate
        ),
        clearance=clearance_of(
            resolved.campaign,
            _run_dry(stack, (engine, gate, bench), plan, calls),
            plan.approve,
        ),
        rebuild=partial(agent_of, resolved.campaign, words, state.seed),
        consumes=consumption(resolved.campaign, calls[0]),
    )
    return Session(Loop(parts, state, plan.listener), resolved, words, plan.directory, bench.twin)


def _clock(resolved: ResolvedCampaign, elapsed: float) -> Clock:
    return RealClock() if resolved.beamline.twin is None else VirtualClock(VIRTUAL_START, elapsed)


def _means(plan: _Plan, clock: Clock, hands: Bench) -> Means:
    """Return what the gate of this process acts with; all there is to know is in this process.

    A simulated bench is put back to where the journal has it: it wasn't left alone.
    """

    def now() -> Moment:
        at = clock.loop.time()
        return Moment(at, at)

    return Means(
        hands=LoopHands(hands.actuators()),
        marker=Marker(plan.directory),
        now=now,
        disk=Disk(plan.directory),
        uncommissioned=against_arming(plan.resolved, plan.directory),
        restored=clock.virtual,
    )


async def _connect(bench: StationBench, gate: Gate, eyes: Bench, state: CampaignState) -> None:
    devices = bench.station.devices()
    for path, device in devices.items():
        guard(gate, path, device)
        await device.connect(mock=bench.simulated is not None)
        ensure_guarded(path, device)
    if bench.simulated is not None:
        if state.bench:
            bench.simulated.restore(state.bench)
        bench.simulated.attach(lambda shown: gate.watch({**shown, **eyes.readings()}))
    gate.start()


def _disarm(engine: Engine, gate: Gate) -> None:
    """End in an orderly way, if anything was begun; a gate that has tripped stays so."""

    async def disarm() -> None:
        if gate.armed:
            gate.disarm()

    with suppress(EngineError, JournalError):  # why it ended is known already
        engine.call(disarm())


def _run_dry(
    stack: ExitStack, there: tuple[Engine, Gate, StationBench], plan: _Plan, calls: Calls
) -> Clearance:
    """Return what clears suggestions; where the limits have rules, by running plans dry too."""
    resolved, words = plan.resolved, plan.words
    engine, gate, bench = there
    precheck = Precheck(words.space, calls, gate.envelope, until(resolved.campaign))
    if not gate.envelope.rules:
        return precheck
    rehearsal = Rehearsal(resolved, words, resolved.campaign.seed, calls[0])
    stack.callback(rehearsal.close)

    async def present() -> Present:
        signals, rules = gate.picture()
        snapshot = {} if bench.simulated is None else bench.simulated.snapshot()
        return Present(signals, rules, snapshot)

    return RunDry(
        precheck, lambda suggestion: rehearsal.verdict(suggestion, engine.call(present()))
    )


def _world(bench: StationBench) -> World:
    simulated = bench.simulated
    if simulated is None:
        return World(BenchHooks(_nothing, _nothing))
    return World(BenchHooks(simulated.start, simulated.stop), simulated.snapshot)


def _nothing() -> None:
    """Do nothing: a real bench needs nobody to let its time pass."""
