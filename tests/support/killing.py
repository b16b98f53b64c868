"""Kills a campaign's process at chosen moments until it is done, and says how often it took."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.errors import ControllerError
from controller.journal import FILE, read
from tests.support.sieges import Siege

ROOT = Path(__file__).parents[2]
FAILPOINTS = ROOT / "tests/support/failpoints"
TIMEOUT_S = 600.0


def survive(directory: Path, seed: int, longest_s: float, most: int = 100) -> int:
    """Run the short campaign in *directory*, killing it again and again; return the kills.

    Each process is killed (SIGKILL) a random time after it was ready, at most *longest_s* and
    every time longer, so that the campaign gets on; the next one resumes, until one comes to the
    end.
    """
    rng = random.Random(seed)
    for kills in range(most):
        begun = (directory / "journal.sqlite").exists() and kills > 0
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.victim", "resume" if begun else "run", directory],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                break
        time.sleep(rng.uniform(0, longest_s) * (1 + kills))
        ended = process.poll()
        process.kill()
        process.wait()
        process.stdout.close()
        if ended == 0:
            return kills
        assert ended is None, f"the campaign ended by itself with {ended}"
    raise AssertionError(f"not done after {most} kills")


@dataclass(frozen=True, slots=True)
class Victim:
    """A campaign in one process in *directory*: that of *file*, or the short copper one."""

    directory: Path
    file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def go(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the campaign, or go on with it, until its process ends."""
        what = ["resume", str(self.directory)] if self._begun() else ["run", str(self.directory)]
        if what[0] == "run" and self.file is not None:
            what.append(str(self.file))
        return subprocess.run(
            [sys.executable, "-m", "tests.support.victim", *what],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def go_on(self) -> str:
        """Go on, undisturbed, until the campaign is over; return what went wrong, or nothing."""
        done = self.go()
        if self.file is not None and Siege(self.directory, self.file).say_what_became():
            done = self.go()
        return "" if done.returncode == 0 else f"resumed, it ended with {done.stderr[-2000:]}"

    def _begun(self) -> bool:
        if not (self.directory / FILE).exists():
            return False
        try:
            return bool(read(self.directory))
        except ControllerError:
            return False


@dataclass(frozen=True, slots=True)
class Point:
    """A place where a process dies: *role* at *record* of *table*, *when* of it."""

    role: str
    table: str
    record: int
    when: str

    def __str__(self) -> str:
        return f"{self.role}:{self.table}:{self.record}:{self.when}"


WHENS = ("before", "within", "after")


def killed_at(points: list[Point], marks: Path) -> dict[str, str]:
    """Return the environment in which processes die at *points*; each leaves a file in *marks*."""
    marks.mkdir(parents=True, exist_ok=True)
    text = ";".join(f"{point}:{marks / str(point).replace(':', '-')}" for point in points)
    return {"FAILPOINT": text, "PYTHONPATH": f"{FAILPOINTS}{os.pathsep}{ROOT}"}


def unreached(points: list[Point], marks: Path) -> list[Point]:
    """Return the points at which no process has died."""
    return [point for point in points if not (marks / str(point).replace(":", "-")).exists()]
