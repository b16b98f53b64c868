"""The processes around an engine, started for real: twin, gate, engine; the test is the rest."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agents.protocols import Suggestion
from controller.beginning import started
from controller.benches import agent_of, envelope_of, words_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.gate_status import Status
from controller.bus.messages import (
    Arm,
    Done,
    Failed,
    GateStatus,
    Message,
    Note,
    RunExperiment,
    Up,
)
from controller.journal import Journal
from controller.processes.launch import Launch, Role
from controller.processes.leasing import LeaseKeeper
from controller.recorded.code_files import code_files
from controller.resolving import ResolvedCampaign
from controller.safety.desk.client import Clerk, LocalLine
from controller.safety.desk.commands import Acknowledge, Reset
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.parts import DeadManPart, ReleasePart
from controller.versions import file_digests
from simulators.ioc.environment import epics_environment
from tests.support.commissioning import commission_live
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]


@dataclass
class Crew:
    """Processes of one campaign by role; each may be killed and started again."""

    launch: Launch
    resolved: ResolvedCampaign
    head: str
    engine: Caller
    gate: Caller
    ups: list[tuple[str, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, role: Role) -> int:
        """Start the process of *role*, wait until it is up, and return its id."""
        path = self.launch.write()
        with (self.launch.directory / f"{role}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "controller.processes", role, str(path)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.launch.epics},
                stdout=log,
                stderr=log,
            )
        self.processes[role] = process

        def up() -> bool:
            assert process.poll() is None, f"{role} ended: {self.log(role)}"
            return (role, process.pid) in self.ups

        until(up, f"the {role} to be up")
        return process.pid

    def log(self, role: str) -> str:
        return (self.launch.directory / f"{role}.log").read_text()

    def send(self, role: str, number: int) -> None:
        self.processes[role].send_signal(number)

    def ended(self, role: str) -> int:
        """Return how the process of *role* ended, once it has."""
        return self.processes[role].wait(PATIENCE_S)

    def kill(self, role: str) -> None:
        self.send(role, signal.SIGKILL)
        self.ended(role)

    def envelope(self) -> Envelope:
        return envelope_of(self.resolved, words_of(self.resolved).space)

    def arm(self, patience_s: float = PATIENCE_S) -> Message:
        """Arm the gate, and wait until it lets plans write; return what it says.

        What only people may release is acknowledged and reset first, as an operator would.
        """
        armed = self.gate.call(Arm(digest=self.envelope().digest()), patience_s)
        if isinstance(armed, Failed) and armed.error == "Latched":
            self.release()
            armed = self.gate.call(Arm(digest=self.envelope().digest()), patience_s)
        if armed == Done():
            until(lambda: self.status().state in ("running", "hold"), "the gate to run")
        return armed

    def status(self) -> Status:
        """Return where the gate stands."""
        status = self.gate.call(GateStatus(), PATIENCE_S)
        assert isinstance(status, Status), status
        return status

    def release(self) -> None:
        """Acknowledge and reset the gate, once it has made the bench safe."""
        status = until(lambda: (s := self.status()).state == "latched" and s, "it to be latched")
        with Clerk(LocalLine(self.launch.runtime / "desk")) as clerk:
            clerk.ask(Acknowledge(occurrence=status.occurrence))
            clerk.ask(Reset(reason="a test has looked at it"))

    def suggestion(self) -> Suggestion:
        """Return what the campaign's agent suggests first."""
        agent = agent_of(self.resolved.campaign, words_of(self.resolved), 3)
        return agent.ask(1)[0]

    def experiment(self, name: str = "e-1", attempt: int = 1) -> RunExperiment:
        return RunExperiment(
            suggestion=self.suggestion(), experiment_id=name, attempt=attempt, head=self.head
        )

    def hear(self, message: Message, answer: Callable[[Message], None], _request: str) -> None:
        if isinstance(message, Up):
            self.ups.append((message.role, message.pid))
        if isinstance(message, Note):
            self.notes.append(message.text)
        answer(Done())


LEASE = "60 s"
"""Longer than a busy machine lets anybody stand still; who dies is missed at once all the same."""


def going_on_by_itself(resolved: ResolvedCampaign, lease: str) -> ResolvedCampaign:
    """Return *resolved* with a standing release for deaths of our own processes."""
    if resolved.envelope is None:
        return resolved
    parts = {"release": ReleasePart(at_most_per_h=3600), "dead_man": DeadManPart(lease=lease)}
    return resolved.model_copy(update={"envelope": resolved.envelope.model_copy(update=parts)})


@contextmanager
def crew(
    directory: Path, resolved: ResolvedCampaign, speed: float = 20.0, lease: str = LEASE
) -> Iterator[Crew]:
    """Yield twin, gate and engine of *resolved*, up, the gate armed; the test is the controller.

    Deaths of processes are released without a person; *lease* is how long they may be silent.
    """
    resolved = going_on_by_itself(resolved, lease)
    directory.mkdir(parents=True, exist_ok=True)
    now = time.time()
    with closing(Journal.open(directory)) as journal:
        journal.append(now, started(resolved, words_of(resolved).space, now))
        head = journal.head
    commission_live(directory, resolved)
    with tempfile.TemporaryDirectory(prefix="hec") as runtime, ExitStack() as stack:
        launch = Launch(
            directory=directory,
            runtime=Path(runtime),
            speed=speed,
            anchor_wall=now,
            anchor_campaign=now,
            epics=epics_environment(free_port()),
            supervisor=os.getpid(),
            code=file_digests(code_files(resolved)),
        )
        callers = [
            stack.enter_context(closing(Caller(launch.address(role), "test")))
            for role in ("engine", "gate")
        ]
        made = Crew(launch, resolved, head, *callers)
        stack.enter_context(closing(Answerer(launch.address("supervisor"), made.hear)))
        stack.callback(_end, made)
        if resolved.beamline.twin is not None:
            made.start("twin")
        for role in ("gate", "engine"):
            made.start(role)
        lease_s = made.envelope().dead_man.lease_s
        stack.enter_context(closing(LeaseKeeper(made.gate, "controller", "", lease_s)))
        until(lambda: made.arm() == Done(), "the bench to be known and armed")
        yield made


def _end(made: Crew) -> None:
    for process in made.processes.values():
        if process.poll() is None:
            process.kill()
        process.wait()
