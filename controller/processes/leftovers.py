"""What a killed supervisor has left behind: its processes end by themselves, or are ended."""

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from controller.processes.launch import FILE, FOLDER, Launch

PATIENCE_S = 30.0
"""How long leftovers may take to end by themselves: the gate makes the bench safe first."""
POLL_S = 0.05
PREFIX = "heliostat-"
"""How the name of a folder for sockets begins."""


def new_runtime(directory: Path) -> Path:
    """Make a private folder for the sockets of one start of *directory*, and return it.

    It is where that of the start before was, so that who follows the documents finds them again;
    elsewhere where somebody has made something there meanwhile.
    """
    before = _runtime_of(directory)
    if before is not None:
        with suppress(OSError):
            before.mkdir(mode=0o700)
            return before
    return Path(tempfile.mkdtemp(prefix=PREFIX))


def note_process(directory: Path, role: str, pid: int) -> None:
    """Write down that *role* of the campaign in *directory* is process *pid*."""
    note_beside(directory / FOLDER / FILE, role, pid)


def note_beside(launch: Path, role: str, pid: int) -> None:
    """Write down beside the file *launch* that *role* of that start is process *pid*."""
    launch.with_name(f"{role}.pid").write_text(str(pid), encoding="ascii")


def end_leftovers(directory: Path, patience_s: float = PATIENCE_S) -> tuple[int, ...]:
    """Return once no process of an earlier start lives; those killed after *patience_s*.

    What they had for their sockets is removed. A process that was stopped (SIGSTOP) is let go on
    first, so that it can end in its own way.
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
    _remove_runtime(directory)
    return left


def await_end(directory: Path, role: str, patience_s: float = PATIENCE_S) -> None:
    """Return once *role* of the campaign in *directory* has ended, or after *patience_s*."""
    deadline = time.monotonic() + patience_s
    while _alive(directory, role) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _remove_runtime(directory: Path) -> None:
    """Remove the folder for sockets of the earlier start, unless it is another campaign's."""
    runtime = _runtime_of(directory)
    if runtime is not None:
        with suppress(OSError):
            shutil.rmtree(runtime)


def _runtime_of(directory: Path) -> Path | None:
    """Return where the earlier start had its sockets, None where there was none of *directory*.

    (A directory that was copied names the folder of the one that it was copied from.)
    """
    try:
        launch = Launch.read(directory / FOLDER / FILE)
    except (OSError, ValueError):
        return None
    ours = launch.directory == directory.resolve() and launch.runtime.name.startswith(PREFIX)
    return launch.runtime if ours else None


def _alive(directory: Path, role: str = "*") -> tuple[int, ...]:
    """Return the processes of *directory* that still run; a number used again is another's."""
    folder = directory.resolve() / FOLDER  # as they were told; ours may be relative
    launch = str(folder / FILE)
    pids = [
        int(text) for path in folder.glob(f"{role}.pid") if (text := path.read_text()).isdigit()
    ]
    return tuple(pid for pid in pids if _is_of(pid, launch))


def _is_of(pid: int, launch: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return launch.encode() in command and state != "Z"
