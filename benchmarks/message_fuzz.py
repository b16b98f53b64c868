"""Figure: made-up and mutated messages at every socket of a gate that runs, and what came of them.

    python -m benchmarks.message_fuzz --messages 50000 [--seed 0]

A real gate process over a real IOC gets them at its desk (this machine's socket, and the network's
with a key that it knows), at its door without one, at the bus of the campaign's own processes, and
at the emergency stop. Right is: it doesn't end, nothing hangs, nothing is accepted, the bench stays
as it was. Exit status 1 otherwise.
"""

import argparse
import getpass
import sys
import tempfile
import time
from pathlib import Path

from tests.support.gates import bench_ioc, gate_process
from tests.support.live_bench import live_campaign
from tests.support.message_fuzz import Fuzzer, people_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, bench_ioc() as ioc:
        folder = Path(name)
        campaign = live_campaign(str(people_file(folder, getpass.getuser())))
        with gate_process(folder / "campaign", campaign, ioc.epics) as gate:
            before = ioc.shown("FURNACE:SP")
            began = time.monotonic()
            found = Fuzzer(gate, folder, wishes.seed).run(wishes.messages)
            seconds = time.monotonic() - began
            if ioc.shown("FURNACE:SP") != before:
                found.wrong.append(f"the furnace was set to {ioc.shown('FURNACE:SP')}")
    sent = ", ".join(f"{place} {count}" for place, count in found.sent.items())
    print(f"{found.sent.total()} messages in {seconds:.0f} s ({sent})")
    for answer, count in sorted(found.answers.items()):
        print(f"  {answer}: {count}")
    print(f"accepted, hung or dead: {len(found.wrong)}")
    for wrong in found.wrong[:20]:
        print(f"  {wrong}")
    sys.exit(bool(found.wrong))


if __name__ == "__main__":
    main()
