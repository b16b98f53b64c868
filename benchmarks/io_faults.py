"""Figure: the N-th write or sync of a campaign fails, for every N.

    python -m benchmarks.io_faults [--quick] [--jobs 2] [--faults ENOSPC EIO SHORT SYNC]

Below the campaign's directory one call fails in each campaign: no space, an I/O error, half a
write and then no space, a sync that fails. The campaign must end with a clear message and lose
nothing: resumed without the fault it must come to the end of one that nobody disturbed, and no
sync may be believed on a descriptor on which one has failed. Then the same in each process of a
supervised campaign. Exit status 1 if anything is wrong. ``--quick`` takes every tenth call.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.io_faults import (
    FAULTS,
    NEEDS_A_COMPILER,
    Fault,
    Faulty,
    Verdict,
    compiler,
    failed_at,
    failed_in,
    shim,
)

IN_PROCESSES = (("controller", 12), ("gate", 12), ("engine", 12), ("controller", 40), ("gate", 60))
"""Which process meets its how-manieth write or sync failing."""

Case = tuple[str, Callable[[], Verdict]]


def cases(folder: Path, library: Path, faults: list[Fault], step: int) -> Iterator[Case]:
    """Yield what fails, and what tries it."""
    whole = Faulty(folder, "whole", library)
    writes, syncs = whole.counted()
    print(f"{writes} writes and {syncs} syncs in a campaign", flush=True)
    for fault in faults:
        for number in range(1, (syncs if fault == "SYNC" else writes) + 1, step):
            one = Faulty(folder, f"{fault}-{number}", library)

            def try_it(one: Faulty = one, fault: Fault = fault, number: int = number) -> Verdict:
                return failed_at(one, fault, number, whole.directory)

            yield f"{fault} {number}", try_it
    for role, number in IN_PROCESSES:
        for fault in faults:
            one = Faulty(folder, f"{role}-{fault}-{number}", library)

            def in_processes(
                one: Faulty = one, role: str = role, fault: Fault = fault, number: int = number
            ) -> Verdict:
                return failed_in(one, role, fault, number, whole.directory)

            yield f"{role} {fault} {number}", in_processes


def main() -> None:
    """Try every call, and say what was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    options = parser.parse_args()
    if compiler() is None:
        sys.exit(NEEDS_A_COMPILER)
    began, tried, wrong, ends = time.monotonic(), 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        folder = Path(name)
        found = cases(folder, shim(folder), options.faults, 10 if options.quick else 1)
        running = [(what, pool.submit(do)) for what, do in found]
        for what, done in running:
            verdict = done.result()
            tried, wrong = tried + 1, wrong + bool(verdict.wrong)
            ends["went on" if verdict.code == 0 else "stopped and said why"] += 1
            if verdict.wrong:
                print(f"{what} ({verdict.hit}): WRONG", *verdict.wrong, sep="\n    ", flush=True)
            elif tried % 20 == 0:
                print(f"{tried} faults, {time.monotonic() - began:.0f} s", flush=True)
    told = ", ".join(f"{count} {end}" for end, count in ends.items())
    print(f"{tried} faults ({told}), {wrong} wrong, {time.monotonic() - began:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
