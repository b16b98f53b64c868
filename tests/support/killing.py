"""Kills a campaign's process at chosen moments until it is done, and says how often it took."""

import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def survive(directory: Path, seed: int, longest_s: float, most: int = 100) -> int:
    """Run the short campaign in *directory*, killing it again and again; return the kills.

    Each process is killed (SIGKILL) a random time after it was ready, at most *longest_s* and
    every time longer, so that the campaign gets on; the next one resumes, until one comes to the
    end.
    """
    rng = random.Random(seed)
    for kills in range(most):
        begun = (directory / "journal.sqlite").exists() and kills > 0
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.victim", "resume" if begun else "run", directory],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                break
        time.sleep(rng.uniform(0, longest_s) * (1 + kills))
        ended = process.poll()
        process.kill()
        process.wait()
        process.stdout.close()
        if ended == 0:
            return kills
        assert ended is None, f"the campaign ended by itself with {ended}"
    raise AssertionError(f"not done after {most} kills")
