"""A worker process of a campaign in a directory, and a supervisor for it."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import Done, Message, Restart, Up
from controller.processes.launch import Launch

ROOT = Path(__file__).parents[2]


@dataclass
class Supervised:
    """One worker after the other, each started when it is asked for."""

    launch: Launch
    file: Path
    caller: Caller
    ups: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start a worker."""
        command = [sys.executable, "-m", "controller.processes", "worker", str(self.file)]
        with (self.launch.directory / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)

    def stop(self) -> None:
        """Let it stand still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, reason: str) -> None:
        """End the worker and start another; what an agent calls."""
        with self.lock:
            self.reasons.append(reason)
            self.end()
            self.start()

    def hear(self, message: Message, answer: Callable[[Message], None], _request: str) -> None:
        """Answer as a supervisor does."""
        if isinstance(message, Up):
            self.ups.append(message.pid)
        if isinstance(message, Restart):
            self.restart(message.reason)
        answer(Done())


@contextmanager
def supervised(directory: Path) -> Iterator[Supervised]:
    """Yield the supervisor of a worker for the campaign in *directory*; none is started yet."""
    with tempfile.TemporaryDirectory(prefix="hw") as runtime:
        launch = Launch(directory=directory, runtime=Path(runtime), supervisor=os.getpid())
        caller = Caller(launch.address("worker"), "controller")
        found = Supervised(launch, launch.write(), caller)
        answerer = Answerer(launch.address("supervisor"), found.hear)
        try:
            yield found
        finally:
            caller.close()
            found.end()
            answerer.close()
