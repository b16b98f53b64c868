"""A stopper in a process of its own, which does what a test tells it, line by line.

    python -m tests.support.stopping SOCKET [[NAME, WITHIN_S, {SIGNAL: [PV, VALUE]}], ...]

It prints ``ready`` when the stopper listens; a line ``[DO, ...]`` of JSON is answered by one.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from controller.errors import NotArmed
from controller.safety.envelope.declared import Stage
from controller.safety.hands.halting import Halt, Pulses
from controller.safety.hands.puts import PvActuator
from controller.safety.hands.safing import Safed
from controller.safety.hands.stopper import SafePlan, Stopper, Watch, Why
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
Stages = Sequence[tuple[str, float, Mapping[str, tuple[str, Any]]]]


class Process:
    """The test's side."""

    def __init__(self, process: "Popen[str]", path: Path) -> None:
        self._process = process
        self._path = path

    def ask(self, do: str, *args: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([do, *args]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def say(self, data: bytes) -> list[Any]:
        """Write *data* to the socket of the emergency stop, and return the lines it answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(str(self._path))
            client.sendall(data)
            with client.makefile("rb") as answer:
                return [json.loads(line) for line in answer]


@contextmanager
def stopping(path: Path, epics: Mapping[str, str], stages: Stages) -> Iterator[Process]:
    """Yield a running stopper that listens at *path*."""
    command = [sys.executable, "-m", "tests.support.stopping", str(path), json.dumps(stages)]
    environment = {**os.environ, **epics, "PYTHONPATH": str(ROOT)}
    with Popen(command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Process(process, path)
        finally:
            process.kill()


class Asked:
    """The process's side."""

    def __init__(self, path: Path, stages: Stages) -> None:
        self._halt = Halt()
        self._told: list[tuple[str, str]] = []
        self._seen: list[Callable[[], None]] = []
        self._stages = tuple(
            Stage(name, within_s, {signal: value for signal, (_, value) in writes.items()})
            for name, within_s, writes in stages
        )
        actuators = {s: PvActuator(pv) for *_, writes in stages for s, (pv, _) in writes.items()}
        self._pulses = Pulses({"rules": 5.0})
        self._stopper = Stopper(self._halt, SafePlan(self._stages, actuators), path, self._tell)
        self._stopper.start()

    def _tell(self, why: Why, who: str, seen: Callable[[], None]) -> None:
        self._told.append((why.value, who))
        self._seen.append(seen)

    def safe(self) -> Any:
        """Make safe as the gate does."""
        safed: Safed = self._stopper.start_safing(self._stages, "a test").result(PATIENCE_S)
        return [list(safed.reached), safed.failed, [stage.name for stage in safed.stages]]

    def keep(self) -> Any:
        return list(self._stopper.keep_safe(self._stages).result(PATIENCE_S).reached)

    def told(self) -> Any:
        return self._told

    def seen(self) -> Any:
        for seen in self._seen:
            seen()
        return None

    def allow(self) -> Any:
        self._halt.allow()
        return self._halt.up

    def may(self) -> Any:
        try:
            self._halt.still("x")
        except NotArmed as error:
            return str(error)
        return ""

    def busy(self, seconds: float) -> Any:
        """Keep this thread busy, as rules and clients do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sum(range(1000))
        return None

    def beat(self) -> Any:
        self._pulses.beat("rules")
        return list(self._pulses.late())

    def watch(self, record: str, live: bool) -> Any:
        self._stopper.look_after(Watch(self._pulses, record, lambda: live))
        return None

    def close(self) -> Any:
        self._stopper.close()
        return None


def main(path: str, stages: str) -> None:
    asked = Asked(Path(path), json.loads(stages))
    print("ready", flush=True)
    for line in sys.stdin:
        do, *args = json.loads(line)
        print(json.dumps(getattr(asked, do)(*args)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
