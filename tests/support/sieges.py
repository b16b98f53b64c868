"""Campaigns in processes, run by the real command, whose processes are killed and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from controller.chain import Chain, require_sound
from controller.events import (
    ExperimentFinished,
    ExperimentStarted,
    ObservationMade,
    SuggestionMade,
)
from controller.journal import FILE, read
from controller.processes.launch import FOLDER

ROOT = Path(__file__).parents[2]
BARREL = ROOT / "config/campaigns/recorded/crossed_barrel.yaml"
ROLES = ("controller", "engine", "gate", "worker", "twin", "archive")
PATIENCE_S = 120.0


class Siege:
    """One campaign in *directory*, run by ``heliostat run`` and then ``resume`` until it is over.

    Use it as a context: whatever happens, no process is left behind.
    """

    def __init__(
        self,
        directory: Path,
        file: Path = BARREL,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self._file = file
        self._options = options
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.output = directory.with_suffix(".log")

    def __enter__(self) -> "Siege":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def start(self) -> None:
        """Run the campaign, or go on with it."""
        begun = (self.directory / FILE).exists()
        what = (
            ["resume", str(self.directory), "--no-report", "--json"]
            if begun
            else ["run", str(self._file), "--data", str(self.directory), "--no-report", "--json"]
        )
        speed = () if begun else self._options
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller.cli", *what, *speed],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def pid(self, role: str) -> int | None:
        """Return the process of *role* (``supervisor`` too) if it lives."""
        if role == "supervisor":
            assert self.process is not None
            return self.process.pid if self.process.poll() is None else None
        path = self.directory / FOLDER / f"{role}.pid"
        try:
            pid = int(path.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def send(self, role: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal to the process of *role*; return whether there was one."""
        pid = self.pid(role)
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill_all(self) -> None:
        """Kill the supervisor and everything that it started, at once."""
        for role in ("supervisor", *ROLES):
            if self.process is not None:
                self.send(role)
        if self.process is not None:
            self.process.wait()

    def ended(self) -> int | None:
        """Return the command's exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return the command's exit code once it has ended; show its output when it doesn't."""
        assert self.process is not None
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s:\n{self.story()}") from None

    def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until *condition* is true, the command has not ended and it isn't too late."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.ended() is None, f"ended with {self.ended()}:\n{self.story()}"
            assert time.monotonic() < deadline, f"not within {timeout_s} s:\n{self.story()}"
            time.sleep(0.02)

    def count(self, kind: str) -> int:
        """Return how many events of *kind* the journal holds."""
        try:
            return sum(record.event.kind == kind for record in read(self.directory))
        except Exception:  # it is being written: there is nothing to count yet
            return 0

    def story(self) -> str:
        """Return what the command and its processes have said, for a failed test."""
        logs = sorted((self.directory / FOLDER).glob("*.log"))
        texts = [self.output, *logs]
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in texts)


def wrongs(directory: Path, experiments: int) -> list[str]:
    """Return what is wrong with the campaign in *directory*, which was to take *experiments*.

    Every experiment has started, has one observation and no second one, under one suggestion of
    its own; the chains hold; the documents of every run that counts are there and complete.
    """
    require_sound(directory / FILE)
    Chain.read(directory / "gate.sqlite", "writes").close()
    events = [record.event for record in read(directory)]
    observed = Counter(e.observation.experiment for e in events if isinstance(e, ObservationMade))
    started = [e for e in events if isinstance(e, ExperimentStarted)]
    finished = Counter(e.experiment_id for e in events if isinstance(e, ExperimentFinished))
    suggested = Counter(e.suggestion.id for e in events if isinstance(e, SuggestionMade))
    names = list(dict.fromkeys(e.experiment_id for e in started))
    attempts = Counter((e.experiment_id, e.attempt) for e in started)
    found = [f"{name}: observed {observed[name]} times" for name in names if observed[name] != 1]
    found += [f"{name}: never started, yet observed" for name in observed if name not in names]
    found += [f"{name}: finished {count} times" for name, count in finished.items() if count > 1]
    found += [f"{name}: suggested {count} times" for name, count in suggested.items() if count > 1]
    found += [f"{a}: started {count} times" for a, count in attempts.items() if count > 1]
    if len(names) != experiments:
        found.append(f"{len(names)} experiments, {experiments} were to be taken")
    return found
