"""The other processes of ``benchmarks.load``: followers of documents, callers and answerers.

python -m benchmarks.load_parts follower ADDRESS PAUSE_S | answerer|caller ADDRESS NOTES
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from controller.bus.delivery import Answerer, Caller
from controller.bus.messages import Done, Message, WritesHead
from controller.bus.wire import unpack_document

PATIENCE_S = 60.0


def resident_mib(pid: int) -> float:
    """The memory of process *pid* that is in RAM (MiB)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory")


class Peer:
    """A process of this file; speaks lines, and ends when its input does."""

    def __init__(self, kind: str, address: str, argument: object) -> None:
        command = [sys.executable, "-m", "benchmarks.load_parts", kind, address, str(argument)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line that the process writes."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def has_line(self, timeout_s: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], timeout_s)[0])

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def freeze(self) -> None:
        """Stop the process, and wait until each of its threads stands."""
        os.kill(self.pid, signal.SIGSTOP)
        threads = list(Path(f"/proc/{self.pid}/task").iterdir())
        while any(
            (thread / "stat").read_text().rpartition(")")[2].split()[0] != "T" for thread in threads
        ):
            time.sleep(0.01)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Follower(Peer):
    """A stock RemoteDispatcher with a callback that takes *pause_s* per document."""

    def __init__(self, address: str, pause_s: float) -> None:
        super().__init__("follower", address, pause_s)

    def await_first(self, publish: Callable[[], None]) -> None:
        """Publish until the follower has seen a document."""
        while not self.has_line(0.05):
            publish()
        self.line()

    def report(self) -> dict[str, Any]:
        """What it saw, a second after the last was published."""
        time.sleep(1.0)
        self.say("report")
        report: dict[str, Any] = json.loads(self.line())
        return report


def follow(address: str, pause_s: float) -> None:
    from bluesky.callbacks.zmq import RemoteDispatcher

    latency_ms: list[float] = []
    dispatcher = RemoteDispatcher(address, deserializer=unpack_document)

    def see(_name: str, document: dict[str, Any]) -> None:
        if document["uid"] == "hello":
            if not latency_ms:
                print("first", flush=True)
                latency_ms.append(0.0)
            return
        latency_ms.append((time.time() - document["time"]) * 1000)
        time.sleep(pause_s)

    def report() -> None:
        sys.stdin.readline()
        p50, p99 = np.percentile(latency_ms[1:] or [np.nan], [50, 99])
        seen = {"seen": len(latency_ms) - 1, "p50_ms": float(p50), "p99_ms": float(p99)}
        print(json.dumps(seen), flush=True)

    dispatcher.subscribe(see)
    threading.Thread(target=report, daemon=True).start()
    dispatcher.start()


def answer_all(address: str, notes: Path) -> None:
    def handle(_message: Message, answer: Callable[[Message], None], request: str) -> None:
        if not request.startswith("load/"):
            with notes.open("a") as file:
                file.write(request + "\n")
        answer(Done())

    answerer = Answerer(address, handle)
    sys.stdin.read()
    answerer.close()


def ask_one(address: str) -> None:
    caller = Caller(address, "asking")
    print(caller.post(WritesHead(), id="one").result().kind, flush=True)
    caller.close()


if __name__ == "__main__":
    kind, address, argument = sys.argv[1:]
    if kind == "follower":
        follow(address, float(argument))
    elif kind == "answerer":
        answer_all(address, Path(argument))
    else:
        ask_one(address)
