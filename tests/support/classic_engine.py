"""An engine's process with classic and ophyd-async devices behind a gate's process.

    python -m tests.support.classic_engine LAUNCHFILE

It runs every scene and writes what came of each to ``scenes.json`` in the campaign's directory;
``tests.controller.test_classic`` says what should have. It is a process of its own, since libca
reads where its servers are only once.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import ophyd
from bluesky import Msg, RunEngine
from bluesky import plan_stubs as bps
from bluesky.preprocessors import stage_decorator
from bluesky.suspenders import SuspendFloor

from controller.benches import envelope_of, station_of
from controller.bus.delivery import Caller
from controller.files.beamline import Beamline
from controller.processes.launch import Launch
from controller.recorded.recording import recording
from controller.safety.devices.classic import guard_classic, install
from controller.safety.devices.connectors import ensure_guarded, guard, none_ungated
from controller.safety.devices.remote import RemoteGate
from controller.safety.gate.gate import Gate
from tests.support.classic_devices import ClassicRig, Rig

DEVICES = {
    "motor": {"class": "ophyd.EpicsMotor", "prefix": "TEST:m1"},
    "valve": {"class": "ophyd.EpicsSignal", "prefix": "TEST:VALVE"},
    "busy": {
        "class": "ophyd.EpicsSignal",
        "prefix": "TEST:DET:ACQUIRE",
        "arguments": {"put_complete": True},
    },
    "state": {"class": "ophyd.EpicsSignal", "prefix": "TEST:SHUTTER:CMD"},
    "note": {"class": "ophyd.EpicsSignal", "prefix": "TEST:NOTE", "arguments": {"string": True}},
    "path": {"class": "ophyd.EpicsSignal", "prefix": "TEST:PATH", "arguments": {"string": True}},
    "held": {"class": "tests.support.classic_devices.Held", "prefix": "TEST:"},
    "flyer": {"class": "tests.support.classic_devices.Flyer", "prefix": "TEST:"},
    "furnace": {"class": "instruments.furnace.Furnace", "prefix": "TEST:FURNACE:"},
    "spectrometer": {"class": "instruments.beam.Spectrometer", "prefix": "TEST:SPEC:"},
    "trigger": {"class": "tests.support.classic_devices.Trigger", "prefix": "TEST:"},
    "rig": {"class": "tests.support.classic_devices.Rig", "prefix": "TEST:"},
    "old_rig": {"class": "tests.support.classic_devices.ClassicRig", "prefix": "TEST:"},
}
LIMITS = {
    "name": "classic",
    "limits": {
        "motor.user_setpoint": "-50..50 mm",
        "motor.motor_stop": "0..1",
        "valve": "0..10 mm",
        "held.valve": "0..10 mm",
        "flyer.valve": "0..10 mm",
        "rig.valve": "0..10 mm",
        "old_rig.valve": "0..10 mm",
        "state": ["Open", "Closed"],
        "busy": "0..1",
        "note": ["hello"],
        "path": ["/data/here"],
        "furnace.setpoint": "20..500 degC",
        "spectrometer.exposure": "0.001..60 s",
        "trigger.go": ["execute"],
    },
    "safe": {"valve": 0, "state": "Closed", "motor.motor_stop": 1},
    "free": ["spectrometer.acquire"],
}
TOO_MUCH = 30.0


class Bench:
    """The devices behind the gate, and a plain RunEngine."""

    def __init__(self, launch: Launch) -> None:
        campaign = recording(launch.directory)
        self.words = campaign.words
        self.resolved = campaign.resolved
        self.caller = Caller(launch.address("gate"), "engine")
        self.gate = RemoteGate(self.caller, envelope_of(self.resolved, self.words.space))
        self.early = ophyd.EpicsSignal("TEST:DOSE", name="early")
        self.layer = install(self.gate)
        self.engine = RunEngine(context_managers=[])
        self.devices = station_of(self.resolved.beamline, self.words).devices()
        asyncio.run_coroutine_threadsafe(self._connect(), self.engine.loop).result(30)

    def __getattr__(self, name: str) -> Any:
        return self.devices[name]

    async def _connect(self) -> None:
        with none_ungated():
            for path, device in self.devices.items():
                if hasattr(device, "wait_for_connection"):
                    guard_classic(self.gate, path, device)
                    await asyncio.to_thread(device.wait_for_connection, timeout=120)
                else:
                    guard(self.gate, path, device)
                    await device.connect(timeout=120)
                    ensure_guarded(path, device)

    def run(self, plan: Any) -> str:
        """Run *plan* and return why it failed, with all that led to it."""
        try:
            self.engine(plan)
        except BaseException as error:
            self.engine.loop.call_soon_threadsafe(lambda: None)
            return chain_of(error)
        return ""


def chain_of(error: BaseException | None) -> str:
    """Return *error* and everything that caused it, in one text."""
    told = []
    while error is not None and len(told) < 10:
        told.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return " <- ".join(told)


def attempt(act: Any) -> str:
    try:
        act()
    except BaseException as error:
        return chain_of(error)
    return ""


# --- scenes -------------------------------------------------------------------------------------


def moves(b: Bench) -> Any:
    error = b.run(bps.mv(b.motor, 2.5))
    return [error, b.motor.position]


def side_by_side(b: Bench) -> Any:
    def plan() -> Any:
        yield from bps.mv(b.furnace.setpoint, 77.0, b.valve, 4.0, b.motor, 1.0)
        yield from bps.mv(b.state, 1)
        yield from bps.trigger(b.spectrometer, wait=True)
        yield from bps.trigger_and_read([b.motor, b.valve, b.furnace])

    b.engine.subscribe(lambda _name, _doc: None)

    def run() -> Any:
        yield from bps.open_run()
        yield from plan()
        yield from bps.close_run()

    error = b.run(run())
    return [error, b.valve.get(), b.motor.position, b.state.get()]


def refused_move(b: Bench) -> Any:
    before = b.motor.position
    error = b.run(bps.mv(b.motor, 60.0))
    return [error, b.motor.position - before]


def refused_signal(b: Bench) -> Any:
    return [b.run(bps.mv(b.valve, TOO_MUCH)), b.valve.get()]


def completes(b: Bench) -> Any:
    began = time.monotonic()
    error = b.run(bps.abs_set(b.busy, 1, wait=True))
    return [error, time.monotonic() - began]


def stops(b: Bench) -> Any:
    status = b.motor.move(45.0, wait=False)
    while not b.motor.moving:
        time.sleep(0.02)
    b.motor.stop()
    attempt(lambda: status.wait(20))
    return [status.done, b.motor.position]


def puts_wait(b: Bench) -> Any:
    heard: list[str] = []
    b.valve.put(3.0, wait=True)
    at_once = b.valve.get(use_monitor=False)
    b.valve.put(2.0, use_complete=True, callback=lambda **about: heard.append(about["pvname"]))
    while not heard:
        time.sleep(0.02)
    return [at_once, heard, b.valve.get(use_monitor=False)]


def text(b: Bench) -> Any:
    b.note.put("hello")
    b.path.put("/data/here")
    return [
        b.note.get(use_monitor=False),
        b.path.get(use_monitor=False),
    ]


def other_ways(b: Bench) -> Any:
    """Ways of a motor and of a library past what a plan does."""
    import epics

    stray = epics.PV("TEST:HE:SP")
    stray.wait_for_connection(10)
    raw = epics.PV("TEST:VALVE")
    raw.wait_for_connection(10)
    return {
        "move": attempt(lambda: b.motor.move(60.0, wait=False)),
        "set_current_position": attempt(lambda: b.motor.set_current_position(0.0)),
        "set_lim": attempt(lambda: b.motor.set_lim(-1000.0, 1000.0)),
        "caput": attempt(lambda: ophyd.cl.caput("TEST:VALVE", TOO_MUCH)),
        "caput of a stranger": attempt(lambda: ophyd.cl.caput("TEST:HE:SP", 1.0)),
        "epics.caput": attempt(lambda: epics.caput("TEST:VALVE", TOO_MUCH)),
        "epics.PV": attempt(lambda: stray.put(1.0)),
        "raw epics.PV": attempt(lambda: raw.put(TOO_MUCH)),
        "device of nobody": attempt(lambda: ophyd.EpicsSignal("TEST:O2:SP", name="x").put(1.0)),
    }


def bypasses(b: Bench) -> Any:
    """The five ways around a guard that is a preprocessor of plans."""
    found = {}

    def direct() -> Any:
        yield from bps.null()
        b.valve.set(TOO_MUCH).wait(10)

    found["a direct set in a plan"] = b.run(direct())

    def kickoff() -> Any:
        yield from bps.open_run()
        yield from bps.kickoff(b.flyer, wait=True)

    found["kickoff"] = b.run(kickoff())

    @stage_decorator([b.held])
    def stage() -> Any:
        yield from bps.null()

    found["stage"] = b.run(stage())

    def on_start(name: str, _document: Any) -> None:
        if name == "start":
            b.valve.put(TOO_MUCH)

    token = b.engine.subscribe(on_start)

    def run() -> Any:
        yield from bps.open_run()
        yield from bps.close_run()

    found["a document callback"] = b.run(run())
    b.engine.unsubscribe(token)
    found["a suspender's pre_plan"] = _suspended(b)
    return found


def _suspended(b: Bench) -> str:
    watched = ophyd.Signal(name="watched", value=1.0)

    def before() -> Any:
        yield Msg("set", b.valve, TOO_MUCH, group="w")
        yield Msg("wait", None, group="w")

    suspender = SuspendFloor(watched, 0.5, pre_plan=before)

    def plan() -> Any:
        yield from bps.checkpoint()
        yield from bps.sleep(0.2)
        watched.put(0.0)
        yield from bps.sleep(2.0)

    b.engine.install_suspender(suspender)
    try:
        return b.run(plan())
    finally:
        b.engine.remove_suspender(suspender)


def commands(b: Bench) -> Any:
    return b.run(bps.trigger(b.trigger, wait=True))


def conformance(b: Bench) -> Any:
    """Every verb of a device that would write too much, in both libraries."""

    def in_loop(verb: str) -> None:
        work = b.rig.do(verb, mock=False)
        asyncio.run_coroutine_threadsafe(work, b.engine.loop).result(60)

    return {
        "by the gate's process": {v: attempt(lambda v=v: in_loop(v)) for v in Rig.VERBS},
        "classic": {v: attempt(lambda v=v: b.old_rig.do(v)) for v in ClassicRig.VERBS},
    }


def refuses_devices(b: Bench) -> Any:
    from tests.support.classic_devices import Sly

    sly = Sly("TEST:", name="sly")
    return {
        "sly": attempt(lambda: guard_classic(b.gate, "sly", sly)),
        "declared": attempt(lambda: guard_classic(b.gate, "sly", sly, passive=True)),
        "early": attempt(lambda: guard_classic(b.gate, "early", b.early)),
        "fast": attempt(
            lambda: guard_classic(RemoteGate(b.caller, b.gate.envelope, 60.0), "valve", b.valve)
        ),
        "inline": attempt(lambda: guard_classic(Gate.__new__(Gate), "valve", b.valve)),
        "no device": attempt(lambda: guard_classic(b.gate, "x", object())),
    }


def beamline() -> Beamline:
    """Return the beamline that the gate's process loads too."""
    return Beamline.model_validate({"name": "classic", "station": "devices", "devices": DEVICES})


SCENES = (
    moves,
    side_by_side,
    refused_move,
    refused_signal,
    completes,
    stops,
    puts_wait,
    text,
    commands,
    conformance,
    other_ways,
    bypasses,
    refuses_devices,
)


def main() -> None:
    launch = Launch.read(Path(sys.argv[1]))
    bench = Bench(launch)
    found = {}
    for scene in SCENES:
        print(scene.__name__, flush=True)
        found[scene.__name__] = scene(bench)
    (launch.directory / "scenes.json").write_text(json.dumps(found))
    bench.caller.close()


if __name__ == "__main__":
    main()
