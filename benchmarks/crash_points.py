"""Figure: kill -9 at every record of the journal and of the gate, and what becomes of it.

    python -m benchmarks.crash_points [--quick] [--jobs 2] [--only inline supervised]

At each record a process dies before it is written, when it is written and not committed, and when
it is committed and nobody was told: between the gate's intent and the write, and between the
write and its outcome, too. In one process for a recorded table, the copper twin and a plan that is
irreversible; by ``heliostat run`` the controller and the gate, several deaths in each campaign.
Each campaign is gone on with and compared with one that nobody disturbed. Exit status 1 if
anything is wrong. ``--quick`` takes every ninth point.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from controller.chain import Chain
from tests.support.besieged import KINDS, campaign_file, strokes
from tests.support.killing import WHENS, Point, Victim, killed_at, unreached
from tests.support.sieges import Siege
from tests.support.verdicts import wrongs

TABLES = {"events": "journal.sqlite", "writes": "gate.sqlite"}
INLINE = (*KINDS, "copper")
EXPERIMENTS = 3
DEATHS_EACH = 4
"""In one campaign by ``heliostat run``: a supervisor gives up what dies five times in a minute."""

Case = tuple[str, Callable[[], list[str]], int]
"""What is tried, what tries it and returns what is wrong, and how many points it is."""


def victim(folder: Path, name: str, kind: str) -> Victim:
    """Return a campaign of *kind* in one process, called *name*."""
    file = None if kind == "copper" else campaign_file(folder / name, kind, EXPERIMENTS)  # type: ignore[arg-type]
    return Victim(folder / f"{name}-run", file)


def points_of(directory: Path, role: str, table: str) -> Iterator[Point]:
    """Yield every point of a chain of the campaign in *directory*."""
    chain = Chain.read(directory / TABLES[table], table)
    chain.close()
    for record in range(1, chain.length + 1):
        yield from (Point(role, table, record, when) for when in WHENS)


def inline(folder: Path, kind: str, point: Point) -> list[str]:
    """Kill a campaign in one process at *point*, go on, and return what is wrong."""
    name = f"{kind}-{point}".replace(":", "-")
    one = victim(folder, name, kind)
    marks = folder / f"{name}-marks"
    one.go(**killed_at([point], marks))
    found = [f"nothing died at {p}" for p in unreached([point], marks)]
    said = one.go_on()
    found += [said] if said else []
    return found + judged(folder, one.directory, one.file, kind)


def supervised(folder: Path, kind: str, points: list[Point]) -> list[str]:
    """Kill processes of a campaign at *points* as they come, and return what is wrong."""
    name = f"{kind}-by-{points[0]}".replace(":", "-")
    file = campaign_file(folder / name, kind, EXPERIMENTS)  # type: ignore[arg-type]
    marks = folder / f"{name}-marks"
    options = ("--speed", "10")
    with Siege(folder / f"{name}-run", file, options, killed_at(points, marks)) as siege:
        try:
            siege.start()
            siege.finish()
        except AssertionError as error:
            return [str(error)]
        found = [f"nothing died at {point}" for point in unreached(points, marks)]
        return found + judged(folder, siege.directory, file, kind)


def judged(folder: Path, directory: Path, file: Path | None, kind: str) -> list[str]:
    """Return what is wrong with a campaign that is over."""
    found = wrongs(directory, folder / f"whole-{kind}-run")
    if file is not None and kind == "irreversible":
        pressed = strokes(file.parent).items()
        found += [f"pressed {n} times at {at}" for at, n in pressed if n > 1]
    return found


def cases(folder: Path, only: list[str], step: int) -> Iterator[Case]:
    """Yield everything that is to be tried, every *step*-th point of it."""
    for kind in INLINE if "inline" in only else ():
        points = [p for t in TABLES for p in points_of(folder / f"whole-{kind}-run", "inline", t)]
        for point in points[::step]:
            yield f"{kind} {point}", lambda k=kind, p=point: inline(folder, k, p), 1  # type: ignore[misc]
    for kind in KINDS if "supervised" in only else ():
        for role, table in (("controller", "events"), ("gate", "writes")):
            whole = folder / f"whole-{kind}-run"
            reached = [
                p for p in points_of(whole, role, table) if role != "controller" or p.record > 1
            ]
            points = reached[:: max(1, step // 3)]
            for at in range(0, len(points), DEATHS_EACH):
                some = points[at : at + DEATHS_EACH]
                name = f"{kind} {', '.join(map(str, some))}"
                yield name, lambda k=kind, s=some: supervised(folder, k, s), len(some)  # type: ignore[misc]


def main() -> None:
    """Try every point, and say what was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=("inline", "supervised"))
    options = parser.parse_args()
    only = options.only or ["inline", "supervised"]
    began, tried, wrong = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        folder = Path(name)
        for kind in INLINE:
            whole = victim(folder, f"whole-{kind}", kind).go()
            assert whole.returncode == 0, whole.stderr
        todo = list(cases(folder, only, 9 if options.quick else 1))
        running = [(what, count, pool.submit(do)) for what, do, count in todo]
        for what, count, done in running:
            found = done.result()
            tried, wrong = tried + count, wrong + bool(found)
            if found:
                print(f"{what}: WRONG", *found, sep="\n    ", flush=True)
            elif tried % 20 < count:
                print(f"{tried} points, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{tried} crash points, {wrong} wrong, {time.monotonic() - began:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
