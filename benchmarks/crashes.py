"""Kills the short copper campaign at random instants, again and again, and compares the ends.

    python -m benchmarks.crashes [--rounds 20]

Every round runs the campaign to its end over as many kill -9 as it takes; what it decided,
measured and stopped for must equal the uninterrupted run. Exit status 1 if one doesn't.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.controller.test_loop import run, told
from tests.support.campaigns import copper_campaign
from tests.support.killing import survive


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    wrong = kills = 0
    with tempfile.TemporaryDirectory() as folder:
        run(copper_campaign(), Path(folder) / "whole")
        whole = told(Path(folder) / "whole")
        for number in range(rounds):
            directory = Path(folder) / str(number)
            killed = survive(directory, seed=number, longest_s=0.1 + 0.02 * number)
            same = told(directory) == whole
            kills, wrong = kills + killed, wrong + (not same)
            print(f"round {number}: {killed} kills, {'the same' if same else 'DIFFERENT'}")
    print(f"{kills} kills in {rounds} rounds; {wrong} campaigns ended differently")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
