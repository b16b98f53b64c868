"""The same faults met by a bare RunEngine with a suspender, and by heliostat, on the same soft IOC.

    python -m benchmarks.peer_faults [--only NAME ...] [--markdown FILE]

A plan lets hydrogen flow at the copper station and reads it, while the exhaust is what must work: a
suspender (SuspendFloor on its flow) guards it in the bare RunEngine (bluesky, classic ophyd for
the suspender, ophyd-async devices), the gate's envelope in heliostat. Each fault is injected while
hydrogen flows, from outside. What is written down is seen at the IOC: how long until the hydrogen
setpoint is 0, and how the plan ended. Exit status 1 when heliostat doesn't make the bench safe.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper, run_wrapper

from controller.bus.messages import PlanEnded
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.file import EnvelopeFile
from instruments.plans import Plan
from tests.support.campaigns import copper_campaign
from tests.support.crews import crew
from tests.support.ioc_client import Client, client
from tests.support.served import PREFIX, served_twin

ROOT = Path(__file__).parents[1]
PATIENCE_S = 12.0
"""How long one looks whether the bench gets safe (real seconds)."""
FLOW = 3.0
RULES: dict[str, Any] = {
    "name": "peers",
    "limits": {"h2.setpoint": "0..20 mL/min", "he.setpoint": "0..200 mL/min"},
    "safe": [{"stage": "gas off", "within": "1 s", "write": {"h2.setpoint": 0}}],
    "signals": {
        "h2.readback": {"unit": "mL/min", "max_age": "2 s"},
        "exhaust.flow": {"unit": "L/min", "max_age": "2 s"},
    },
    "rules": [
        {
            "kind": "requires",
            "name": "exhaust before hydrogen",
            "requires": "exhaust.flow > 2 L/min",
        },
        {"kind": "ownership", "name": "nobody else commands", "signals": ["h2.setpoint"]},
        {
            "kind": "arrival",
            "name": "hydrogen arrives",
            "setpoint": "h2.setpoint",
            "readback": "h2.readback",
            "tolerance": "0.5 mL/min",
            "within": "5 s",
        },
    ],
}


def flowing(station: Any, h2: float, clean_up: float = 0.0, blocked: float = 0.0) -> Plan:
    """Let *h2* (mL/min) flow and read it for 20 s.

    Its clean-up takes *clean_up* seconds; *blocked* seconds per reading it blocks the engine's
    loop, as a slow callback does.
    """

    def body() -> Plan:
        yield from bps.mv(station.h2.setpoint, h2)
        for _ in range(20):
            yield from bps.checkpoint()
            yield from bps.trigger_and_read([station.h2])
            time.sleep(blocked)
            yield from bps.sleep(max(0.0, 1.0 - blocked))

    def off() -> Plan:
        yield from bps.sleep(clean_up)
        yield from bps.mv(station.h2.setpoint, 0.0)

    yield from finalize_wrapper(run_wrapper(body()), off())


@dataclass
class Scene:
    """One side, while its plan lets hydrogen flow."""

    client: Client
    engine: "subprocess.Popen[bytes]"
    stop: Callable[[], object]
    """Asks for a stop at once, as an operator does."""
    outcome: Callable[[float], str]
    """How the plan ended within so many seconds, in words."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what the plan is called with."""

    name: str
    inject: Callable[[Scene], object]
    clean_up: float = 0.0
    blocked: float = 0.0
    before: Callable[[Scene], object] | None = None


@dataclass(frozen=True)
class Seen:
    """What was seen at the IOC."""

    safe_s: float | None
    """Until the hydrogen setpoint was 0; None: not within PATIENCE_S."""
    outcome: str

    def __str__(self) -> str:
        safe = "hydrogen flows on" if self.safe_s is None else f"off after {self.safe_s:.2f} s"
        return f"{safe}; plan: {self.outcome}"


def spoil(kind: str, where: str = "", amount: float = 0.0, s: float = 60.0) -> Any:
    return lambda scene: scene.client.ask("spoil", kind, where, amount, s)


def send(number: signal.Signals) -> Any:
    return lambda scene: scene.engine.send_signal(number)


FAULTS = (
    Fault("nothing goes wrong", lambda _scene: None),
    Fault("exhaust stops", spoil("exhaust_stop")),
    Fault("exhaust stops for 1 s, engine's loop blocked 1 s", spoil("exhaust_stop", s=1), 0.0, 1.0),
    Fault("exhaust reads NaN", spoil("nan", "exhaust.flow")),
    Fault("exhaust reading INVALID", spoil("invalid", "exhaust.flow")),
    Fault("exhaust's PV is gone", spoil("disconnect", "exhaust.flow")),
    Fault("second client sets 8 mL/min", lambda scene: scene.client.ask("put", "h2.setpoint", 8.0)),
    Fault("flow runs away, setpoint stays", spoil("runaway", "h2.setpoint", 15.0)),
    Fault("SIGTERM to the engine", send(signal.SIGTERM)),
    Fault("kill -9 of the engine", send(signal.SIGKILL)),
    Fault("engine stands still (SIGSTOP)", send(signal.SIGSTOP)),
    Fault("stop asked, clean-up takes 3 s", lambda scene: scene.stop(), 3.0),
)
UNTOUCHED = FAULTS[0].name


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--bare", nargs=2, type=float, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.bare:
        bare_engine(*wanted.bare)
        return
    chosen = [f for f in FAULTS if not wanted.only or any(o in f.name for o in wanted.only)]
    rows: list[tuple[str, Seen, Seen]] = []
    for fault in chosen:
        rows.append((fault.name, tried(fault, bare), tried(fault, heliostat)))
        name, theirs, ours = rows[-1]
        print(f"{name}\n  bare RunEngine: {theirs}\n  heliostat:      {ours}", flush=True)
    if wanted.markdown is not None:
        wanted.markdown.write_text(table(rows), encoding="utf-8")
    unsafe = [name for name, _, ours in rows if ours.safe_s is None and name != UNTOUCHED]
    sys.exit(f"not safe: {', '.join(unsafe)}" if unsafe else 0)


def table(rows: list[tuple[str, Seen, Seen]]) -> str:
    """Return *rows* as a table in Markdown."""
    lines = ["| fault | bare RunEngine with a suspender | heliostat |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {a} | {b} | {c} |" for a, b, c in rows)]) + "\n"


def tried(fault: Fault, side: Callable[[Fault], Any], times: int = 3) -> Seen:
    """Return what is seen; a computer so busy that nothing comes up in time is asked again."""
    while True:
        times -= 1
        try:
            return met(fault, side)
        except (AssertionError, TimeoutError) as error:
            print(f"  not set up: {error}", file=sys.stderr, flush=True)
            if not times:
                raise


def met(fault: Fault, side: Callable[[Fault], Any]) -> Seen:
    """Return what is seen when *fault* is injected into *side*."""
    with side(fault) as scene:
        scene.client.ask("connect")
        until(lambda: scene.client.value("h2.setpoint") == FLOW)
        time.sleep(2.5)
        began = time.monotonic()
        fault.inject(scene)
        safe_s = None
        while safe_s is None and time.monotonic() - began < PATIENCE_S:
            if scene.client.value("h2.setpoint") == 0.0:
                safe_s = time.monotonic() - began
        return Seen(safe_s, scene.outcome(20.0))


def until(true: Callable[[], object], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("hydrogen never flowed")
        time.sleep(0.02)


# --- the bare RunEngine -------------------------------------------------------------------------


@contextmanager
def bare(fault: Fault) -> Iterator[Scene]:
    """Yield a RunEngine in a process of its own, a suspender on the exhaust."""
    with served_twin() as epics, client(epics, PREFIX) as panel:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.peer_faults"),
                *("--bare", str(fault.clean_up), str(fault.blocked)),
            ],
            cwd=ROOT,
            env={**os.environ, **epics, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

        def stop() -> None:
            assert process.stdin is not None
            process.stdin.write(b"stop\n")
            process.stdin.flush()

        def outcome(within_s: float) -> str:
            try:
                code = process.wait(within_s)
            except subprocess.TimeoutExpired:
                return "still running, or suspended"
            assert process.stdout is not None
            said = process.stdout.read().decode().strip().splitlines()
            return str(json.loads(said[-1])) if said else f"process gone (code {code})"

        try:
            yield Scene(panel, process, stop, outcome)
        finally:
            process.kill()
            process.wait()


def bare_engine(clean_up: float, blocked: float) -> None:
    """Run the plan as bluesky's own documentation does, and print how it ended."""
    from bluesky import RunEngine
    from bluesky.run_engine import call_in_bluesky_event_loop
    from bluesky.suspenders import SuspendFloor
    from ophyd import EpicsSignalRO

    from instruments.xas_station import XasStation

    engine = RunEngine({}, context_managers=[], call_returns_result=True)
    station = XasStation.build(PREFIX)

    async def connect() -> None:
        for device in station.devices().values():
            await device.connect()

    call_in_bluesky_event_loop(connect(), timeout=30)
    exhaust = EpicsSignalRO(f"{PREFIX}EXHAUST:FLOW", name="exhaust")
    exhaust.wait_for_connection(timeout=20)
    engine.install_suspender(SuspendFloor(exhaust, 2.0, resume_thresh=2.5))

    def listen() -> None:
        for _ in sys.stdin:
            engine.abort("stop asked")

    threading.Thread(target=listen, daemon=True).start()
    try:
        ended: Any = engine(flowing(station, FLOW, clean_up, blocked))
        ended = ended.exit_status
    except Exception as error:  # however it ends is what is to be seen
        ended = f"{type(error).__name__}: {error}"
    print(json.dumps(str(ended)), flush=True)


# --- heliostat ----------------------------------------------------------------------------------


def campaign(fault: Fault) -> ResolvedCampaign:
    """Return a campaign whose plan lets hydrogen flow."""
    resolved = copper_campaign(
        space={"h2": {"type": "continuous", "low": 1, "high": 5, "unit": "mL/min"}},
        plan={
            "name": "benchmarks.peer_faults:flowing",
            "effect": "repeatable",
            "longest": "2 min",
            "arguments": {"clean_up": fault.clean_up, "blocked": fault.blocked},
        },
    )
    return resolved.model_copy(update={"envelope": EnvelopeFile.model_validate(RULES)})


@contextmanager
def heliostat(fault: Fault) -> Iterator[Scene]:
    """Yield the gate's and the engine's processes, the plan under way."""
    with tempfile.TemporaryDirectory() as folder:
        directory, resolved = Path(folder) / "c", campaign(fault)
        with (
            crew(directory, resolved, 1.0, "3 s") as made,
            client(made.launch.epics, resolved.beamline.prefix) as panel,
        ):
            asked = made.experiment()
            point = replace(asked.suggestion, parameters={"h2": FLOW})
            going = made.engine.post(asked.model_copy(update={"suggestion": point}))

            def outcome(within_s: float) -> str:
                try:
                    answer = going.result(within_s)
                except TimeoutError:
                    answer = None
                gate = made.status()
                why = f", gate {gate.state}" + (f": {gate.cause.reason}" if gate.cause else "")
                if not isinstance(answer, PlanEnded):
                    return f"no answer{why}"
                return (answer.reason or "success")[:160] + why

            def stop() -> None:
                command = [sys.executable, "-m", "controller.cli", "stop", str(directory)]
                subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)

            yield Scene(panel, made.processes["engine"], stop, outcome)


if __name__ == "__main__":
    main()
