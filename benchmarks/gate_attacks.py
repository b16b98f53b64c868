"""Figure: attacks on the gate, how many were refused, and how many left a record of who it was.

    python -m benchmarks.gate_attacks

Runs the attacks of the tests (desk, people file, record on disk, messages between processes) and
counts them. Exit status 1 if one of them was not refused.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

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
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    refused = failed = 0
    for what, name in FILES.items():
        passed, broken = _run(name)
        attacks = passed - NO_ATTACK.get(name, 0)
        refused, failed = refused + attacks, failed + broken
        print(f"{what}: {attacks} refused, {broken} not", flush=True)
    print(f"attacks refused: {refused} of {refused + failed}")
    sys.exit(bool(failed) or refused < 40)


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
