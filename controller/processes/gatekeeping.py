"""The gate's process goes on: the station, the rules and the record, and who is listened to.

It makes the bench safe when it is told to, when it ends while armed, and when it starts and finds
that the gate before it died armed (``controller.processes.gate`` has begun with that already).
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.bench.commissioned import against_arming
from controller.benches import envelope_of, station_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import Failed, Judge, Message, Release, Up, Write
from controller.clock import Clock, ScaledClock
from controller.errors import EngineError
from controller.processes.desk import Whom, listening, sign, signing
from controller.processes.gate import First
from controller.processes.hands import CONNECT_S, ProcessHands
from controller.processes.launch import Launch
from controller.processes.parting import orphaned, when_orphaned
from controller.processes.patrol import Patrol
from controller.processes.rounds import Rounds
from controller.processes.telling import Telling
from controller.recorded.code_files import changed_code
from controller.recorded.recording import Recording, recording
from controller.safety.devices.absences import Absences
from controller.safety.envelope.declared import Stage
from controller.safety.envelope.envelope import Envelope
from controller.safety.gate.gate import Gate
from controller.safety.gate.means import Disk, Means
from controller.safety.hands.halting import Halt, Pulses, Tokens
from controller.safety.hands.puts import Actuator
from controller.safety.hands.safe_file import write_safe_file
from controller.safety.hands.safing import Safed, one_stage
from controller.safety.hands.stopper import SafePlan, Stopper, Watch
from controller.safety.process.actuators import InLoop, apart
from controller.safety.process.connections import Connections, connections_of
from controller.safety.process.keeper import Keeper
from controller.safety.process.monitors import Monitors
from controller.safety.record.audit import Audit
from controller.safety.record.signed_chain import SignedChain
from controller.safety.scene.moment import Moment
from controller.safety.states.leases import BOTH
from controller.safety.states.machine import State
from controller.safety.states.marker import Marker

PULSES_S = {"rules": 1.0, "devices": 1.0}
"""How long our own threads may be silent before the lease of the IOC isn't renewed any more.

The record is made in the thread of the rules: a disk that hangs silences that."""
ASKED_PER_S, ASKED_AT_ONCE = 500.0, 1000
"""How often one client may have writes judged; what comes more often isn't judged at all."""
OK, FAILED = 0, 1
LATER_S = 0.02
"""After how long what came during the first stage of a safe sequence is looked at again."""
_SAFE = frozenset({State.DISARMED, State.LATCHED, State.SAFING})
_log = logging.getLogger("heliostat.gate")


def keep(path: Path, first: First) -> int:
    """Keep the gate of the launch file *path* until asked to end; *first* works already.

    Returns the exit code.
    """
    launch = Launch.read(path)
    recorded = recording(launch.directory)
    if changed := changed_code(launch.code, recorded.resolved):
        return _unloaded(first, changed)
    known = _known(recorded)
    with closing(SignedChain.open(launch.directory / GATE_FILE, AUDIT_TABLE)) as chain:
        sign(chain)
        asyncio.run(_live(launch, first, chain, known))
        chain.sign_now()
    return OK


def _unloaded(first: First, changed: Sequence[str]) -> int:
    """End with nothing of the station loaded, once what was left armed is safe; the exit code.

    The marker stays: whoever resumes makes safe again, and is latched.
    """
    _log.error("%s: changed while the campaign ran; the station isn't loaded", ", ".join(changed))
    safed = Safed() if first.safing is None else first.safing.result()
    first.stopper.close()
    _tell(safed)
    if first.left_armed and not safed.reached:
        _log.error("no file says what makes the bench safe: see to it by hand")
        return FAILED
    return FAILED if safed.failed else OK


@dataclass(frozen=True, slots=True)
class _Known:
    """What the campaign says: limits, devices by name (none is connected), the people file."""

    envelope: Envelope
    devices: dict[str, Any]
    people: str
    uncommissioned: Callable[[str], str] | None
    """What tells why the envelope of a digest can't be used live; None for no real bench."""


def _known(recorded: Recording) -> _Known:
    resolved, words = recorded.resolved, recorded.words
    if resolved.beamline.has_devices:
        from controller.safety.devices.naming import name_only

        name_only()
    file = Path(resolved.campaign.beamline)
    devices: dict[str, Any] = station_of(resolved.beamline, words, file).devices()
    people = resolved.beamline.people or ""
    uncommissioned = against_arming(resolved, recorded.directory)
    return _Known(envelope_of(resolved, words.space), devices, people, uncommissioned)


def _clock(launch: Launch) -> Clock:
    clock = ScaledClock(launch.speed, launch.anchor_wall, launch.anchor_campaign)
    clock.loop.close()  # the gate waits in real seconds; only its records are in campaign time
    return clock


async def _live(launch: Launch, first: First, chain: SignedChain, known: _Known) -> None:
    envelope, audit = known.envelope, Audit(chain, _clock(launch))
    ended = _asked_to_end(launch)
    connections = connections_of(known.devices, envelope)
    hands = ProcessHands(connections, envelope, first.stopper, first.halt)
    marker = Marker(launch.directory)
    gate = Gate(envelope, audit, _means(launch, hands, marker, known.uncommissioned))
    with ExitStack() as stack:
        stack.callback(first.stopper.close)
        try:
            _learn(launch, first.stopper, envelope, connections)
            gate.start()
            work = _work(stack, launch, first, (gate, hands, audit, connections))
            work.append(asyncio.create_task(signing(chain)))
            whom = Whom(launch, known.people, partial(_stop_first, first, _stages(envelope)))
            stack.enter_context(listening(gate, whom))
            await _first_of(asyncio.create_task(ended.wait()), *work)
        finally:  # the outermost place of this process: whatever it was, the bench is made safe
            if marker.present:
                why = _forsaken(launch) or "the gate was asked to end"
                _tell(await gate.secure(why))


def _means(
    launch: Launch,
    hands: ProcessHands,
    marker: Marker,
    uncommissioned: Callable[[str], str] | None,
) -> Means:
    def now() -> Moment:
        real_s = time.monotonic()
        return Moment(launch.speed * real_s, real_s)

    return Means(
        hands=hands,
        marker=marker,
        now=now,
        disk=Disk(launch.directory),
        needed=BOTH,
        uncommissioned=uncommissioned,
        forsaken=partial(_forsaken, launch),
    )


def _forsaken(launch: Launch) -> str:
    return "the supervisor died" if orphaned(launch.supervisor) else ""


def _stages(envelope: Envelope) -> tuple[Stage, ...]:
    return envelope.stages or one_stage(envelope.safe_values())


def _stop_first(first: First, stages: tuple[Stage, ...]) -> Callable[[], None]:
    """Make safe before the gate hears that a person with a key has stopped; in any thread."""
    seen = first.halt.stop_unseen()
    first.stopper.start_safing(stages, "stopped by a person")
    return seen


def _learn(launch: Launch, stopper: Stopper, envelope: Envelope, connections: Connections) -> None:
    """Let the stopper know what makes the bench safe, and the next gate too."""
    stages = _stages(envelope)
    loop = asyncio.get_running_loop()
    actuators: dict[str, Actuator] = {}
    for signal_name in {name for stage in stages for name in stage.writes}:
        actuator = connections.actuators.get(signal_name)
        if actuator is not None:
            actuators[signal_name] = apart(actuator) or InLoop(actuator, loop)
    plan = SafePlan(stages, actuators)
    stopper.learn(plan)
    try:
        write_safe_file(launch.directory, plan)
    except OSError as error:  # the next gate makes safe a second later
        _log.error("what makes the bench safe can't be written down: %s", error)


def _work(
    stack: ExitStack,
    launch: Launch,
    first: First,
    parts: tuple[Gate, ProcessHands, Audit, Connections],
) -> list["asyncio.Future[Any]"]:
    """Begin all that goes on beside each other; return what must not end by itself."""
    gate, hands, audit, connections = parts
    supervisor = stack.enter_context(closing(Caller(launch.address("supervisor"), "gate")))
    engine = stack.enter_context(closing(Caller(launch.address("engine"), "gate")))
    patrol = stack.enter_context(closing(Patrol(gate.holder_died)))
    telling = Telling(gate, engine, supervisor, launch.directory)
    rounds = Rounds(gate, _clock(launch), telling, first.news)
    pulses = Pulses(PULSES_S)
    monitors = Monitors(connections.watched, rounds)
    tasks = [
        asyncio.create_task(rounds.tick(pulses, lambda: monitors.answers)),
        asyncio.create_task(monitors.run()),
        asyncio.create_task(Absences().watch()),
    ]
    for task in tasks:
        stack.callback(task.cancel)
    for name, actuator in connections.actuators.items():
        stack.callback(asyncio.create_task(_connect(name, actuator)).cancel)
    record = gate.envelope.dead_man.record
    first.stopper.look_after(Watch(pulses, record, lambda: gate.state not in _SAFE))
    keeper = Keeper(gate, hands.actuators, audit, patrol.met, connections.drivers)
    handler = _in_loop(keeper, patrol, first.halt)
    stack.enter_context(closing(Answerer(launch.address("gate"), handler)))
    supervisor.post(Up(role="gate", pid=os.getpid()))
    return [rounds.failed, *tasks]


async def _first_of(*work: "asyncio.Future[Any]") -> None:
    """Return when one of *work* ends; raises what it failed with."""
    done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _asked_to_end(launch: Launch) -> asyncio.Event:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)

    def end() -> None:
        loop.call_soon_threadsafe(ended.set)

    when_orphaned(end, launch.supervisor)
    return ended


def _in_loop(
    keeper: Keeper, patrol: Patrol, halt: Halt
) -> Callable[[Message, Callable[[Message], None], str], None]:
    loop, tokens = asyncio.get_running_loop(), Tokens(ASKED_PER_S, ASKED_AT_ONCE)

    def take(message: Message, answer: Callable[[Message], None], request: str) -> None:
        if not halt.calm:
            loop.call_later(LATER_S, take, message, answer, request)
            return
        if isinstance(message, Release):
            patrol.forget(message.holder)
        keeper.take(message, answer, request)

    def hand_on(message: Message, answer: Callable[[Message], None], request: str) -> None:
        halt.await_calm()
        client = request.partition("/")[0]
        if isinstance(message, (Write, Judge)) and not tokens.take(client):
            reason = f"{client} asks more than {ASKED_PER_S:g} times a second; nothing has moved"
            answer(Failed(error="TooMany", reason=reason, refused=True, lost=True))
            return
        loop.call_soon_threadsafe(take, message, answer, request)

    return hand_on


def _tell(safed: Safed) -> None:
    for name, reason in safed.failed.items():
        _log.error("%s is not safe: %s", name, reason)


async def _connect(name: str, actuator: Actuator) -> None:
    try:
        await actuator.connect(CONNECT_S)
    except EngineError as error:  # it is tried again when it is to be written
        _log.warning("%s: %s", name, error)
