"""How long an emergency stop takes until the IOC has all safe setpoints, quiet and under flood.

    python -m benchmarks.emergency_stop [--count 100] [--flooders 2]

The soft IOC is the copper twin; the bench is hot before each stop. From the moment in which the
client opens the socket: until every setpoint of the first stage was read back from the IOC, and
until another client of the IOC had been told of them. Then the same while clients flood the
gate with writes, each of which it judges and records. Exits with 1 when
a stop fails.
"""

import argparse
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gates import Rig, in_words, machine, rig
from controller.bus.delivery import Caller
from controller.bus.messages import Write
from controller.processes.launch import FILE, FOLDER, Launch

GOAL_S = 0.025
LONGEST_S = 30.0
IN_FLIGHT = 50
"""How many writes a flooding client has asked for at a time."""


def stop(path: Path) -> tuple[float, dict[str, object]]:
    """Stop by the socket at *path*; return how long the first stage took (s), and what was said."""
    begun = time.monotonic()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LONGEST_S)
        client.connect(str(path))
        client.sendall(b"stop\n")
        with client.makefile("rb") as lines:
            first, last = lines.readline(), lines.readline()
    if not json.loads(first)["accepted"]:
        raise SystemExit(f"the stop was not accepted: {first!r}")
    safed = json.loads(last)
    return min(safed["ended"].values()) - begun, safed


def flood(file: Path) -> None:
    """Ask the gate for writes as fast as it answers, until killed."""
    launch = Launch.read(file)
    caller = Caller(launch.address("gate"), f"flood{time.monotonic_ns()}")
    while True:
        asked = [caller.post(Write(signal="he.setpoint", value=50.0 + i)) for i in range(IN_FLIGHT)]
        for answer in asked:
            answer.result()


def measure(bench: Rig, count: int, flooders: int) -> tuple[list[float], list[float]]:
    """Return how long *count* stops took: by the stopper's word, and by the IOC's."""
    file = bench.launch.directory / FOLDER / FILE
    command = [sys.executable, "-m", "benchmarks.emergency_stop", "--flood", str(file)]
    acknowledged, told = [], []
    for _ in range(count):
        bench.ready()
        processes = [subprocess.Popen(command) for _ in range(flooders)]
        try:
            if flooders:
                time.sleep(1.5)
            begun = time.monotonic()
            took_s, safed = stop(bench.launch.socket("stop"))
        finally:
            for process in processes:
                process.kill()
                process.wait()
        if safed["failed"]:
            raise SystemExit(f"not safe: {safed}")
        acknowledged.append(took_s)
        told.append(bench.safe_after(begun) - begun)
    return acknowledged, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--flooders", type=int, default=2)
    parser.add_argument("--flood", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.flood is not None:
        flood(chosen.flood)
    with rig() as bench:
        for flooders in (0, chosen.flooders):
            print(f"{machine()}; {flooders} clients flood the gate, its record is on")
            acknowledged, told = measure(bench, chosen.count, flooders)
            print("  " + in_words("acknowledged by the IOC", acknowledged, GOAL_S))
            print("  " + in_words("told to another client", told, GOAL_S), flush=True)


if __name__ == "__main__":
    main()
