"""A gate on the served copper twin, its supervisor and those who hold leases: real processes.

What benchmarks of the safety layer share. ``python -m benchmarks.gates LAUNCHFILE HOLDER`` is one
who holds a lease until it is killed.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.beginning import started
from controller.benches import envelope_of, words_of
from controller.bus.delivery import Caller
from controller.bus.gate_status import Status
from controller.bus.messages import Arm, Done, GateStatus, Write
from controller.journal import Journal
from controller.processes.launch import FOLDER, Launch
from controller.processes.leasing import LeaseKeeper
from controller.processes.supervisor import Supervisor
from controller.safety.desk.client import Clerk, LocalLine
from controller.safety.desk.commands import Acknowledge, Reset
from controller.safety.envelope.file import EnvelopeFile
from tests.support.campaigns import BEAMLINE, copper_campaign
from tests.support.commissioning import commission_live
from tests.support.served import PREFIX, served_twin

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
LEASE_S = 3.0
HOLDERS = ("controller", "engine")
SAFE = {"shutter.command": "Closed", "furnace.setpoint": 40, "o2.setpoint": 0, "h2.setpoint": 0}
HOT = {"furnace.setpoint": 300.0, "o2.setpoint": 5.0, "shutter.command": "Open"}
SETPOINTS = {"furnace.setpoint": "FURNACE:SP", "shutter.command": "SHUTTER:CMD"}
"""Those of the first stage that are watched at the IOC, and their PVs behind the prefix."""
ENVELOPE: dict[str, Any] = {
    "name": "benchmark",
    "limits": {
        "furnace.setpoint": "20..500 degC",
        "o2.setpoint": "0..20 mL/min",
        "h2.setpoint": "0..20 mL/min",
        "he.setpoint": "0..200 mL/min",
        "shutter.command": ["Open", "Closed"],
    },
    "safe": [
        {"stage": "stop what reacts", "within": "1 s", "write": SAFE},
        {"stage": "purge", "within": "5 s", "write": {"he.setpoint": 100}},
    ],
    "signals": {"exhaust.flow": {"unit": "L/min", "max_age": "3 s"}},
    "rules": [{"kind": "requires", "name": "exhaust", "requires": "exhaust.flow > 2 L/min"}],
    "dead_man": {"lease": f"{LEASE_S:g} s", "record": "{prefix}GATE:LEASE"},
}


@dataclass
class Seen:
    """What the IOC has told of one PV: (seconds of the monotonic clock, time stamp, value)."""

    name: str
    values: list[tuple[float, float, Any]] = field(default_factory=list)

    def first(self, is_so: Callable[[Any], bool], after: float) -> tuple[float, float]:
        """Wait for the first value after *after* that *is_so*; return when it came, and its stamp.

        (Of the same value told twice the first counts.)
        """
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for at, stamp, value in tuple(self.values):
                if at >= after and is_so(value):
                    return at, stamp
            time.sleep(0.002)
        raise SystemExit(f"{self.name}: never so, its last values are {self.values[-3:]}")


class Eyes:
    """Monitors PVs in a thread of its own; a client of the IOC beside the gate."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.seen = {signal_name: Seen(pv) for signal_name, pv in names.items()}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._watch(), self.loop).result(PATIENCE_S)

    async def _watch(self) -> None:
        from aioca import FORMAT_TIME, camonitor, connect

        for seen in self.seen.values():
            await connect(seen.name, timeout=PATIENCE_S)
            camonitor(
                seen.name,
                lambda value, seen=seen: seen.values.append(
                    (time.monotonic(), float(value.timestamp), float(value))
                ),
                format=FORMAT_TIME,
                all_updates=True,
            )

    def put(self, pv: str, value: Any) -> None:
        """Write *value* to *pv*, past the gate: as the bench itself would change."""
        from aioca import DBR_CHAR_STR, caput

        kind = DBR_CHAR_STR if isinstance(value, str) else None  # the panel's words are long
        put = caput(pv, value, datatype=kind, wait=True)
        asyncio.run_coroutine_threadsafe(put, self.loop).result(PATIENCE_S)


class Rig:
    """The gate under its supervisor, on the twin; the bench is hot after ``ready``."""

    def __init__(self, launch: Launch, digest: str) -> None:
        self.launch = launch
        self._digest = digest
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._supervisor = Supervisor(launch, ("gate",), lambda _text: None)
        self._supervisor.start()
        threading.Thread(target=self._supervisor.watch, args=(lambda: None,), daemon=True).start()
        self.caller = Caller(launch.address("gate"), "benchmark")
        names = {**SETPOINTS, "exhaust.flow": "EXHAUST:FLOW"}
        self.eyes = Eyes({name: PREFIX + suffix for name, suffix in names.items()})

    def ready(self) -> None:
        """Release what is latched, arm, let both hold leases, and heat."""
        for holder in HOLDERS:
            self.end_holder(holder)
        self._release()
        self._until(self._armed, "the gate to be armed")
        for holder in HOLDERS:
            command = [sys.executable, "-m", "benchmarks.gates", str(self._file), holder]
            self._holders[holder] = subprocess.Popen(command, cwd=ROOT)
        self._until(lambda: self.status().state == "running", "the gate to run")
        for name, value in HOT.items():
            answer = self.caller.call(Write(signal=name, value=value), PATIENCE_S)
            if answer != Done():
                raise SystemExit(f"{name} = {value}: {answer}")

    def status(self) -> Status:
        """Return where the gate stands."""
        answer = self.caller.call(GateStatus(), PATIENCE_S)
        assert isinstance(answer, Status)
        return answer

    def pid(self, role: str) -> int:
        """Return the process of the gate or of a holder."""
        if role in self._holders:
            return self._holders[role].pid
        return int((self.launch.directory / FOLDER / f"{role}.pid").read_text())

    def end_holder(self, role: str) -> None:
        """Kill who holds the lease of *role*."""
        process = self._holders.pop(role, None)
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def safe_after(self, begun: float) -> float:
        """Return when (monotonic s) the IOC had told all safe setpoints, after *begun*."""
        return max(
            self.eyes.seen["furnace.setpoint"].first(lambda v: abs(v - 40.0) < 1e-6, begun)[0],
            self.eyes.seen["shutter.command"].first(_closed, begun)[0],
        )

    def close(self) -> None:
        """End everything."""
        for holder in HOLDERS:
            self.end_holder(holder)
        self.caller.close()
        self._supervisor.close(orderly=True)

    @property
    def _file(self) -> Path:
        return self.launch.directory / FOLDER / "launch.json"

    def _armed(self) -> bool:
        return self.caller.call(Arm(digest=self._digest), 2.0 * PATIENCE_S) == Done()

    def _release(self) -> None:
        self._until(lambda: self.status().state not in ("safing", "securing"), "the end of safing")
        status = self.status()
        if status.state != "latched":
            return
        with Clerk(LocalLine(self.launch.runtime / "desk")) as clerk:
            clerk.ask(Acknowledge(occurrence=status.occurrence))
            clerk.ask(Reset(reason="a benchmark goes on"))

    @staticmethod
    def _until(true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {PATIENCE_S:g} s for {what}")
            time.sleep(0.02)


def _closed(value: float) -> bool:
    return value == CLOSED


CLOSED = 1.0
"""The number of the shutter's member Closed (Open, Closed)."""


@contextmanager
def rig(envelope: Mapping[str, Any] = ENVELOPE) -> Iterator[Rig]:
    """Yield a gate on a served twin, under *envelope*; everything ends with the block."""
    with ExitStack() as stack:
        epics = stack.enter_context(served_twin())
        os.environ.update(epics)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hbg")))
        resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
        beamline = type(resolved.beamline).model_validate(
            {"name": "xas", "station": BEAMLINE["station"], "prefix": PREFIX}
        )
        file = EnvelopeFile.model_validate(envelope)
        resolved = resolved.model_copy(update={"beamline": beamline, "envelope": file})
        words = words_of(resolved)
        with closing(Journal.open(directory)) as journal:
            journal.append(time.time(), started(resolved, words.space, time.time()))
        commission_live(directory, resolved)
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hbr")))
        launch = Launch(
            directory=directory, runtime=runtime, epics=dict(epics), supervisor=os.getpid()
        )
        digest = envelope_of(resolved, words.space).digest()
        yield stack.enter_context(closing(Rig(launch, digest)))


def machine() -> str:
    """Return how busy the machine is, in words."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one:.1f} (1 min), {five:.1f} (5 min)"


def in_words(name: str, seconds: list[float], goal_s: float | None = None) -> str:
    """Return the distribution of *seconds*, in ms, and how many met *goal_s*."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99))
    text = (
        f"{name}: n = {len(ordered)}, p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms, "
        f"max {1e3 * ordered[-1]:.1f} ms"
    )
    if goal_s is None:
        return text
    met = sum(s <= goal_s for s in ordered)
    return f"{text}; {met} of {len(ordered)} within {1e3 * goal_s:.0f} ms"


def hold(file: Path, holder: str) -> None:
    """Hold the lease of *holder* until killed."""
    launch = Launch.read(file)
    LeaseKeeper(Caller(launch.address("gate"), holder), holder, "", LEASE_S)
    signal.pause()


if __name__ == "__main__":
    hold(Path(sys.argv[1]), sys.argv[2])
