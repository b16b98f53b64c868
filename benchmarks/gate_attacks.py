"""Figure: attacks on the gate, how many were refused, and how many left a record of who it was.

    python -m benchmarks.gate_attacks [--connections 10000]

Runs the attacks of the tests (desk, people file, record on disk, messages between processes) and
counts them; then so many connections without a handshake at the port of a real gate, while the
emergency stop is asked again and again. Exit status 1 if one of them was not refused, if somebody
with a key isn't served afterwards, or if no record names where the connections came from.
"""

import argparse
import getpass
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from controller.safety.desk.client import Clerk, KeyLine, Reached
from tests.support.gates import bench_ioc, gate_process
from tests.support.live_bench import live_campaign
from tests.support.message_fuzz import Fuzzer, people_file

ROOT = Path(__file__).parents[1]
FILES = {
    "the desk: keys, roles, old commands, odd bytes, floods": "test_desk_attacks.py",
    "the record on disk, and the key that signs it": "test_record_attacks.py",
    "the people file": "test_people_file.py",
    "made-up messages at every socket of a gate": "test_message_fuzz.py",
    "expressions and files that want to be run": "test_file_attacks.py",
    "keys of the campaign's own bus": "test_bus_keys.py",
}
NO_ATTACK = {
    "test_people_file.py": 7,
    "test_record_attacks.py": 6,
    "test_desk_attacks.py": 1,
    "test_bus_keys.py": 4,
}
"""How many tests of a file are about those who mean well."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=10_000)
    connections = parser.parse_args().connections
    refused = failed = 0
    for what, name in FILES.items():
        passed, broken = _run(name)
        attacks = passed - NO_ATTACK.get(name, 0)
        refused, failed = refused + attacks, failed + broken
        print(f"{what}: {attacks} refused, {broken} not", flush=True)
    print(f"attacks refused: {refused} of {refused + failed}")
    held = _flooded(connections)
    sys.exit(bool(failed) or refused < 40 or not held)


def _flooded(connections: int) -> bool:
    """Open so many *connections* at a real gate, and say whether it stands that."""
    with tempfile.TemporaryDirectory() as name, bench_ioc() as ioc:
        folder = Path(name)
        campaign = live_campaign(str(people_file(folder, getpass.getuser())))
        with gate_process(folder / "campaign", campaign, ioc.epics) as gate, ExitStack() as stack:
            port = Fuzzer(gate, folder, 0).port
            took_s = []
            for i in range(connections):
                line = stack.enter_context(socket.socket())
                line.setblocking(False)
                line.connect_ex(("127.0.0.1", port))
                if i % 500 == 0:
                    began = time.monotonic()
                    _stop(gate.launch.runtime / "stop")
                    took_s.append(time.monotonic() - began)
            keys = folder / "keys"
            where = Reached(f"tcp://127.0.0.1:{port}", keys / "olga.key_secret", keys / "gate.key")
            stack.close()
            with Clerk(KeyLine(where)) as olga:
                served = olga.greet().name == "Olga Operator"
            named = [r["peer"] for r in gate.records() if r["kind"] == "refused"]
    print(
        f"{connections} connections without a handshake: {len(named)} records of them, the "
        f"emergency stop meanwhile accepted within {max(took_s) * 1000:.1f} ms at most "
        f"({len(took_s)} times), somebody with a key served afterwards: {served}"
    )
    return served and any(peer.startswith("127.0.0.1:") for peer in named)


def _stop(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10.0)
        line.connect(str(path))
        line.sendall(b"stop\n")
        if b"accepted" not in line.recv(4096):
            raise RuntimeError("the emergency stop was not accepted")


def _run(name: str) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pytest",
            f"--basetemp={folder}/t",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, f"tests/controller/{name}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    passed = re.search(r"(\d+) passed", done.stdout)
    broken = re.search(r"(\d+) failed", done.stdout)
    if done.returncode and broken is None:
        print(done.stdout[-2000:], done.stderr[-2000:])
    dots = sum(line.split()[0].count(".") for line in done.stdout.splitlines() if "%]" in line)
    return int(passed[1]) if passed else dots, int(broken[1]) if broken else done.returncode


if __name__ == "__main__":
    main()
