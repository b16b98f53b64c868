"""Experiments under the copper station's own rules while something goes wrong, in real processes.

Twin, gate and engine run for real, with ``config/safety/copper.yaml``; the test holds the
controller's lease, releases what has latched, and watches the twin's truth: what is in its
furnace and its gas lines, whatever its records show.
"""

import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.protocols import Suggestion
from controller.beginning import started
from controller.benches import envelope_of, installed, words_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.errors import BusError
from controller.bus.messages import (
    Arm,
    Done,
    Failed,
    GateStatus,
    PlanEnded,
    RunExperiment,
    Status,
    StopPlan,
)
from controller.checks.checking import load
from controller.errors import GateLost
from controller.files.campaign import Chosen
from controller.journal import Journal
from controller.processes.launch import Launch, Role
from controller.processes.leasing import LeaseKeeper
from controller.resolving import ResolvedCampaign
from controller.safety.desk.client import ActRefused, Clerk, LocalLine
from controller.safety.desk.commands import Acknowledge, Reset, Sample
from simulators.ioc.environment import epics_environment
from tests.support.crews import ROOT, Crew
from tests.support.ioc_client import Client, client
from tests.support.ports import free_port

FILE = ROOT / "config/campaigns/copper_oxidation.yaml"
PREFIX = "SIM:XAS:"
PHASES = ("heating", "gas", "exposure", "clean-up")
SPEED = 50.0
BOUND_S = 300.0
"""How long (real s) an experiment may take to end, or to come to a phase."""
ATTEMPTS = 4
"""How many experiments may end before the phase that is to be spoilt."""
FELT_S = 30.0
"""How long (real s) a fault lasts at most before it is mended and the end is waited for."""
POINT = {"temperature": 150.0, "o2": 5.0, "h2": 0.0, "dwell": 1.0}
SHORT = {
    "regeneration_temperature": 230.0,
    "regeneration_s": 30.0,
    "purge_s": 150.0,
    "exposure": 60.0,
    "grid": {"regions": [[8970.0, 9000.0, 10.0]]},
}
HOTTEST_DEGC = 870.0 + 20.0
"""The envelope's limit, and what a heater that was allowed there still brings."""
MOST_ML_MIN = 20.5
DOSE = "dose of a sample"
SAFE = {"furnace.setpoint": 40.0, "o2.setpoint": 0.0, "h2.setpoint": 0.0}


def campaign(lease: str) -> ResolvedCampaign:
    """Return the copper campaign with experiments of a few minutes of the bench."""
    resolved = load(FILE, installed())
    assert resolved.envelope is not None
    dead_man = resolved.envelope.dead_man.model_copy(update={"lease": lease})
    envelope = resolved.envelope.model_copy(update={"dead_man": dead_man})
    arguments = {**resolved.campaign.plan.arguments, **SHORT}
    plan = resolved.campaign.plan.model_copy(update={"arguments": arguments})
    changed = resolved.campaign.model_copy(update={"plan": plan, "agent": Chosen(name="sobol")})
    return resolved.model_copy(update={"campaign": changed, "envelope": envelope})


@dataclass
class Truth:
    """Watches the twin's own state on disk; *wrong* says what was never to be."""

    file: Path
    wrong: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._ended.wait(0.1):
            with suppress(OSError, ValueError):
                self.look(json.loads(self.file.read_text())["state"]["bench"]["twin"])

    def look(self, twin: dict[str, Any]) -> None:
        self.last = twin
        hot = twin["furnace"]["stage"]
        o2, h2, he = twin["gas"]["flows"]
        if not hot < HOTTEST_DEGC:
            self.note(f"the sample is at {hot:.0f} degC")
        if not max(o2, h2) < MOST_ML_MIN:
            self.note(f"{o2:.1f} mL/min of oxygen, {h2:.1f} of hydrogen")
        total = o2 + h2 + he
        undiluted = min(o2, h2) > 0.3 and not min(o2, h2) < 0.03 * total + 0.3
        if hot > 200.0 and undiluted:
            self.note(f"{hot:.0f} degC with {o2:.1f} mL/min O2 and {h2:.1f} H2 in {total:.0f}")

    def note(self, what: str) -> None:
        if not self.wrong or self.wrong[-1] != what:
            self.wrong.append(what)

    def close(self) -> None:
        self._ended.set()


@dataclass(frozen=True, slots=True)
class Met:
    """What became of one fault in one phase."""

    kind: str
    phase: str
    state: str
    """Of the gate, at its furthest: ``running``, ``hold`` or ``latched``."""
    said: str
    """What the operator reads."""
    after_s: float
    """How long (real s) until the gate tripped or held, or the plan ended."""
    ended: bool
    safe: bool
    """Whether what latched ended with its safe setpoints at the IOC."""
    wrong: tuple[str, ...]
    again: bool
    """Whether the gate could be armed again, once the fault was gone."""

    @property
    def survived(self) -> bool:
        """Whether nothing was ever outside, all ended, was safe where it latched, and goes on."""
        return self.ended and self.safe and not self.wrong and self.again and bool(self.said)


class SafetyRig:
    """A crew under the copper envelope, with a client of the IOC and eyes for the truth."""

    def __init__(self, crew: Crew, desk: Client, truth: Truth) -> None:
        self.crew, self.desk, self.truth = crew, desk, truth
        self._number = 0

    def status(self) -> Status:
        """Return where the gate stands."""
        answer = self.crew.gate.call(GateStatus(), BOUND_S)
        assert isinstance(answer, Status), answer
        return answer

    def ready(self) -> str:
        """Release what has latched and arm; return why it couldn't be, empty where it is."""
        deadline = time.monotonic() + BOUND_S
        why = ""
        while time.monotonic() < deadline:
            self._release()
            answer = self.crew.gate.call(Arm(digest=self.digest), BOUND_S)
            if answer == Done():
                return ""
            why = answer.reason if isinstance(answer, Failed) else str(answer)
            time.sleep(0.3)
        return why

    @property
    def digest(self) -> str:
        words = words_of(self.crew.resolved)
        return envelope_of(self.crew.resolved, words.space).digest()

    def _release(self) -> None:
        status = self.status()
        used_up = any(rule.name == DOSE and not rule.kept for rule in status.rules)
        if status.state != "latched" and not used_up:
            return
        with (
            suppress(ActRefused, GateLost),
            Clerk(LocalLine(self.crew.launch.runtime / "desk")) as clerk,
        ):
            if used_up:  # what a counter has said is never given back: another sample is put in
                clerk.ask(Sample(name=f"sample-{status.occurrence}"))
            clerk.ask(Acknowledge(occurrence=status.occurrence))
            clerk.ask(Reset(reason="the fault is gone"))

    def asked(self, point: dict[str, Any] | None = None) -> RunExperiment:
        self._number += 1
        name = f"s-{self._number}"
        suggestion = Suggestion(point or POINT, "test", "test", 0, 0, id=f"{name}-point")
        return RunExperiment(
            suggestion=suggestion, experiment_id=name, attempt=1, head=self.crew.head
        )

    def shown(self, path: str) -> Any:
        """Return what the IOC shows, None while it doesn't answer."""
        with suppress(AssertionError):
            return self.desk.value(path)
        return None

    def reached(self, phase: str, was: set[str]) -> bool:
        """Whether the experiment has come to *phase*; *was* keeps what it has come to."""
        if self.shown("he.setpoint"):
            was.add("begun")
        heating = self.shown("h2.setpoint") and self.shown("furnace.setpoint") == 230.0
        if heating and (self.shown("furnace.readback") or 0.0) > 100.0:
            was.add("heating")
        if "heating" in was and self.shown("h2.setpoint") == 0.0:
            was.add("gas")
        if self.shown("spectrometer.acquire") is True:
            was.add("exposure")
        if "exposure" in was and self.shown("spectrometer.acquire") is False:
            was.add("clean-up")
        return phase in was

    def meet(
        self,
        kind: str,
        phase: str,
        inject: "Callable[[SafetyRig, str], None]",
        early: bool = False,
    ) -> Met:
        """Run an experiment, spoil it in *phase*, and see what becomes of it and of the bench.

        *early*: before that, so that what begins the phase meets it.
        """
        self.truth.wrong.clear()
        going, was = self._begun(_before(phase) if early else phase, kind)
        began = time.monotonic()
        inject(self, phase)
        while early and time.monotonic() - began < FELT_S and not self.reached(phase, was):
            if going.done() or self.status().state != "running":
                break
        state, said, after_s = self._felt(going, began)
        safe = state != "latched" or self._safe()
        self.mend()
        ended, word = self._ended(going)
        safe = safe or self._safe()
        wrong = tuple(self.truth.wrong)
        again = not self.ready()
        return Met(kind, phase, state, said or word, after_s, ended, safe, wrong, again)

    def _begun(self, phase: str, kind: str) -> tuple[Any, set[str]]:
        """Return an experiment that has come to *phase*, and to what before; nothing is spoilt yet.

        Of a machine with much else to do, an experiment or two may end before.
        """
        for _ in range(ATTEMPTS):
            why = self.ready()
            assert not why, f"{kind}: the gate can't be armed: {why}"
            going = self.crew.engine.post(self.asked())
            was: set[str] = set()
            deadline = time.monotonic() + BOUND_S
            while not going.done():
                if self.reached(phase, was):
                    return going, was
                assert time.monotonic() < deadline, f"never came to {phase}"
        raise AssertionError(f"ended before {phase}: {going.result()}")

    def _felt(self, going: Any, began: float) -> tuple[str, str, float]:
        """Wait until the gate has latched, or the plan has ended; return where it stood, why."""
        state, said, after_s = "running", "", math.nan
        until = time.monotonic() + FELT_S
        while time.monotonic() < until:
            with suppress(BusError, AssertionError):
                status = self.status()
                if status.state in ("safing", "latched"):
                    cause = status.cause
                    told = "" if cause is None else f"{cause.kind} {cause.rule}: {cause.reason}"
                    return "latched", told, time.monotonic() - began
                if status.state == "hold" and state != "hold":
                    state, after_s = "hold", time.monotonic() - began
                    said = "; ".join(f"{hold.name}: {hold.reason}" for hold in status.holds)
            if going.done():
                return state, said or _word(going.result()), time.monotonic() - began
            time.sleep(0.02)
        return state, said, after_s

    def _safe(self) -> bool:
        """Whether the bench comes to its safe setpoints, by what the twin itself was commanded."""
        deadline = time.monotonic() + FELT_S
        while time.monotonic() < deadline:
            twin = self.truth.last
            o2, h2, _ = twin["gas"]["setpoints"]
            commanded = (twin["furnace"]["setpoint"], o2, h2, twin["beam"]["shutter"])
            if commanded == (40.0, 0.0, 0.0, 0.0):
                return True
            time.sleep(0.1)
        return False

    def mend(self) -> None:
        """Clear all faults, as soon as the IOC answers; start what has died."""
        for role in ("twin", "gate", "engine"):
            if self.crew.processes[role].poll() is not None:
                self.crew.start(role)  # type: ignore[arg-type]
        deadline = time.monotonic() + BOUND_S
        while time.monotonic() < deadline:
            with suppress(AssertionError):
                self.desk.ask("mend")
                return
            time.sleep(0.2)

    def _ended(self, going: Any) -> tuple[bool, str]:
        try:
            return True, _word(going.result(BOUND_S))
        except TimeoutError:
            self.crew.engine.call(StopPlan(now=True, reason="it never ended"), BOUND_S)
            return False, "it never ended"


def _before(phase: str) -> str:
    return ("begun", *PHASES)[PHASES.index(phase)]


def _word(answer: Any) -> str:
    if isinstance(answer, PlanEnded):
        return answer.reason or answer.unfit or "the experiment was a success"
    return f"{answer.error}: {answer.reason}" if isinstance(answer, Failed) else str(answer)


@contextmanager
def safety_rig(directory: Path, speed: float = SPEED, lease: str = "3 s") -> Iterator[SafetyRig]:
    """Yield twin, gate and engine under the copper envelope; everything ends with the block.

    *lease* is how long engine and controller may be silent.
    """
    resolved = campaign(lease)
    directory.mkdir(parents=True, exist_ok=True)
    now = time.time()
    with closing(Journal.open(directory)) as journal:
        journal.append(now, started(resolved, words_of(resolved).space, now))
        head = journal.head
    with tempfile.TemporaryDirectory(prefix="hsr") as runtime, ExitStack() as stack:
        launch = Launch(
            directory=directory,
            runtime=Path(runtime),
            speed=speed,
            anchor_wall=now,
            anchor_campaign=now,
            epics=epics_environment(free_port()),
            supervisor=os.getpid(),
        )
        engine, gate = (
            stack.enter_context(closing(Caller(launch.address(role), "test")))
            for role in ("engine", "gate")
        )
        crew = Crew(launch, resolved, head, engine, gate)
        stack.enter_context(closing(Answerer(launch.address("supervisor"), crew.hear)))
        stack.callback(_end, crew)
        roles: tuple[Role, ...] = ("twin", "gate", "engine")
        for role in roles:
            crew.start(role)
        lease_s = envelope_of(resolved, words_of(resolved).space).dead_man.lease_s
        stack.enter_context(closing(LeaseKeeper(gate, "controller", "", lease_s)))
        truth = stack.enter_context(closing(Truth(directory / "twin.json")))
        threading.Thread(target=truth.watch, daemon=True).start()
        desk = stack.enter_context(client(launch.epics, PREFIX))
        desk.ask("connect")
        yield SafetyRig(crew, desk, truth)


def _end(crew: Crew) -> None:
    for process in crew.processes.values():
        if process.poll() is None:
            process.kill()
        process.wait()
