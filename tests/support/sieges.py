"""Campaigns in processes, run by the real command, whose processes are killed and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from controller.errors import ControllerError
from controller.events import ExperimentAbandoned, ExperimentStarted
from controller.journal import FILE, Record, read
from controller.processes import launch
from tests.support.besieged import strokes

ROOT = Path(__file__).parents[2]
ROLES = ("controller", "engine", "gate", "worker", "twin", "archive")
PATIENCE_S = 400.0
POLL_S = 0.02
OK = 0


class Siege:
    """One campaign in *directory*, run by ``heliostat run`` and then ``resume`` until it is over.

    Use it as a context: whatever happens, no process is left behind.
    """

    def __init__(
        self,
        directory: Path,
        file: Path,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.file = file
        self._options = options
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.output = directory.with_suffix(".log")
        self.starts = 0

    def __enter__(self) -> "Siege":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def start(self) -> None:
        """Run the campaign, or go on with it."""
        what = ["resume", str(self.directory)]
        if not self.records():
            what = ["run", str(self.file), "--data", str(self.directory)]
        self.starts += 1
        self.process = self._command(*what, "--no-report", "--json", *self._options)

    def command(self, *arguments: str) -> int:
        """Run another command to its end, and return its exit code."""
        return self._command(*arguments).wait(PATIENCE_S)

    def _command(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "controller.cli", *arguments],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    # --- processes ------------------------------------------------------------------------------

    def pid(self, role: str) -> int | None:
        """Return the process of *role* (``supervisor`` too) if it lives."""
        if role == "supervisor":
            assert self.process is not None
            return self.process.pid if self.process.poll() is None else None
        try:
            pid = int((self.directory / launch.FOLDER / f"{role}.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.directory / launch.FOLDER / launch.FILE) in command else None

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
        if self.process is None:
            return
        for role in ("supervisor", *ROLES):
            self.send(role)
        self.process.wait()

    def ended(self) -> int | None:
        """Return the command's exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    # --- waiting --------------------------------------------------------------------------------

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return the command's exit code once it has ended; show its output when it doesn't."""
        assert self.process is not None
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s:\n{self.story()}") from None

    def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> bool:
        """Wait until *condition* is true; return False when the command has ended before."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.ended() is not None:
                return bool(condition())
            assert time.monotonic() < deadline, f"not within {timeout_s} s:\n{self.story()}"
            time.sleep(POLL_S)
        return True

    # --- what the journal says ------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Return what the journal holds; nothing where there is none yet."""
        if not (self.directory / FILE).exists():
            return []
        with suppress(ControllerError):  # it is being begun
            return read(self.directory)
        return []

    def count(self, kind: str) -> int:
        """Return how many events of *kind* the journal holds."""
        return sum(record.event.kind == kind for record in self.records())

    def story(self) -> str:
        """Return what the command and its processes have said, for a failed test."""
        logs = sorted((self.directory / launch.FOLDER).glob("*.log"))
        texts = [path for path in (self.output, *logs) if path.exists()]
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-2500:]}" for p in texts)

    # --- to the end -----------------------------------------------------------------------------

    def finish(self, most: int = 20) -> None:
        """Go on until the campaign is over: resume, and say what became of experiments."""
        for _ in range(most):
            if self.wait() == OK and not self.say_what_became():
                return
            self.say_what_became()
            self.start()
        raise AssertionError(f"not over after {most} resumptions:\n{self.story()}")

    def say_what_became(self) -> list[str]:
        """Resolve every abandoned experiment truthfully, as a person who has looked.

        One whose stroke was made is done, measured or not; any other was not done.
        """
        events = [record.event for record in self.records()]
        given_up = [e.experiment_id for e in events if isinstance(e, ExperimentAbandoned)]
        open_ones = [name for name in dict.fromkeys(given_up) if _undecided(events, name)]
        for name in open_ones:
            word = "done" if self.struck(name) else "not-done"
            code = self.command("resolve", str(self.directory), name, word, "--reason", "I looked")
            assert code == OK, self.story()
        return open_ones

    def struck(self, experiment: str) -> int:
        """Return how often the press went down for *experiment*."""
        events = [record.event for record in self.records()]
        points = {
            e.suggestion.id: e.suggestion.parameters for e in events if e.kind == "suggestion_made"
        }
        [point] = {
            tuple(round(float(v), 6) for v in points[e.suggestion_id].values())
            for e in events
            if isinstance(e, ExperimentStarted) and e.experiment_id == experiment
        }
        return strokes(self.file.parent)[point]  # type: ignore[index]


def _undecided(events: Iterable[object], name: str) -> bool:
    """Whether the experiment *name* was abandoned, and nobody has said anything since."""
    last = [e.kind for e in events if getattr(e, "experiment_id", "") == name]  # type: ignore[attr-defined]
    return bool(last) and last[-1] == "experiment_abandoned"
