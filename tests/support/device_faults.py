"""Experiments on a real twin, gate and engine while something goes wrong, and what became of them.

A fault comes in a phase of the experiment, which is known by what the gate has recorded; it is
cleared when the experiment has ended, and the next one must succeed.
"""

import json
import math
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.protocols import Suggestion
from controller.bus.messages import Done, Failed, PlanEnded, RunExperiment
from controller.files.campaign import Campaign
from controller.resolving import ResolvedCampaign
from tests.support.campaigns import ARGUMENTS, copper_campaign
from tests.support.crews import LEASE, Crew, crew
from tests.support.ioc_client import Client, client

PHASES = ("heating", "gas", "exposure", "clean-up")
PHASE_S = 300.0
"""How long (real seconds) an experiment may take to come to a phase."""
BOUND_S = 300.0
"""How long (real seconds) one may take to end once something has gone wrong."""

SOURCE = {"heating": "furnace", "gas": "o2", "clean-up": "o2"}


def shortened() -> ResolvedCampaign:
    """Return a copper campaign whose experiments take ten minutes of the bench, twenty kelvin."""
    minute = {"type": "continuous", "low": 1, "high": 1.5, "unit": "min"}
    return copper_campaign(
        space={
            "temperature": {"type": "continuous", "low": 60, "high": 65, "unit": "degC"},
            "o2": {"type": "continuous", "low": 5, "high": 10, "unit": "mL/min"},
            "dwell": minute,
        },
        plan={
            "name": "oxidise_and_measure",
            "arguments": {
                **ARGUMENTS,
                "regeneration_s": 30.0,
                "regeneration_temperature": 50.0,
                "purge_s": 20.0,
                "exposure": 60.0,
            },
        },
        measure_when={"all": ["ring.current > 50 mA"], "for": "10 s"},
    )


def misbehaving() -> ResolvedCampaign:
    """Return a campaign whose plan meets a device of Python that misbehaves."""
    copper = copper_campaign()
    plan = {
        "name": "tests.support.misbehaving:misbehave",
        "effect": "repeatable",
        "longest": "3 min",
    }
    space = {
        "kind": {"type": "categorical", "options": ["none", "other"]},
        "phase": {"type": "categorical", "options": ["treatment", "clean-up"]},
    }
    told = copper.campaign.model_dump(mode="json", exclude_none=True, by_alias=True)
    campaign = Campaign.model_validate({**told, "plan": plan, "space": space, "finally": None})
    return copper.model_copy(update={"campaign": campaign})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, in which phases, and how the experiment may end then.

    *expected* are words of ``Outcome.word``: success where nothing that counts was hurt.
    """

    kind: str
    inject: "Callable[[Rig, str], None]"
    expected: frozenset[str]
    phases: tuple[str, ...] = PHASES


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the experiment ended during which something was wrong, and the next one."""

    kind: str
    phase: str
    ended: PlanEnded | None
    took_s: float
    recovered_s: float
    """How long after the fault's end the next experiment began to measure; inf: not at all."""
    expected: frozenset[str]
    note: str = ""

    @property
    def word(self) -> str:
        """How it ended: hung, success, unfit, lost or failed."""
        if self.ended is None:
            return "hung"
        if self.ended.lost:
            return "lost"
        if self.ended.unfit:
            return "unfit"
        return "failed" if self.ended.reason else "success"

    @property
    def survived(self) -> bool:
        """Whether it ended as it may, readably, and the next experiment was a success."""
        readable = self.word == "success" or not unreadable(self.reason)
        return self.word in self.expected and readable and math.isfinite(self.recovered_s)

    @property
    def reason(self) -> str:
        """What the engine says about it."""
        return "" if self.ended is None else (self.ended.reason or self.ended.unfit)


def unreadable(reason: str) -> bool:
    """Whether *reason* is a bare exception's name, which helps nobody."""
    name, _, said = reason.partition(":")
    return name == "CancelledError" or (" " not in name and said.strip() in ("", "None", "()"))


class Rig:
    """A crew of processes with a second client of the twin beside it."""

    def __init__(self, made: Crew, desk: Client) -> None:
        self.crew = made
        self.desk = desk
        self._number = 0

    def spoil(self, kind: str, where: str = "", amount: float = 0.0, seconds: float = 0.0) -> None:
        why_not = self.desk.ask("spoil", kind, where, amount, seconds)
        assert not why_not, why_not

    def intents(self) -> list[tuple[str, Any]]:
        """Return what the gate has been about to write, in order: signal, value."""
        path = self.crew.launch.directory / "gate.sqlite"
        with closing(sqlite3.connect(path)) as file:
            rows = file.execute("SELECT payload FROM writes ORDER BY sequence").fetchall()
        told = [json.loads(payload) for (payload,) in rows]
        return [(one["signal"], one["value"]) for one in told if one["kind"] == "intent"]

    def reached(self, phase: str, before: int) -> bool:
        """Whether the experiment has come to *phase*, by what was written since *before*."""
        written = self.intents()[before:]
        names = [name for name, _ in written]
        exposing = "spectrometer.exposure" in names
        match phase:
            case "heating":
                return "furnace.setpoint" in names
            case "gas":
                return names.count("furnace.setpoint") == 2 and "he.setpoint" in names[-2:]
            case "exposure":
                return exposing
            case "clean-up":
                return exposing and ("shutter.command", "Closed") in written
            case _:
                return bool(names)

    def run(
        self,
        name: str,
        phase: str,
        inject: "Callable[[Rig, str], None]",
        parameters: Mapping[str, str],
        early: bool,
    ) -> tuple[PlanEnded | None, float]:
        """Run an experiment that *inject* disturbs in *phase*; return how it ended and when.

        *early*: as soon as it has begun, so that the phase is sure to meet it.
        """
        before = len(self.intents())
        going = self.crew.engine.post(self.asked(name, parameters))
        deadline = time.monotonic() + PHASE_S
        while not self.reached("" if early else phase, before) and not going.done():
            assert time.monotonic() < deadline, f"{name}: never came to {phase}"
            time.sleep(0.01)
        began = time.monotonic()
        inject(self, phase)
        try:
            answer = going.result(BOUND_S)
        except TimeoutError:
            return None, BOUND_S
        took = time.monotonic() - began
        if isinstance(answer, Failed):
            answer = PlanEnded(reason=answer.reason, lost=answer.lost)
        assert isinstance(answer, PlanEnded), answer
        return answer, took

    def asked(self, name: str, parameters: Mapping[str, str]) -> RunExperiment:
        asked = self.crew.experiment(name)
        if not parameters:
            return asked
        suggestion = Suggestion(parameters, "test", "test", 0, 0, id=asked.suggestion.id)
        return asked.model_copy(update={"suggestion": suggestion})

    def mend(self) -> None:
        """Clear all faults; start what has died."""
        for process in self.crew.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for role in ("twin", "gate", "engine"):
            if self.crew.processes[role].poll() is not None:
                self.crew.start(role)
        until_answered(lambda: self.desk.ask("mend"))

    def arm(self, patience_s: float = PHASE_S) -> bool:
        return self.crew.arm(patience_s) == Done()

    def meet(
        self,
        fault: Fault,
        phase: str,
        changes: Mapping[str, str] | None = None,
        *,
        early: bool = False,
    ) -> Outcome:
        """Run an experiment with *fault* in *phase*, or *early*, mend, and run the next one."""
        self._number += 1
        name = f"f-{self._number}"
        parameters = dict(changes or {})
        when = "" if parameters else phase
        ended, took = self.run(name, when, fault.inject, parameters, early)
        self.mend()
        mended = time.monotonic()
        sound = {**parameters, "kind": "none"} if parameters else {}
        recovered, note = math.inf, ""
        if self.arm():
            again = self.crew.engine.call(self.asked(f"{name}-next", sound), BOUND_S)
            if isinstance(again, PlanEnded) and not (again.reason or again.lost or again.unfit):
                recovered = time.monotonic() - mended
            else:
                note = f"the next: {again}"
        else:
            note = "the gate could not be armed"
        return Outcome(fault.kind, phase, ended, took, recovered, fault.expected, note)


def until_answered(ask: Callable[[], Any], patience_s: float = PHASE_S) -> None:
    """Ask until there is an answer: the client may have lost its server, too."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            ask()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@contextmanager
def rig(
    directory: Path, resolved: ResolvedCampaign, speed: float, lease: str = LEASE
) -> Iterator[Rig]:
    """Yield a rig for *resolved* with a client that injects faults."""
    with (
        crew(directory, resolved, speed, lease) as made,
        client(made.launch.epics, resolved.beamline.prefix) as desk,
    ):
        desk.ask("connect")
        yield Rig(made, desk)


# --- what goes wrong --------------------------------------------------------------------------


def on_panel(
    kind: str, what: str, amount: float = 0.0, seconds: float = 0.0
) -> "Callable[[Rig, str], None]":
    """Return what injects *kind* into the *what* (readback, setpoint) of the phase's device."""

    def inject(found: Rig, phase: str) -> None:
        found.spoil(kind, place(what, phase), amount, seconds)

    return inject


def place(what: str, phase: str) -> str:
    if not what:
        return ""
    if phase == "exposure":
        return "spectrometer.i0" if what == "readback" else "spectrometer.acquire"
    return f"{SOURCE[phase]}.{what}"


def on_process(role: str, number: int, seconds: float = 0.0) -> "Callable[[Rig, str], None]":
    """Return what sends a signal to a process; one that is stopped goes on after *seconds*."""

    def inject(found: Rig, _phase: str) -> None:
        process = found.crew.processes[role]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
            found.crew.start(role)
        elif seconds:
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)

    return inject


def second_mover(found: Rig, phase: str) -> None:
    """Another client takes the setpoint somewhere else."""
    where = {"heating": ("furnace.setpoint", 25.0), "exposure": ("shutter.command", "Closed")}
    signal_, value = where.get(phase, ("o2.setpoint", 3.0))
    time.sleep(0.05)
    found.desk.ask("put", signal_, value)


def nothing(_found: Rig, _phase: str) -> None:
    """Disturb nothing: the plan does that itself."""


OK, FAILED, LOST, UNFIT = "success", "failed", "lost", "unfit"


def expect(*words: str) -> frozenset[str]:
    return frozenset(words)
