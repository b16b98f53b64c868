"""What a killed supervisor has left behind: its processes end by themselves, or are ended."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from controller.processes.launch import FILE, FOLDER

PATIENCE_S = 30.0
"""How long leftovers may take to end by themselves: the gate makes the bench safe first."""
POLL_S = 0.05


def note_process(directory: Path, role: str, pid: int) -> None:
    """Write down that *role* of the campaign in *directory* is process *pid*."""
    (directory / FOLDER / f"{role}.pid").write_text(str(pid), encoding="ascii")


def end_leftovers(directory: Path, patience_s: float = PATIENCE_S) -> tuple[int, ...]:
    """Return once no process of an earlier start lives; those killed after *patience_s*.

    A process that was stopped (SIGSTOP) is let go on first, so that it can end in its own way.
    """
    left = _alive(directory)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + patience_s
    while (left := _alive(directory)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while _alive(directory):
        time.sleep(POLL_S)
    return left


def _alive(directory: Path) -> tuple[int, ...]:
    """Return the processes of *directory* that still run; a number used again is another's."""
    folder = directory / FOLDER
    launch = str(folder / FILE)
    pids = [int(text) for path in folder.glob("*.pid") if (text := path.read_text()).isdigit()]
    return tuple(pid for pid in pids if _is_of(pid, launch))


def _is_of(pid: int, launch: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return launch.encode() in command and state != "Z"
