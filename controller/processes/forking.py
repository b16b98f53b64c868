"""Processes of a campaign, forked from one that has loaded what they need; or started anew."""

import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

LOADING_S = 30.0
"""How long it may load before processes are started without it (real seconds)."""
ANSWER_S = 2.0
"""How long an answer may take, on a computer that is busy."""
LOOK_S = 0.1
"""How often it is looked whether somebody has stopped it (SIGSTOP): then nobody waits."""
MOST_BYTES = 32
READY = b"ready"
"""What it says first, once it has loaded."""
ADOPTED_S = 0.0005
"""How often it is looked whether who was forked is our child already."""
ROOM = "_" * 2048
"""What makes room on the command line for the names of the processes that come of it."""
_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


class Forked:
    """A process that was forked for us and is our child, as ``subprocess.Popen`` has them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it has ended (a signal's number negative), None while it runs."""
        if self.returncode is None:
            self._look(os.WNOHANG)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it has ended; raises subprocess.TimeoutExpired after *timeout* s."""
        if timeout is not None and self.poll() is None:
            self._await(timeout)
        if self.returncode is None:
            self._look(0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)  # not waited for yet: it is no other's number

    def _look(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # somebody else has waited for it
            self.returncode = 1
            return
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)

    def _await(self, timeout_s: float) -> None:
        descriptor = os.pidfd_open(self.pid)
        try:
            ended, _, _ = select.select([descriptor], [], [], timeout_s)
        finally:
            os.close(descriptor)
        if not ended:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout_s)


class ForkServer:
    """The process from which others are forked; it ends with ``close``, or when we do.

    Make it before there is much to do: it loads meanwhile.
    """

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self.pid = 0
        if not take_in_orphans(so=True):
            return
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller.processes.forkserver", ROOM],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what can't be loaded, a process started anew says
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                process_group=0,
            )
        self._channel, self.pid = ours, self._process.pid

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def works(self) -> bool:
        """Whether it can be asked, now or once it has loaded."""
        return self._channel is not None

    def ready(self, timeout_s: float = 0.0) -> bool:
        """Return whether it has loaded; wait for that, *timeout_s* at the most (real seconds)."""
        if self._channel is not None and not self._ready:
            self._ready = self._said(timeout_s) == READY
        return self._ready and self._channel is not None

    def fork(
        self, role: str, file: Path, log: Path, environment: Mapping[str, str]
    ) -> Forked | None:
        """Return a new process of *role* of the launch *file*; None where it must be started anew.

        *environment* is what it has beside ours.
        """
        if not self.ready() or self._channel is None:
            return None
        request = {"role": role, "file": str(file), "log": str(log.resolve())}
        request["environment"] = json.dumps(dict(environment))
        with suppress(OSError):
            self._channel.send(json.dumps(request).encode())
        said = self._said(ANSWER_S) or self._last_word()
        forked = _adopted(int(said)) if said.isdigit() else None
        if forked is None:
            self.close()
        return forked

    def close(self) -> None:
        """End it; what was forked from it goes on."""
        if self._channel is not None:
            self._last_word()
            take_in_orphans(so=False)

    def _last_word(self) -> bytes:
        """End it for good, and return what it has said all the same."""
        channel, process = self._channel, self._process
        if channel is None or process is None:
            return b""
        process.kill()
        process.wait()
        said = self._said(ANSWER_S)
        self._channel = None
        channel.close()
        return said

    def _said(self, timeout_s: float) -> bytes:
        """Return what it says within *timeout_s*, nothing where it doesn't or was stopped.

        Another thread may close it meanwhile: whoever is ending everything waits for nobody.
        """
        channel = self._channel
        if channel is None:
            return b""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            try:
                heard, _, _ = select.select([channel], [], [], min(left_s, LOOK_S))
                if heard:
                    return channel.recv(MOST_BYTES)
            except (OSError, ValueError):  # closed at either end
                return b""
            if left_s == 0.0 or _stopped(self.pid):
                return b""


def take_in_orphans(*, so: bool) -> bool:
    """Become the parent of what our children leave behind, or no more; return whether it worked."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(_SET_CHILD_SUBREAPER, int(so), 0, 0, 0) == 0


def _stopped(pid: int) -> bool:
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return said.rpartition(")")[2].split()[0] == "T"


def _adopted(pid: int) -> Forked | None:
    """Return process *pid* once it is ours, which is when who forked it has ended."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return Forked(pid)
        time.sleep(ADOPTED_S)
    with suppress(OSError):
        os.kill(pid, SIGKILL)
    return None
