"""Real processes for tests of the gate: a soft IOC, a gate with its campaign, who speaks to it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.beginning import started
from controller.benches import envelope_of, words_of
from controller.bus.delivery import Answerer, Caller
from controller.bus.gate_status import Status
from controller.bus.messages import Arm, Done, GateStatus, Message, Up
from controller.chain import Chain
from controller.journal import Journal
from controller.processes.launch import Launch
from controller.processes.leasing import LeaseKeeper
from controller.recorded.code_files import code_files
from controller.resolving import ResolvedCampaign
from controller.safety.desk.client import Clerk, LocalLine
from controller.safety.desk.commands import Acknowledge, Reset
from controller.safety.envelope.envelope import Envelope
from controller.versions import file_digests
from simulators.ioc.environment import epics_environment
from tests.support.commissioning import commission_live
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]


@dataclass
class IocProcess:
    """The bench's IOC; dies and comes back at the same place."""

    epics: Mapping[str, str]
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.bench_ioc"],
            cwd=ROOT,
            env={**os.environ, **self.epics},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def shown(self, name: str, value: Any = None) -> Any:
        """Return what record *name* holds; it is set to *value* first, as the hardware would."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(name if value is None else f"{name} {json.dumps(value)}")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@contextmanager
def bench_ioc() -> Iterator[IocProcess]:
    """Yield a running IOC on ports of its own."""
    ioc = IocProcess(epics_environment(free_port()))
    ioc.start()
    try:
        yield ioc
    finally:
        ioc.kill()


@dataclass
class GateProcess:
    """A gate of a campaign in a directory, and its supervisor's ears."""

    launch: Launch
    envelope: Envelope
    parent: bool = False
    ups: list[int] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return self.launch.address("gate")

    def start(self) -> None:
        """Start the process, and return when it is up."""
        path = self.launch.write()
        command = [sys.executable, "-m", "controller.processes", "gate", str(path)]
        if self.parent:
            command = [sys.executable, "-m", "tests.support.parent", *command]
        with (self.launch.directory / "gate.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **self.launch.epics},
                stdout=log,
                stderr=log,
            )
        known = len(self.ups)
        until(lambda: self._lives() and len(self.ups) > known, "the gate to be up")

    def _lives(self) -> bool:
        assert self.process is not None
        log = self.launch.directory / "gate.log"
        assert self.process.poll() is None, f"the gate ended: {log.read_text()}"
        return True

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send *number* and return how the process ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def records(self) -> list[dict[str, Any]]:
        """Return what the gate recorded."""
        chain = Chain.follow(self.launch.directory / "gate.sqlite", "writes")
        try:
            return [json.loads(link.payload) for link in chain.links()]
        finally:
            chain.close()

    @property
    def armed(self) -> Path:
        return self.launch.directory / "gate.armed"

    def hear(self, message: Message, answer: Callable[[Message], None], _request: str) -> None:
        if isinstance(message, Up):
            self.ups.append(message.pid)
        answer(Done())


@contextmanager
def gate_process(
    directory: Path, resolved: ResolvedCampaign, epics: Mapping[str, str], *, parent: bool = False
) -> Iterator[GateProcess]:
    """Yield a running gate for the campaign *resolved*, begun in *directory*; not armed.

    With *parent*, its process is that of a supervisor between us and the gate.
    """
    words = words_of(resolved)
    directory.mkdir(parents=True, exist_ok=True)
    journal = Journal.open(directory)
    if not len(journal):
        journal.append(time.time(), started(resolved, words.space, time.time()))
    journal.close()
    commission_live(directory, resolved)
    with tempfile.TemporaryDirectory(prefix="hgt") as runtime:
        launch = Launch(
            directory=directory,
            runtime=Path(runtime),
            epics=dict(epics),
            supervisor=os.getpid(),
            code=file_digests(code_files(resolved)),
        )
        gate = GateProcess(launch, envelope_of(resolved, words.space), parent=parent)
        ears = Answerer(launch.address("supervisor"), gate.hear)
        try:
            gate.start()
            yield gate
        finally:
            if gate.process is not None and gate.process.poll() is None:
                gate.kill()
            ears.close()


@contextmanager
def speaking(gate: GateProcess, *, armed: bool = True) -> Iterator[Caller]:
    """Yield who speaks to *gate*, which is armed before: controller and engine in one."""
    with ExitStack() as stack:
        caller = stack.enter_context(closing(Caller(gate.address, "test")))
        if armed:
            assert caller.call(Arm(digest=gate.envelope.digest()), PATIENCE_S) == Done()
            lease_s = gate.envelope.dead_man.lease_s
            for holder in ("controller", "engine"):
                stack.enter_context(closing(LeaseKeeper(caller, holder, "", lease_s)))
            until(lambda: state_of(caller) == "running", "the gate to run")
        yield caller


def released(gate: GateProcess) -> None:
    """Let a person acknowledge and reset *gate*, which is latched or is being made safe."""
    with closing(Caller(gate.address, "test")) as caller:
        until(lambda: state_of(caller) == "latched", "the gate to be latched")
        status = caller.call(GateStatus(), PATIENCE_S)
    assert isinstance(status, Status)
    with Clerk(LocalLine(gate.launch.runtime / "desk")) as clerk:
        clerk.ask(Acknowledge(occurrence=status.occurrence))
        clerk.ask(Reset(reason="a test has looked at it"))


def state_of(caller: Caller) -> str:
    """Return where the gate stands."""
    status = caller.call(GateStatus(), PATIENCE_S)
    assert isinstance(status, Status)
    return status.state
