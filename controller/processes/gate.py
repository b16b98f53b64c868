"""The gate's process: the only one that holds connections which can write.

It makes the bench safe when it is told to, when it ends while armed, and when it starts and finds
that the gate before it died armed.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.benches import envelope_of, station_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import Message, Up
from controller.chain import Chain
from controller.clock import ScaledClock
from controller.errors import EngineError, JournalUnwritable
from controller.processes.launch import Launch
from controller.processes.parting import when_orphaned
from controller.recording import recording
from controller.safety.absences import Absences
from controller.safety.actuators import Actuator
from controller.safety.audit import Audit
from controller.safety.connections import Connections, connections_of, watch
from controller.safety.envelope import Envelope
from controller.safety.gate import Gate
from controller.safety.keeper import CONNECT_S, Hands, Keeper
from controller.safety.marker import Marker
from controller.safety.safing import Safed

_log = logging.getLogger("heliostat.gate")


def main(path: Path) -> int:
    """Keep the gate of the launch file *path* until asked to end; return the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    launch = Launch.read(path)
    os.environ.update(launch.epics)
    envelope, devices = _campaign(launch.directory)
    with closing(Chain.open(launch.directory / GATE_FILE, AUDIT_TABLE)) as chain:
        asyncio.run(_keep(launch, chain, envelope, connections_of(devices, envelope)))
    return 0


def _campaign(directory: Path) -> tuple[Envelope, dict[str, Any]]:
    """Return the limits in force and the station's devices by name, none of them connected."""
    recorded = recording(directory)
    resolved, words = recorded.resolved, recorded.words
    if resolved.beamline.has_devices:
        from controller.safety.naming import name_only

        name_only()
    file = Path(resolved.campaign.beamline)
    devices: dict[str, Any] = station_of(resolved.beamline, words, file).devices()
    return envelope_of(resolved, words.space), devices


async def _keep(launch: Launch, chain: Chain, envelope: Envelope, connections: Connections) -> None:
    clock = ScaledClock(launch.speed, launch.anchor_wall, launch.anchor_campaign)
    clock.loop.close()  # the gate waits in real seconds; only its records are in campaign time
    audit, marker = Audit(chain, clock), Marker(launch.directory)
    gate = Gate(envelope, audit)
    keeper = Keeper(gate, Hands(connections.actuators, audit, marker))
    ended = _asked_to_end(launch)
    supervisor = Caller(launch.address("supervisor"), "gate")
    answerer = Answerer(launch.address("gate"), _in_loop(keeper))
    try:
        if marker.found:
            _tell(await keeper.make_safe("the gate before had died"))
        background = [*_connecting(connections.actuators), *_watching(gate, connections)]
        background.append(asyncio.create_task(Absences().watch()))
        supervisor.post(Up(role="gate", pid=os.getpid()))
        await ended.wait()
    finally:  # the outermost place of this process: whatever it was, the bench is made safe
        if marker.present:
            _tell(await keeper.make_safe("the gate was asked to end"))
        answerer.close()
        supervisor.close()
    for task in background:
        task.cancel()


def _asked_to_end(launch: Launch) -> asyncio.Event:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)

    def orphaned() -> None:
        loop.call_soon_threadsafe(ended.set)

    when_orphaned(orphaned, launch.supervisor)
    return ended


def _in_loop(keeper: Keeper) -> Callable[[Message, Callable[[Message], None], str], None]:
    loop = asyncio.get_running_loop()

    def hand_on(message: Message, answer: Callable[[Message], None], request: str) -> None:
        loop.call_soon_threadsafe(keeper.take, message, answer, request)

    return hand_on


def _tell(safed: Safed) -> None:
    for name, reason in safed.failed.items():
        _log.error("%s is not safe: %s", name, reason)


def _connecting(actuators: dict[str, Actuator]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(_connect(name, actuator)) for name, actuator in actuators.items()]


async def _connect(name: str, actuator: Actuator) -> None:
    try:
        await actuator.connect(CONNECT_S)
    except EngineError as error:  # it is tried again when it is to be written
        _log.warning("%s: %s", name, error)


def _watching(gate: Gate, connections: Connections) -> list[asyncio.Task[None]]:
    readings: dict[str, float] = {}
    heard = partial(_hear, gate, readings)
    return [
        asyncio.create_task(watch(name, readback, heard))
        for name, readback in connections.readbacks.items()
    ]


def _hear(gate: Gate, readings: dict[str, float], name: str, value: float) -> None:
    readings[name] = value
    try:
        gate.watch(readings)
    except JournalUnwritable as error:  # nothing more is written either, but what makes safe
        _log.error("%s reads %g, which can't be recorded: %s", name, value, error)
