"""The engine's process: the RunEngine with its devices, and nothing that decides or judges.

It runs one plan at a time, in a thread of its own; the main thread waits for signals. What it was
asked to run is on disk before it begins (``controller.requests_log``). It writes to hardware
through the gate's process alone.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from ophyd_async.core import Device

from controller.beginning import about, connecting, routine_of
from controller.bench.bench import EngineBench, Identity, World
from controller.benches import envelope_of, station_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.documents_feed import DocumentFeed
from controller.bus.errors import BusError
from controller.bus.messages import Head, Note, Up, WritesHead
from controller.devices.stretching import stretch
from controller.documents import DocumentWriter
from controller.engine import BenchHooks, Engine
from controller.errors import ControllerError, EngineError
from controller.plans.planning import planned_calls
from controller.processes.launch import Launch
from controller.processes.leasing import LeaseKeeper, LoopAnswers
from controller.processes.parting import when_orphaned
from controller.processes.plans import Plans
from controller.recorded.recording import Recording, recording
from controller.requests_log import RequestsLog
from controller.safety.devices.absences import Absences, in_words
from controller.safety.devices.connectors import ensure_guarded, guard, none_ungated
from controller.safety.devices.driver_device import DriverDevice
from controller.safety.devices.driver_line import speak_to_gate
from controller.safety.devices.remote import RemoteGate
from controller.seam import Ids, seam
from controller.threads import one_thread
from instruments.effects import Effect

_log = logging.getLogger("heliostat.engine")

FAILED = 1
CONNECT_S = 20.0
"""How long (real seconds) the devices may take to connect."""
LAST_WORD_S = 20.0
"""How long (real seconds) a plan may take to end when this process is asked to end."""
HEAD_S = 5.0
"""How long (real seconds) the gate is asked for the head of its record."""


def main(path: Path) -> int:
    """Run plans for the campaign of the launch file *path*; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("bluesky").setLevel(logging.ERROR)  # how a plan ended is told in the answer
    launch = Launch.read(path)
    os.environ.update(launch.epics)
    one_thread()
    with closing(Caller(launch.address("supervisor"), "engine")) as supervisor:
        try:
            with ExitStack() as stack:
                return _serve(stack, launch, supervisor)
        except ControllerError as error:
            _log.error("%s", error)
            _tell(supervisor, str(error))
            return FAILED


def _serve(stack: ExitStack, launch: Launch, supervisor: Caller) -> int:
    campaign, clock = recording(launch.directory), launch.clock()
    log = stack.enter_context(closing(RequestsLog.open(launch.directory)))
    feed = stack.enter_context(closing(DocumentFeed(launch.address("documents"))))
    writer = DocumentWriter(launch.directory, feed)
    gate_caller = stack.enter_context(closing(Caller(launch.address("gate"), "engine")))
    ids = Ids()
    stack.enter_context(seam(clock, ids))
    stack.enter_context(none_ungated())
    envelope = envelope_of(campaign.resolved, campaign.words.space)
    gate = RemoteGate(gate_caller, envelope, launch.speed)
    absences = Absences(launch.speed)
    engine = Engine(
        clock, writer, campaign.resolved.metadata, lambda since: in_words(absences.since(since))
    )
    stack.callback(engine.close)
    asyncio.run_coroutine_threadsafe(absences.watch(), clock.loop)
    head = [""]
    identity = Identity(
        campaign_id=campaign.state.campaign_id,
        directory=launch.directory,
        ids=ids,
        metadata=about(campaign.resolved, campaign.state),
        head=lambda: head[0],
        writes=partial(_head_of_writes, gate_caller),
    )
    bench = _bench(campaign, engine, gate, identity)
    plans = Plans(engine, bench, log, clock.now, head)
    life = Life(engine, plans)
    life.listen(launch.supervisor)
    answerer = Answerer(launch.address("engine"), plans.take)
    stack.callback(answerer.close)
    answers = LoopAnswers(clock.loop, envelope.dead_man.lease_s / 2.0)
    campaign_id, lease_s = campaign.state.campaign_id, envelope.dead_man.lease_s
    lease = LeaseKeeper(gate_caller, "engine", campaign_id, lease_s, answers)
    supervisor.post(Up(role="engine", pid=os.getpid()))
    _log.info("engine %d: at %s", os.getpid(), answerer.address)
    code = life.live()
    if life.asked and code == 0:
        lease.part("the engine was asked to end")
    return code


def _bench(
    campaign: Recording, engine: Engine, gate: RemoteGate, identity: Identity
) -> EngineBench:
    resolved, words = campaign.resolved, campaign.words
    file = Path(resolved.campaign.beamline)
    if resolved.beamline.has_devices:  # classic ones among them must find the gate's layer
        from controller.safety.devices.classic import install

        install(gate)
    station = station_of(resolved.beamline, words, file)
    routine = routine_of(resolved.campaign, station.devices())
    with connecting(resolved.beamline):
        engine.call(_connect(station.devices(), gate, resolved.beamline.passive))
        if routine.watch is not None:
            engine.call(routine.watch.connect())
    calls = planned_calls(resolved.campaign, words.space)
    gate.once = calls[0].spec.effect is Effect.IRREVERSIBLE
    world = World(BenchHooks(_nothing, _nothing))
    return EngineBench(engine, station, calls, world, identity, routine)


async def _connect(devices: Mapping[str, Any], gate: RemoteGate, passive: Collection[str]) -> None:
    for path, device in devices.items():
        if not isinstance(device, Device):
            await _connect_classic(gate, path, device, passive=path in passive)
            continue
        if isinstance(device, DriverDevice):
            speak_to_gate(path, device, gate)
        guard(gate, path, device)
        stretch(path, device, gate.speed)
        await device.connect(timeout=CONNECT_S * gate.speed)
        ensure_guarded(path, device)


async def _connect_classic(gate: RemoteGate, path: str, device: Any, *, passive: bool) -> None:
    from controller.safety.devices.classic import guard_classic

    guard_classic(gate, path, device, passive=passive)
    try:
        await asyncio.to_thread(device.wait_for_connection, timeout=CONNECT_S)
    except TimeoutError as error:
        raise EngineError(f"{path}: could not connect: {error}; is its IOC up?") from error


def _head_of_writes(gate: Caller) -> str:
    """Return the head of the gate's record, empty when it doesn't say."""
    try:
        answer = gate.call(WritesHead(), HEAD_S)
    except BusError:
        return ""
    return answer.head if isinstance(answer, Head) else ""


def _tell(supervisor: Caller, text: str) -> None:
    try:
        supervisor.call(Note(text=text), timeout_s=HEAD_S)
    except BusError as error:
        _log.warning("nobody was told: %s", error)


def _nothing() -> None:
    """Do nothing: a real bench needs nobody to let its time pass."""


class Life:
    """The main thread: carries plans out until a signal or a dead loop says that it is enough.

    The first SIGINT ends the plan at its next checkpoint, the second at once; SIGTERM and SIGHUP
    end the plan at once, its clean-up included, and then the process.
    """

    def __init__(self, engine: Engine, plans: Plans) -> None:
        self._engine = engine
        self._plans = plans
        self._interrupts = 0
        self._asked = threading.Event()

    def listen(self, supervisor: int) -> None:
        """Heed signals, and the death of the process *supervisor*."""
        signal.signal(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._leave)
        when_orphaned(partial(os.kill, os.getpid(), signal.SIGTERM), supervisor)

    @property
    def asked(self) -> bool:
        """Whether a signal has asked the process to end."""
        return self._asked.is_set()

    def live(self) -> int:
        """Wait until it is enough, and return the exit code."""
        worker = threading.Thread(target=self._plans.serve, name="plans", daemon=True)
        worker.start()
        while worker.is_alive() and not self._asked.is_set():
            self._asked.wait(POLL_S)
        if self._asked.is_set():
            self._plans.leave()
            worker.join(LAST_WORD_S)
        return FAILED if self._plans.failed or worker.is_alive() else 0

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts = self._interrupts + 1 if self._plans.busy else 0
        if self._plans.busy:
            at_once = self._interrupts > 1
            self._engine.stop("interrupted by the operator", now=at_once)
            _log.info("SIGINT: the plan ends %s", "at once" if at_once else "at its checkpoint")

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(FAILED)
        if self._plans.busy:
            self._engine.stop(f"{signal.Signals(number).name}: asked to end", now=True)
        self._asked.set()


POLL_S = 0.2
"""How often (real seconds) the main thread looks whether plans are still carried out."""
