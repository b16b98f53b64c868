"""Who holds a lease until killed: ``python -m tests.support.holding LAUNCH HOLDER``."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.bus.delivery import Caller
from controller.processes.launch import FILE, FOLDER, Launch
from controller.processes.leasing import LeaseKeeper

ROOT = Path(__file__).parents[2]
LEASE_S = 10.0
"""Of the envelope too: nobody stands still so long by itself."""


@contextmanager
def holding(launch: Launch, holder: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a process that holds the lease of *holder*; it is killed at the end."""
    file = launch.directory / FOLDER / FILE
    command = [sys.executable, "-m", "tests.support.holding", str(file), holder]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def main(file: Path, holder: str) -> None:
    launch = Launch.read(file)
    LeaseKeeper(Caller(launch.address("gate"), holder), holder, "", LEASE_S)
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
