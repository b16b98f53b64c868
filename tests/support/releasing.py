"""Acknowledges and resets a latched gate, as a person at the bench does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def heliostat(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of heliostat to its end."""
    return subprocess.run(
        [sys.executable, "-m", "controller.cli", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400.0,
        check=False,
    )


def release(directory: Path, reason: str = "I looked") -> str:
    """Acknowledge and reset the gate of the campaign in *directory*; return what was said."""
    said = ""
    for arguments in (("ack", directory), ("reset", directory, "--reason", reason)):
        done = heliostat(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        said += done.stdout + done.stderr
    return said
