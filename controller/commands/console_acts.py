"""What the console has others do, for a campaign of this machine: by the ways the commands go."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from controller.bus.gate_status import Status
from controller.commands import correcting, stopping
from controller.commands.safety_reaching import clerk, holder_of, running_gate, status_from
from controller.console.acts import Ending, Outcome
from controller.errors import GateLost
from controller.processes.launch import FILE, FOLDER, Launch
from controller.safety.desk.client import ActRefused, Clerk
from controller.safety.desk.commands import Accepted, Act, Stop

ANSWER_S = 0.3
"""How long the gate may take to say that it makes the bench safe, before other ways are tried."""
LONGEST_LINE = 100_000


class LocalActs:
    """The campaign in *directory*, which is told what people want."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._status_line: Clerk | None = None
        self._lock = threading.Lock()

    def status(self) -> Status:
        """Return how the gate stands; the line to it is kept."""
        with self._lock:
            for fresh in (False, True):
                try:
                    if self._status_line is None or fresh:
                        self._status_line = clerk(self._directory)
                    return status_from(self._status_line)
                except (GateLost, ActRefused):
                    self._hang_up()
                    if fresh:
                        raise
        raise AssertionError

    def gate(self, act: Act) -> Accepted:
        """Have the gate do *act*, on a line of its own: some take long."""
        with clerk(self._directory) as desk:
            return desk.ask(act)

    def estop(self) -> str:
        """Have the bench made safe: at the gate's stop socket, its desk, or as `heliostat stop`."""
        with suppress(OSError, ValueError):
            return self._at_the_stop_socket()
        with suppress(GateLost, ActRefused), clerk(self._directory) as desk:
            return desk.ask(Stop()).text
        code = stopping.stop(self._directory, everything=False)
        if code != stopping.OK:
            raise GateLost(
                "the stop: not every safe value is known to be reached; SEE TO IT BY HAND"
            )
        return "stopped"

    def end(self, how: Ending) -> str:
        """Ask whoever runs the campaign to end it, as Ctrl-C or the system does."""
        pid = self._runner()
        number = signal.SIGINT if how == "stop" else signal.SIGTERM
        try:
            os.kill(pid, number)
        except OSError as error:
            raise GateLost(f"process {pid}, which runs the campaign: {error.strerror}") from error
        if how == "stop":
            return "asked to end: what is under way ends at its next checkpoint"
        return "asked to end at once; the bench is being made safe"

    def suggest(self, at: Mapping[str, float | str], reason: str, person: str) -> str:
        """Have a point tried next."""
        correcting.suggest(self._directory, _pairs(at), reason, person)
        return "it is tried next"

    def tell(
        self,
        at: Mapping[str, float | str],
        values: Mapping[str, tuple[float, float]],
        experiment: str,
        about: tuple[str, str],
    ) -> str:
        """Take in what was measured elsewhere."""
        results = correcting.Results(None, tuple(_pairs(at)), tuple(_measured(values)), experiment)
        correcting.tell(self._directory, results, *about)
        return "journalled"

    def amend(
        self, experiment: str, values: Mapping[str, tuple[float, float]], reason: str, person: str
    ) -> str:
        """Correct values of *experiment*."""
        correcting.amend(self._directory, experiment, _measured(values), reason, person)
        return "journalled"

    def retract(self, experiment: str, reason: str, person: str) -> str:
        """Take the observation of *experiment* back."""
        correcting.retract(self._directory, experiment, reason, person)
        return "journalled"

    def resolve(self, experiment: str, outcome: Outcome, reason: str, person: str) -> str:
        """Say what became of *experiment*."""
        said = correcting.Outcome(outcome.replace("_", "-"))
        correcting.resolve(self._directory, experiment, said, reason, person)
        return "journalled"

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._status_line is not None:
            self._status_line.close()
            self._status_line = None

    def _at_the_stop_socket(self) -> str:
        """Return once the gate's own thread for stops has begun; raises OSError, ValueError."""
        launch = Launch.read(self._directory / FOLDER / FILE)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(ANSWER_S)
            line.connect(str(launch.socket("stop")))
            line.sendall(b"stop\n")
            answer = json.loads(_line(line, time.monotonic() + ANSWER_S))
        if answer.get("accepted") is not True:
            raise ValueError("it was refused")
        return "the bench is being made safe"

    def _runner(self) -> int:
        gate = running_gate(self._directory)
        pid = holder_of(self._directory) if gate is None else gate.launch.supervisor
        if not pid:
            raise GateLost(f"{self._directory}: nobody runs this campaign that could be asked")
        return pid


def _line(line: socket.socket, deadline: float) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < LONGEST_LINE:
        line.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = line.recv(1)
        if not piece:
            raise ValueError("no answer")
        data += piece
    return data


def _pairs(at: Mapping[str, float | str]) -> list[str]:
    return [f"{name}={_text(value)}" for name, value in at.items()]


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value)


def _measured(values: Mapping[str, tuple[float, float]]) -> list[str]:
    return [f"{name}={mean!r}±{sigma!r}" for name, (mean, sigma) in values.items()]
